package admin

import "time"

// Stats is a snapshot of the server's counters and gauges: plain values, each
// one Load of an atomic. They need not be of the same instant. Unsigned
// fields only ever grow; signed ones go both ways.
//
// Map keys become label values, so they must be from small fixed sets, and are
// best all present from the start, zero included: a rate needs the zero.
type Stats struct {
	Protocols map[string]ProtocolStats // by ProtocolRTMP and its like

	Refused      map[string]uint64 // connections refused, by reason
	Closed       map[string]uint64 // connections ended, by reason
	AcceptErrors map[string]uint64 // by kind, such as "emfile"

	Publishers     int64
	StreamsLive    int64
	StreamsLost    int64
	WaitingViewers int64 // with requests that wait for an object

	FramesIn             uint64 // from publishers
	FramesOut            uint64 // delivered: a frame to ten viewers counts ten
	FramesDroppedLag     uint64 // skipped by viewers that exceeded max_lag
	FramesDroppedGap     uint64 // fallen off the ring before they were sent
	Skips                uint64 // times that a viewer was moved forward
	TimestampCorrections uint64

	RingBytes     int64 // held by all rings
	RingFrames    int64
	MemoryLimit   int64 // cap of RingBytes, in bytes
	GOPCacheDrops uint64
	ObjectBytes   map[string]int64 // held for each plugin

	// Plugins: streams that they read, bytes and frames that they got, gaps
	// that they were told of and the frames in them, and what the rings keep
	// for those that are slow, by plugin.
	PluginFeeds                 int64
	PluginBytes, PluginFrames   uint64
	PluginGaps, PluginFramesGap uint64
	PluginBacklog               map[string]int64

	Loops          []LoopStats // the index is the label
	IngestToSocket Histogram   // read of a frame's last byte to its being taken by a socket

	HandlerPanics uint64
	ReloadsOK     uint64
	ReloadsFailed uint64
}

// ProtocolStats is what is counted per protocol. A connection counts under
// the protocol that it speaks: an HTTP connection that becomes a viewer moves
// to its new protocol, and counts as opened there too. Viewing sessions of
// files are viewers without a connection of their own.
type ProtocolStats struct {
	Connections int64  // open now
	Opened      uint64 // since the start
	Viewers     int64  // shown for protocols that can be watched
	BytesIn     uint64
	BytesOut    uint64
}

// LoopStats is what one event loop counts.
type LoopStats struct {
	Connections   int64
	Viewers       int64
	Busy          time.Duration // time spent not waiting, since the start
	Passes        uint64        // over the loop's viewers
	PassDuration  Histogram
	WritevCalls   uint64
	WritevPartial uint64        // calls of which the socket took a part, or nothing
	MergeWindow   time.Duration // in force now
	Wakeups       uint64
}

// Histogram is a distribution of durations in seconds. Counts holds one
// number per bucket, not cumulative, and one more for what lies above the
// last bound: len(Counts) == len(Buckets)+1. The zero value is an empty one.
type Histogram struct {
	Buckets []float64 // upper bounds, inclusive, rising
	Counts  []uint64
	Sum     float64
}
