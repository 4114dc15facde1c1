package host

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Errors of a program that is not started.
var (
	ErrNoProgram = errors.New("no such program")
	ErrChecksum  = errors.New("the program's SHA-256 is not the one given")
)

// lookUp finds a command: absolute, beside the server's own program, in PATH.
func lookUp(beside, command string) (string, error) {
	if filepath.IsAbs(command) {
		if _, err := exec.LookPath(command); err != nil {
			return "", fmt.Errorf("%w: %w", ErrNoProgram, err)
		}
		return command, nil
	}
	if beside == "" {
		self, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("find the server's program: %w", err)
		}
		beside = filepath.Dir(self)
	}
	if path, err := exec.LookPath(filepath.Join(beside, command)); err == nil {
		return filepath.Abs(path)
	}
	path, err := exec.LookPath(command)
	if err != nil {
		return "", fmt.Errorf("%w beside the server and in PATH: %w", ErrNoProgram, err)
	}
	return filepath.Abs(path)
}

// kept are the names of the server's environment that plugins get. The rest
// may hold secrets.
var kept = []string{"PATH", "HOME", "LANG", "TZ", "TMPDIR"}

func environment(c Config, level string) []string {
	env := []string{"MILLRACE_LOG_LEVEL=" + level}
	for _, name := range kept {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	if c.Limits.Memory > 0 {
		// Go's collector works harder before the limit is reached.
		env = append(env, "GOMEMLIMIT="+strconv.FormatInt(c.Limits.Memory*9/10, 10))
	}
	for name, value := range c.Env {
		env = append(env, name+"="+value)
	}
	return env
}

// account is the user that a process runs as.
type account struct {
	uid, gid uint32
	group    string
}

func lookUpUser(name string) (*account, error) {
	if name == "" {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("look up limits.user: %w", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("look up limits.user: %w", err)
	}
	return &account{uid: uint32(uid), gid: uint32(gid), group: u.Gid}, nil
}

// setLimits bounds a process that has just been started.
func setLimits(pid int, l Limits) error {
	if l.Nice != 0 {
		if err := unix.Setpriority(unix.PRIO_PGRP, pid, l.Nice); err != nil {
			return fmt.Errorf("set niceness: %w", err)
		}
	}
	if l.Files > 0 {
		limit := &unix.Rlimit{Cur: l.Files, Max: l.Files}
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, limit, nil); err != nil {
			return fmt.Errorf("set limit of descriptors: %w", err)
		}
	}
	return nil
}

// resident is the memory that a process holds, in bytes; 0 if it is gone.
func resident(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(b), &size, &pages); err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// sysProcAttr is what a process is started with beside what child needs.
func sysProcAttr(a *account) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{}
	if a != nil {
		attr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return attr
}
