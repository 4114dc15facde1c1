package bench

import (
	"fmt"
	"time"
)

// Usage is what a measured interval took of the machine. Shares are of all
// processors together, 0 to 1.
type Usage struct {
	Seconds float64 `json:"seconds"`
	// PID is the measured process, 0 if none was named; CPU is in seconds,
	// memory in bytes.
	PID          int     `json:"pid,omitempty"`
	UserSeconds  float64 `json:"user_seconds,omitempty"`
	SysSeconds   float64 `json:"sys_seconds,omitempty"`
	IdleRSS      int64   `json:"idle_rss,omitempty"`
	RSS          int64   `json:"rss,omitempty"`
	PeakRSS      int64   `json:"peak_rss,omitempty"`
	ServerShare  float64 `json:"server_share,omitempty"`
	ClientShare  float64 `json:"client_share"`
	OthersShare  float64 `json:"others_share"`
	MachineIdle  float64 `json:"machine_idle"`
	BusiestLoop  float64 `json:"busiest_client_thread"` // of one processor
	MissedServer string  `json:"server_error,omitempty"`
}

// CPUSeconds is what the server used.
func (u Usage) CPUSeconds() float64 { return u.UserSeconds + u.SysSeconds }

// meter reads what a measured interval takes.
type meter struct {
	pid     int
	idleRSS int64
	pollers []*poller

	begun   time.Time
	server  cpuTime
	client  time.Duration
	machine machineTime
	loops   []time.Duration
}

// newMeter names a server's process, 0 for none. idleRSS is its memory in
// bytes without viewers, 0 to read it now.
func newMeter(pid int, idleRSS int64) (*meter, error) {
	m := &meter{pid: pid, idleRSS: idleRSS}
	if pid == 0 {
		return m, nil
	}
	now, _, err := resident(pid)
	if m.idleRSS == 0 {
		m.idleRSS = now
	}
	return m, err
}

// start begins the interval.
func (m *meter) start(pollers []*poller) error {
	m.pollers, m.loops = pollers, loopTimes(pollers)
	m.begun, m.client, m.machine = time.Now(), ownCPU(), machine()
	if m.pid == 0 {
		return nil
	}
	var err error
	m.server, err = processCPU(m.pid)
	return err
}

// stop ends the interval.
func (m *meter) stop() Usage {
	took := time.Since(m.begun)
	u := Usage{Seconds: took.Seconds(), PID: m.pid, IdleRSS: m.idleRSS}
	client, now := ownCPU()-m.client, machine()
	busy, idle := now.busy-m.machine.busy, now.idle-m.machine.idle
	all := max(float64(busy+idle), 1)
	var server time.Duration
	if m.pid != 0 {
		server = m.stopServer(&u)
	}
	u.ServerShare, u.ClientShare = float64(server)/all, float64(client)/all
	u.MachineIdle = float64(idle) / all
	u.OthersShare = max(1-u.ServerShare-u.ClientShare-u.MachineIdle, 0)
	for i, end := range loopTimes(m.pollers) {
		u.BusiestLoop = max(u.BusiestLoop, float64(end-m.loops[i])/float64(took))
	}
	return u
}

func (m *meter) stopServer(u *Usage) time.Duration {
	cpu, err := processCPU(m.pid)
	if err == nil {
		u.RSS, u.PeakRSS, err = resident(m.pid)
	}
	if err != nil {
		u.MissedServer = err.Error()
		return 0
	}
	used := cpu.minus(m.server)
	u.UserSeconds, u.SysSeconds = used.user.Seconds(), used.system.Seconds()
	return used.sum()
}

func loopTimes(pollers []*poller) []time.Duration {
	all := make([]time.Duration, len(pollers))
	for i, p := range pollers {
		p.do(func() { all[i] = p.cpu() })
	}
	return all
}

// Bounds above which a figure says more about the load than about the server.
const (
	leastIdle   = 0.05
	busyThread  = 0.9
	manyOthers  = 0.05
	shortSample = 0.5 // CPU seconds, which are counted in hundredths
)

// doubtful reports whether the figures say as much of the load, or of other
// programs, as of the server.
func (u Usage) doubtful() bool {
	return u.MachineIdle < leastIdle || u.BusiestLoop > busyThread || u.OthersShare > manyOthers
}

// warnings says what makes the figures doubtful.
func (u Usage) warnings() []string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if u.MachineIdle < leastIdle {
		add("the machine was saturated: %.0f%% idle", 100*u.MachineIdle)
	}
	if u.BusiestLoop > busyThread {
		add("the client was saturated: one of its threads was busy for %.0f%% of the time", 100*u.BusiestLoop)
	}
	if u.OthersShare > manyOthers {
		add("other programs took %.0f%% of the machine", 100*u.OthersShare)
	}
	if u.MissedServer != "" {
		add("the server's process: %s", u.MissedServer)
	} else if u.PID != 0 && u.CPUSeconds() < shortSample {
		add("the server used %.2f s of CPU, too little for exact figures: measure for longer", u.CPUSeconds())
	}
	return all
}
