package fmp4

import (
	"time"

	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// Options are the keys of the plugin's table.
type Options struct {
	// Segment is how long segments are at least; they begin at keyframes, and
	// are cut by time at twice that.
	Segment time.Duration
	// Chunk is how much a fragment holds: what a crash may cost.
	Chunk time.Duration
	// Merge, Separate and Full say which files are made.
	Merge, Separate, Full bool
	// Checksum: the manifest has the SHA-256 of each file, and so have events.
	Checksum bool
	// Sync is about the open segment: a closed one is synced unless it is
	// "never".
	Sync record.Sync
	// MinFree, in bytes, has to stay free on the disk; recording pauses below.
	MinFree int64
	// KeepAge and KeepBytes bound the finished sessions; 0: no bound.
	KeepAge   time.Duration
	KeepBytes int64
}

const (
	maxSegment = 10 * time.Minute
	maxKeep    = 100 * 365 * 24 * time.Hour
	maxBytes   = 1 << 60
)

// DefaultOptions are those of an empty table.
func DefaultOptions() Options {
	o, _ := readOptions(sdk.Config{})
	return o
}

func readOptions(c sdk.Config) (Options, []sdk.Problem) {
	s := record.ReadSettings(c)
	o := Options{
		Segment:   s.Duration("segment", 4*time.Second, 500*time.Millisecond, maxSegment),
		Chunk:     s.Duration("chunk", 500*time.Millisecond, 20*time.Millisecond, time.Second),
		Merge:     s.Bool("merge", true),
		Separate:  s.Bool("separate", true),
		Full:      s.Bool("full", true),
		Checksum:  s.Bool("checksum", true),
		Sync:      s.Sync("sync", "10s"),
		MinFree:   s.Size("min_free", 256<<20, 0, maxBytes),
		KeepAge:   s.Duration("keep_age", 0, 0, maxKeep),
		KeepBytes: s.Size("keep_bytes", 0, 0, maxBytes),
	}
	if !o.Merge && !o.Separate {
		s.Wrong("merge", "merge and separate are both off: there is nothing to write")
	}
	return o, s.Problems()
}
