package bench

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// recordMeter reads what the processes of a server that records take.
type recordMeter struct {
	ctx   context.Context
	s     *recording
	parts []*part
	marks int
	// probe asks the loops; nil: not a Millrace.
	probe  *probe
	answer Spread
	// missed are frames that did not reach a plugin, as the server knows.
	missed uint64
}

// part is one process.
type part struct {
	name string
	pid  int
	// cpu and rss are at the interval's begin and end, and when all is quiet.
	cpu [3]cpuTime
	rss [3]int64
	// idle is the memory without streams, most the peak, in bytes.
	idle, most int64
}

// find finds the processes, which have nothing to do yet.
func (m *recordMeter) find() error {
	m.parts = []*part{{name: "server", pid: m.s.pid()}}
	all, err := m.s.state(m.ctx)
	if err != nil {
		return err
	}
	for _, p := range all {
		m.parts = append(m.parts, &part{name: p.Name, pid: p.PID})
	}
	for _, p := range m.parts {
		if p.idle, _, err = resident(p.pid); err != nil {
			return err
		}
	}
	if m.s.ports.http != 0 {
		m.probe, err = startProbe(m.ctx, fmt.Sprintf("127.0.0.1:%d", m.s.ports.http))
	}
	return err
}

func (m *recordMeter) stop() {
	if m.probe != nil {
		m.probe.stop()
	}
}

// mark is called at the begin and at the end of the interval.
func (m *recordMeter) mark() error {
	if err := m.read(m.marks); err != nil {
		return err
	}
	m.marks++
	if m.probe == nil {
		return nil
	}
	var err error
	if m.answer, err = m.probe.spread(); err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	if m.marks == 2 {
		m.probe.stop()
	}
	all, err := m.s.state(m.ctx)
	m.missed = 0
	for _, p := range all {
		for _, st := range p.Streams {
			m.missed += st.Missed
		}
	}
	return err
}

func (m *recordMeter) read(at int) (err error) {
	for _, p := range m.parts {
		if p.cpu[at], err = processCPU(p.pid); err != nil {
			return fmt.Errorf("measure %s: %w", p.name, err)
		}
		if p.rss[at], p.most, err = resident(p.pid); err != nil {
			return fmt.Errorf("measure %s: %w", p.name, err)
		}
	}
	return nil
}

// awaitQuiet waits until no process does much any more: all files are
// finished, as far as can be seen from outside. After limit it gives up.
func (m *recordMeter) awaitQuiet(limit time.Duration) error {
	const (
		look = time.Second
		much = 50 * time.Millisecond // of CPU in that time
	)
	var last time.Duration
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if err := m.read(2); err != nil {
			return err
		}
		used := time.Duration(0)
		for _, p := range m.parts {
			used += p.cpu[2].sum()
		}
		if last > 0 && used-last < much {
			return nil
		}
		last = used
		if !pause(m.ctx, look) {
			return m.ctx.Err()
		}
	}
	return nil
}

// others counts the plugins with the server, not with other programs.
func (m *recordMeter) others(u Usage) Usage {
	if whole := u.Seconds * float64(runtime.NumCPU()); whole > 0 {
		for _, p := range m.parts[1:] {
			share := p.cpu[1].minus(p.cpu[0]).sum().Seconds() / whole
			u.OthersShare, u.ServerShare = max(u.OthersShare-share, 0), u.ServerShare+share
		}
	}
	return u
}

func (m *recordMeter) report(published PublishReport) RecordRun {
	gb := float64(published.Bytes) / 1e9
	run := RecordRun{Streams: published.Started, GB: gb, Seconds: published.Usage.Seconds, LateMS: published.LateMS, Missed: m.missed}
	run.Refused, run.Ended, run.Reasons = published.Refused, published.Ended, published.Reasons
	run.Warnings = m.others(published.Usage).warnings()
	if m.probe != nil {
		run.AnswerMS = &m.answer
	}
	for _, p := range m.parts {
		used, after := p.cpu[1].minus(p.cpu[0]), p.cpu[2].minus(p.cpu[1])
		cost := ProcessCost{
			Name: p.name, UserSeconds: used.user.Seconds(), SysSeconds: used.system.Seconds(), AfterSeconds: after.sum().Seconds(),
			IdleRSS: p.idle, BeginRSS: p.rss[0], EndRSS: p.rss[1], PeakRSS: p.most,
			PerStream: (p.rss[1] - p.idle) / int64(max(published.Started, 1)),
		}
		if gb > 0 {
			cost.PerGB = used.sum().Seconds() / gb
			// Files hold what came before the interval as well.
			cost.AfterPerGB = after.sum().Seconds() / (float64(published.AllBytes) / 1e9)
		}
		run.Processes = append(run.Processes, cost)
		run.PerGB += cost.PerGB
		run.AfterPerGB += cost.AfterPerGB
	}
	if text := run.Processes[0].grew(); text != "" {
		run.Warnings = append(run.Warnings, text)
	}
	return run
}

// grew says that a process was still growing in the interval, "" if it was
// not: page faults of fresh memory cost it CPU and keep its loops from
// answering, and end when the heap is twice what the rings hold.
func (c ProcessCost) grew() string {
	const much, mib = 64 << 20, 1 << 20
	if by := c.EndRSS - c.BeginRSS; by < much || by < c.BeginRSS/10 {
		return ""
	}
	return fmt.Sprintf("the %s grew from %d to %d MiB meanwhile, page faults are part of this: settle for longer", c.Name, c.BeginRSS/mib, c.EndRSS/mib)
}
