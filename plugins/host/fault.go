package host

import (
	"context"
	"syscall"
	"time"
)

// Kill ends a plugin's process by SIGKILL, to show that nothing is lost.
func (h *Host) Kill(name string) error {
	return h.fault(name, func(s *supervisor, p *process) error {
		s.logger.Warn("plugin is killed on command")
		return p.child.Kill(context.Background())
	})
}

// Stall stops a plugin's process by SIGSTOP for a time; if the health checks
// do not replace it before.
func (h *Host) Stall(name string, d time.Duration) error {
	return h.fault(name, func(s *supervisor, p *process) error {
		s.logger.Warn("plugin is stalled on command", "duration", d)
		s.background.Go(func() { s.throttle(p, d, d, 0) })
		return nil
	})
}

// A process with a slow disk stands still for slowStop, then runs for slowRun:
// short enough that it answers health checks.
const (
	slowStop = 950 * time.Millisecond
	slowRun  = 50 * time.Millisecond
)

// SlowDisk has a plugin's process run a twentieth of the time, for a while: to
// those who feed it, it looks like one that waits for its disk.
func (h *Host) SlowDisk(name string, d time.Duration) error {
	return h.fault(name, func(s *supervisor, p *process) error {
		s.logger.Warn("plugin is slowed down on command", "duration", d)
		s.background.Go(func() { s.throttle(p, d, slowStop, slowRun) })
		return nil
	})
}

// throttle has a process stand still and run by turns, for d in all. The
// server's end ends it, so that the process can finish its files.
func (s *supervisor) throttle(p *process, d, still, running time.Duration) {
	end := time.NewTimer(d)
	defer end.Stop()
	defer p.signal(syscall.SIGCONT)
	for {
		p.signal(syscall.SIGSTOP)
		if s.sleep(p, still, end.C) {
			return
		}
		p.signal(syscall.SIGCONT)
		if s.sleep(p, running, end.C) {
			return
		}
	}
}

// sleep waits for d and reports whether a fault is over before that.
func (s *supervisor) sleep(p *process, d time.Duration, end <-chan time.Time) (over bool) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return false
	case <-end:
	case <-p.child.exited:
	case <-s.ctx.Done():
	}
	return true
}

// signal reaches the process and its group.
func (p *process) signal(sig syscall.Signal) {
	if !p.child.hasExited() {
		_ = syscall.Kill(-p.child.pid, sig)
	}
}

func (h *Host) fault(name string, f func(*supervisor, *process) error) error {
	s, err := h.one(name)
	if err != nil {
		return err
	}
	answer := ErrNotUp
	if err := s.ask(context.Background(), func() {
		if s.cur != nil {
			answer = f(s, s.cur)
		}
	}); err != nil {
		return err
	}
	return answer
}
