package hooks

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/millrace/millrace/core/event"
)

// What happens when scripts give no verdict: Settings.OnError.
const (
	Deny  = "deny"
	Allow = "allow"
)

// Defaults of Settings; a zero field takes them.
const (
	DefaultTimeout      = 500 * time.Millisecond
	DefaultQueueTimeout = 2 * time.Second
	DefaultWorkers      = 256
	DefaultQueue        = 8192
	DefaultMemory       = 64 << 20
	DefaultTick         = 10 * time.Second
)

// DefaultMask returns the names of parameters, headers and labels whose values
// a call log does not show.
func DefaultMask() []string {
	return []string{"token", "key", "sign", "password", "secret", "authorization", "cookie"}
}

// Settings are what Configure may change while the runtime runs.
type Settings struct {
	// Scripts are files and folders; the Lua files at the top of a folder are
	// scripts by name, those in folders below can be required.
	Scripts []string
	// Shadow are scripts whose verdicts are compared and counted, not used.
	Shadow []string
	// Timeout bounds the run of one call; QueueTimeout the wait before it.
	Timeout, QueueTimeout time.Duration
	// OnError is Deny (the default) or Allow; OnErrorFor has it for single
	// hooks. on_record always falls back to the default name.
	OnError    string
	OnErrorFor map[string]string
	// Workers bounds the states that run or wait for HTTP at once; Queue the
	// decisions that wait for one. As many notices wait beside them, and are
	// dropped beyond.
	Workers, Queue int
	// Memory is how many bytes one call may allocate.
	Memory int64
	// HTTPAllow lists the hosts that scripts may ask: "host", "host:port",
	// "*.example.com", or "*". Empty: none.
	HTTPAllow []string
	// Tick is the time between two calls of on_tick.
	Tick time.Duration
	// Mask replaces DefaultMask when it is not nil.
	Mask []string
}

// Options are what a Runtime needs.
type Options struct {
	Settings
	Logger *slog.Logger
	// CallLog gets a JSON line for each call, in one Write each, one at a
	// time; nil: none is kept.
	CallLog io.Writer
	// Processors is how many there are, and with it how many scripts compute at
	// once; half as many more do that compute for long. 0: GOMAXPROCS.
	Processors int
	// Kick ends a client or stream, and reports whether there was one; Streams
	// lists the live ones. Both may be called from any goroutine.
	Kick    func(id, reason string) bool
	Streams func() []event.Event
}

// filled returns s with defaults, or what is wrong with it.
func (s Settings) filled() (Settings, error) {
	defaults(&s.Timeout, DefaultTimeout)
	defaults(&s.QueueTimeout, DefaultQueueTimeout)
	defaults(&s.OnError, Deny)
	defaults(&s.Workers, DefaultWorkers)
	defaults(&s.Queue, DefaultQueue)
	defaults(&s.Memory, DefaultMemory)
	defaults(&s.Tick, DefaultTick)
	if s.Mask == nil {
		s.Mask = DefaultMask()
	}
	s.OnErrorFor = maps.Clone(s.OnErrorFor)
	return s, s.check()
}

func defaults[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (s *Settings) check() error {
	for name, v := range map[string]int64{
		"timeout": int64(s.Timeout), "queue_timeout": int64(s.QueueTimeout), "workers": int64(s.Workers),
		"queue": int64(s.Queue), "memory": s.Memory, "tick": int64(s.Tick),
	} {
		if v < 0 {
			return fmt.Errorf("%s is negative", name)
		}
	}
	if s.OnError != Deny && s.OnError != Allow {
		return fmt.Errorf("on_error is %q, not deny or allow", s.OnError)
	}
	for _, hook := range slices.Sorted(maps.Keys(s.OnErrorFor)) {
		if v := s.OnErrorFor[hook]; !isDecision(hook) || v != Deny && v != Allow {
			return fmt.Errorf("on_error of %s is %q: it is for decisions, deny or allow", hook, v)
		}
	}
	return nil
}

// onError is what holds for a hook.
func (s *Settings) onError(hook string) string {
	if v := s.OnErrorFor[hook]; v != "" {
		return v
	}
	return s.OnError
}
