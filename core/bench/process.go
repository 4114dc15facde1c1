package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// clockTick is USER_HZ, which is 100 on all that Go runs on.
const clockTick = time.Second / 100

// cpuTime is what a process has used.
type cpuTime struct{ user, system time.Duration }

func (c cpuTime) minus(d cpuTime) cpuTime { return cpuTime{c.user - d.user, c.system - d.system} }

func (c cpuTime) sum() time.Duration { return c.user + c.system }

// processCPU reads /proc/PID/stat (proc(5)).
func processCPU(pid int) (cpuTime, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return cpuTime{}, fmt.Errorf("read CPU time: %w", err)
	}
	return parseStat(b)
}

func parseStat(b []byte) (cpuTime, error) {
	const utime, stime = 11, 12 // after the name, which may hold anything
	_, rest, _ := bytes.Cut(b[bytes.LastIndexByte(b, ')')+1:], []byte(" "))
	fields := bytes.Fields(rest)
	if len(fields) <= stime {
		return cpuTime{}, fmt.Errorf("read CPU time: %w", errProc)
	}
	user, err := strconv.ParseInt(string(fields[utime]), 10, 64)
	if err != nil {
		return cpuTime{}, fmt.Errorf("read CPU time: %w", err)
	}
	system, err := strconv.ParseInt(string(fields[stime]), 10, 64)
	if err != nil {
		return cpuTime{}, fmt.Errorf("read CPU time: %w", err)
	}
	return cpuTime{time.Duration(user) * clockTick, time.Duration(system) * clockTick}, nil
}

// errProc is returned for a file of /proc in a form unknown to us.
var errProc = errors.New("unknown form of a file in /proc")

// resident is a process's memory in bytes, now and at most.
func resident(pid int) (now, most int64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("read memory: %w", err)
	}
	return statusKB(b, "VmRSS:"), statusKB(b, "VmHWM:"), nil
}

// statusKB is a field of /proc/PID/status, in bytes.
func statusKB(b []byte, name string) int64 {
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, name); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kb << 10
		}
	}
	return 0
}

// ownCPU is what this process has used.
func ownCPU() time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// machineTime is what all processors together were busy, and idle.
type machineTime struct{ busy, idle time.Duration }

// machine reads /proc/stat.
func machine() machineTime {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return machineTime{}
	}
	return parseMachine(b)
}

func parseMachine(b []byte) machineTime {
	const idle, iowait, guest = 3, 4, 8 // guest time is in user time already
	line, _, _ := strings.Cut(string(b), "\n")
	var m machineTime
	for i, field := range strings.Fields(line)[min(1, len(strings.Fields(line))):] {
		ticks, _ := strconv.ParseInt(field, 10, 64)
		switch {
		case i == idle || i == iowait:
			m.idle += time.Duration(ticks) * clockTick
		case i < guest:
			m.busy += time.Duration(ticks) * clockTick
		}
	}
	return m
}
