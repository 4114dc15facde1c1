package hooks

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// Status is what an operator wants to know of the scripts.
type Status struct {
	Scripts []ScriptStatus // in force, in order
	Shadow  []ScriptStatus
	// Loaded is when the scripts in force came into it; Reloads and Failed
	// count attempts since the start.
	Loaded          time.Time
	Reloads, Failed uint64
	// LoadError is why the files as they are now are not in force; nil when
	// they are. CallError is the last error of a call.
	LoadError, CallError *Problem
}

// ScriptStatus is one script.
type ScriptStatus struct {
	File  string
	Hooks []string
}

// Problem is an error with its place.
type Problem struct {
	Time time.Time
	File string // "" when it is not known
	Line int    // 0 when it is not known
	Hook string
	Text string
}

// status holds what Status shows and cannot be read elsewhere.
type status struct {
	mu              sync.Mutex
	loaded          time.Time
	reloads, failed uint64
	loadError       *Problem
	callError       *Problem
}

// Status takes a snapshot.
func (r *Runtime) Status() Status {
	if r == nil {
		return Status{}
	}
	r.status.mu.Lock()
	s := Status{
		Loaded: r.status.loaded, Reloads: r.status.reloads, Failed: r.status.failed,
		LoadError: r.status.loadError, CallError: r.status.callError,
	}
	r.status.mu.Unlock()
	s.Scripts, s.Shadow = r.live.Load().describe(), r.shadow.Load().describe()
	return s
}

func (s *status) loadFailed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed++
	s.loadError = problemOf(err)
}

func (s *status) loadDone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reloads++
	s.loaded, s.loadError = time.Now(), nil
}

// unchanged notes that the files are again what is in force.
func (s *status) unchanged() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loadError = nil
}

func (s *status) callFailed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callError = problemOf(err)
}

func problemOf(err error) *Problem {
	p := &Problem{Time: time.Now(), Text: err.Error()}
	place, ok := errors.AsType[*ScriptError](err)
	if stopped, is := errors.AsType[*stoppedError](err); is {
		place, ok = stopped.where, true
	}
	if ok {
		p.File, p.Line, p.Hook, p.Text = place.File, place.Line, place.Hook, place.Text
	}
	return p
}

// String is the problem on one line.
func (p *Problem) String() string {
	e := ScriptError{File: p.File, Line: p.Line, Hook: p.Hook, Text: p.Text}
	return fmt.Sprintf("%s %s", p.Time.Format(time.RFC3339), e.Error())
}

func (set *scriptSet) describe() []ScriptStatus {
	if set == nil {
		return nil
	}
	var out []ScriptStatus
	for i, s := range set.scripts {
		out = append(out, ScriptStatus{File: s.chunk.file, Hooks: set.names[i]})
	}
	return out
}
