package host

import (
	"context"
	"time"

	"github.com/millrace/millrace/core/event"
)

// Status is what is known of a plugin.
type Status struct {
	Name    string    `json:"name"`
	Version string    `json:"version,omitempty"`
	State   State     `json:"state"`
	Reason  string    `json:"reason,omitempty"`
	Since   time.Time `json:"since"` // in this state
	PID     int       `json:"pid,omitempty"`
	Command string    `json:"command,omitempty"`
	// Restarts counts processes after the first.
	Restarts      int            `json:"restarts"`
	Memory        int64          `json:"memory,omitempty"` // resident, bytes
	EventsDropped uint64         `json:"events_dropped,omitempty"`
	Streams       []StreamStatus `json:"streams,omitempty"`
}

// StreamStatus is what is known of a stream that a plugin has.
type StreamStatus struct {
	StreamID string `json:"stream_id"`
	Session  string `json:"session"`
	Attached bool   `json:"attached"`
	// As of the last health check.
	NextSeq uint64 `json:"next_seq,omitempty"`
	Missed  uint64 `json:"missed,omitempty"`
}

// List says how the plugins are, by name.
func (h *Host) List() []Status {
	var all []Status
	for _, s := range *h.list.Load() {
		var st Status
		if s.ask(context.Background(), func() { st = s.doStatus() }) == nil {
			all = append(all, st)
		}
	}
	return all
}

func (s *supervisor) doStatus() Status {
	st := Status{Name: s.name, State: s.state, Reason: s.reason, Since: s.since, Restarts: s.restarts}
	if p := s.cur; p != nil {
		st.Version, st.PID, st.Command, st.Memory = p.info.Version, p.child.pid, p.path, resident(p.child.pid)
		st.EventsDropped = p.events.lost()
	}
	for _, a := range s.sessions {
		st.Streams = append(st.Streams, StreamStatus{
			StreamID: a.e.StreamID, Session: a.e.Session, Attached: a.phase == attached,
			NextSeq: a.health.GetNextSeq(), Missed: a.health.GetMissed(),
		})
	}
	return st
}

// Ready waits until every plugin has been started, or failed to.
func (h *Host) Ready(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ready := true
		for _, st := range h.List() {
			ready = ready && st.State != Starting
		}
		if ready {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Logs returns the last n lines of a plugin's log, all that are kept for
// n <= 0.
func (h *Host) Logs(name string, n int) ([]string, error) {
	s, err := h.one(name)
	if err != nil {
		return nil, err
	}
	return s.out.last(n), nil
}

// Restart starts a new process beside the old one, hands every stream over
// and stops the old one. It returns when that is done.
func (h *Host) Restart(ctx context.Context, name string) error {
	s, err := h.one(name)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	s.post(func() {
		s.waiters = append(s.waiters, done)
		s.doSwap("asked for")
	})
	select {
	case err := <-done:
		return err
	case <-s.ended:
		return ErrNotUp
	case <-ctx.Done():
		return ctx.Err()
	}
}

// StartRecording attaches a plugin to a stream that it does not have, from
// the cached GOP on, or from the first frame if there was no media yet. It does
// not wait for the plugin, which may have to wait for media: of a publisher that
// came back and has sent none.
func (h *Host) StartRecording(app, name, plugin string) error {
	return h.record(app, name, plugin, true)
}

// StopRecording detaches a plugin from a stream until StartRecording, or the
// next session.
func (h *Host) StopRecording(app, name, plugin string) error {
	return h.record(app, name, plugin, false)
}

func (h *Host) record(app, name, plugin string, want bool) error {
	s, err := h.one(plugin)
	if err != nil {
		return err
	}
	e, err := h.find(app, name)
	if err != nil {
		return err
	}
	var answer error
	if err := s.ask(context.Background(), func() { answer = s.doRecord(e, want) }); err != nil {
		return err
	}
	return answer
}

func (s *supervisor) doRecord(e event.Event, want bool) error {
	a := s.sessions[e.Session]
	switch {
	case s.cur == nil:
		return ErrNotUp
	case s.cur.info.Media == nil:
		return ErrNoMedia
	}
	have := a != nil && a.phase != detaching && s.wants(&e)
	switch {
	case want && have:
		return ErrRunning
	case !want && !have:
		return ErrNotActive
	}
	s.overrides[e.Session] = want
	s.doReconcile()
	return nil
}
