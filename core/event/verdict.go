package event

import "time"

// Verdict is what was decided about one event. Fields that nobody set are
// zero. It is a value; its maps must not be changed.
type Verdict struct {
	// Allow is false for a refusal, whose Reason is meant for the peer.
	Allow  bool
	Reason string

	// on_connect: limits of this connection.
	Limits Limits

	// on_publish. App and Name are "" unless the stream is renamed. Record
	// maps names of plugin tables to whether they record; a name that is not
	// in it keeps its default.
	App, Name   string
	Record      map[string]bool
	MaxBitrate  int64 // bits a second
	MaxDuration time.Duration
	Labels      map[string]string

	// on_play. Stream is another "APP/NAME" to play; Limit ends the viewer.
	Stream string
	Limit  time.Duration

	// on_play and on_request. Redirect is an address; Rate in bytes a second.
	Redirect string
	Rate     int64

	// on_request: headers of the answer.
	Headers map[string]string

	// on_record. Path is below the data directory, with slashes, its %
	// directives expanded, not yet checked against the folder; "" is the
	// default. Skip: do not record.
	Path string
	Skip bool

	// Err says why there is no verdict of the scripts', and on_error decided.
	Err error
}

// Limits are the bounds that on_connect sets for a connection; zero is none.
type Limits struct {
	MaxBitrate  int64 // bits a second that it may send
	MaxDuration time.Duration
	Rate        int64 // bytes a second that it is sent
	IdleTimeout time.Duration
}

// Decider is asked before something is done for a peer, and told what became
// of it. Its methods may be called from any goroutine and do not block.
type Decider interface {
	// Wants reports whether anybody would be asked, or told, about an event of
	// this name. It is cheap: without hooks a join costs nothing more.
	Wants(name string) bool
	// Decide calls done exactly once, on a goroutine of its own.
	Decide(e *Event, done func(Verdict))
	// Notify tells of what has happened.
	Notify(e *Event)
}
