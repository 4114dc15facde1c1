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
		time.AfterFunc(d, func() {
			if !p.child.hasExited() {
				_ = syscall.Kill(-p.child.pid, syscall.SIGCONT)
			}
		})
		return syscall.Kill(-p.child.pid, syscall.SIGSTOP)
	})
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
