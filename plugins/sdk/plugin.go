// Package sdk is what a plugin of Millrace is written with: implement Plugin,
// and Recorder if it takes media, and call Serve in main.
package sdk

import (
	"context"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/media"
)

// Plugin is what an author writes. The methods are called one at a time, in
// the order in which they stand here.
type Plugin interface {
	// Info says what the plugin is and what it wants. It is asked once more
	// after Configure: the answer may depend on the table.
	Info() Info
	// Configure takes the plugin's own table of the configuration. Whatever is
	// wrong with it is returned, all of it; then the plugin is not started. It
	// must have no effects outside: it is called to check a file, too.
	Configure(c Config) []Problem
	// Start begins the work. h may be used until Stop returns. ctx ends when
	// the time for starting is over.
	Start(ctx context.Context, h Host) error
	// Stop ends it; all streams were detached before. ctx ends when the time
	// for that is over: what is not on disk by then is lost.
	Stop(ctx context.Context) error
}

// EventHandler is implemented by plugins that want to be told of events (see
// Capabilities.Events). Events of one stream come in order, one at a time; a
// plugin that is slow to return may lose some, which is logged.
type EventHandler interface {
	HandleEvent(ctx context.Context, e *event.Event)
}

// Recorder is implemented by plugins that take media.
type Recorder interface {
	// Attach begins a stream, or goes on with one after a swap or a crash. It
	// may be called concurrently for different streams.
	Attach(ctx context.Context, a Attach) (Stream, error)
}

// HealthChecker is implemented by plugins that can tell that they are ill:
// after three errors in a row the host starts another process.
type HealthChecker interface {
	Health(ctx context.Context) error
}

// Info is what a plugin says of itself.
type Info struct {
	Name    string // "flv"
	Version string
	Capabilities
}

// Capabilities are what a plugin wants from the host. What it does not ask
// for it does not get.
type Capabilities struct {
	// Events are the names of the events to be told of; "*" is all of them.
	Events []string
	// Media is nil for a plugin that takes none.
	Media *MediaWanted
	// Objects are the prefixes below which it stores objects in memory, such
	// as "hls/".
	Objects []string
	// Handover: Detach can hand a stream over to a newer process of the same
	// plugin without closing what is open.
	Handover bool
}

// MediaWanted says which media a plugin wants, and how.
type MediaWanted struct {
	// Streams are patterns of path.Match over "APP/NAME", where * also takes
	// slashes; none: all streams.
	Streams []string
	// Codecs are names as in events and the API ("h264", "aac"); none: all.
	Codecs []string
	// Merge is how long frames may be held back so that they come together.
	Merge time.Duration
	// AllTracks: not only the default track of each kind.
	AllTracks bool
	// OnDemand: streams are attached when a recording is started by the API
	// or a hook only.
	OnDemand bool
}

// Attach says which stream begins.
type Attach struct {
	App, Name string
	// Session is the ULID of the publish session.
	Session string
	// Started is when the session began.
	Started time.Time
	// Next is the sequence number of the first frame that will come, if
	// nothing is missing. It is more than 1 for a stream that was running
	// already.
	Next uint64
	// Resume is set after a crash of an earlier process: it looks for what
	// that left on disk and, by Resumer, says where to go on.
	Resume bool
	// Handover is what the process before this one returned from Detach, nil
	// if there was none.
	Handover []byte
	Labels   map[string]string
}

// Stream takes the frames of one stream. Its methods are called by one
// goroutine.
type Stream interface {
	// Write takes what came, in order. Items and what they point to may be
	// kept (frames are immutable) but the slice may not. An error ends the
	// stream for this plugin: it is logged, and the stream is attached again
	// after a while.
	Write(items []Item) error
	// Detach ends the stream, after the last Write.
	Detach(ctx context.Context, d Detach) (Detached, error)
}

// Resumer is implemented by streams that know how far their files are
// durable: the frames from there on come first, as far as the ring still
// holds them.
type Resumer interface {
	// ResumeAt is called once, after Attach and before the first Write. 0 is
	// "nothing is durable": all comes once more, as to the process before.
	ResumeAt() uint64
}

// ItemType tells what an Item is.
type ItemType uint8

// The types of items.
const (
	// Header is metadata or a sequence header in force: it comes at the
	// beginning, uncounted, before frames that need it. Frame is set.
	Header ItemType = iota + 1
	// Frame counts one: audio, video, script data, and headers that change in
	// mid-stream. Frame and Seq are set.
	Frame
	// Gap says that the frames From up to, not including, To do not come.
	Gap
)

// Item is one piece of a stream.
type Item struct {
	Type ItemType
	// Seq is the frame's sequence number.
	Seq uint64
	// Frame has Kind, Flags, Codec, Track, DTS (ms, 64 bits, unwrapped), CTS
	// (ms), Nano, Payload and Body. It is immutable.
	Frame *media.Frame
	// From, To and Reason describe a gap.
	From, To uint64
	Reason   string
}

// Why a stream is detached.
type Why uint8

// The reasons.
const (
	// Ended: the publish session is over.
	Ended Why = iota + 1
	// Handover: another process goes on with it; see Detached.Handover.
	Handover
	// Stopped: the recording was stopped, or the server shuts down.
	Stopped
	// Lost: the connection to the server broke. There will be no Stop.
	Lost
)

// Detach says how a stream ends.
type Detach struct {
	Why    Why
	Reason string // for people
	// At is the sequence number after the last frame written.
	At uint64
	// Final: the recording is over at At, and that is known: the session ended
	// there, or somebody stopped the recording. It is not set where the server
	// was lost, and what it had still is not known.
	Final bool
}

// Detached says where a stream stands after its end.
type Detached struct {
	// Durable is the sequence number after the last frame that is on disk.
	Durable uint64
	// Handover is given to the next process's Attach (Detach.Why is Handover).
	Handover []byte
}
