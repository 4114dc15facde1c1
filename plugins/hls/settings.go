package hls

import (
	"time"

	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// settings are the plugin's own keys.
type settings struct {
	target  time.Duration // of segments
	part    time.Duration // of parts, 0 without low latency
	window  int           // segments in a playlist, 0: all
	disk    bool          // segments are written to data_dir
	memory  bool          // segments are stored as objects
	format  string        // auto, ts, fmp4
	encrypt bool
	rotate  int // segments to a key, 0: one key for a session
	// checksum: events and manifest have each segment's SHA-256.
	checksum bool
	sync     record.Sync
	keepAge  time.Duration
	// keepBytes and minFree are 0 for no such rule.
	keepBytes, minFree int64
}

// Formats of segments.
const (
	formatAuto = "auto" // MPEG-TS where it has the codecs
	formatTS   = "ts"   // tracks that it does not have are left out
	formatFMP4 = "fmp4"
)

// maxChunk bounds what a crash can cost.
const maxChunk = time.Second

// usualChunk leaves time for what the server holds back meanwhile, and for the
// write.
const usualChunk = maxChunk - mergeUsual - 100*time.Millisecond

const maxSize = 1 << 60

// readSettings reads the plugin's table.
func readSettings(c sdk.Config) (settings, []sdk.Problem) {
	r := record.ReadSettings(c)
	low := r.Bool("low_latency", false)
	s := settings{
		target:    r.Duration("target", 6*time.Second, time.Second, time.Minute),
		part:      r.Duration("part", 200*time.Millisecond, 50*time.Millisecond, maxChunk),
		window:    int(r.Int("window", 0, 0, 10000)),
		disk:      r.Bool("disk", true),
		format:    r.String("format", formatAuto, formatAuto, formatTS, formatFMP4),
		encrypt:   r.Bool("encrypt", false),
		rotate:    int(r.Int("key_rotation", 0, 0, 1e6)),
		checksum:  r.Bool("checksum", true),
		sync:      r.Sync("sync", "never"),
		keepAge:   r.Duration("keep_age", 0, 0, 100*365*24*time.Hour),
		keepBytes: r.Size("keep_bytes", 0, 0, maxSize),
		minFree:   r.Size("min_free", 1<<30, 0, maxSize),
	}
	s.memory = r.Bool("memory", low || !s.disk)
	s.check(r, low)
	if !low {
		s.part = 0
	}
	return s, r.Problems()
}

// check finds what does not go together.
func (s *settings) check(r *record.Settings, low bool) {
	if s.window > 0 && s.window < 3 {
		r.Wrong("window", "must be 0 for all segments, or at least 3: players stay three behind the end")
	}
	if !s.disk && !s.memory {
		r.Wrong("memory", "must be true without disk: segments would be nowhere")
	}
	if !s.disk && s.window == 0 {
		r.Wrong("window", "must be set without disk: the memory does not hold a whole session")
	}
	if low && !s.memory {
		r.Wrong("memory", "must be true with low_latency: parts are served from memory")
	}
	if low && s.encrypt {
		r.Wrong("encrypt", "does not go with low_latency: a part is not a piece of an encrypted segment")
	}
	if low && s.part > s.target/2 {
		r.Wrong("part", "must be at most half of target")
	}
	if s.rotate > 0 && !s.encrypt {
		r.Wrong("key_rotation", "needs encrypt = true")
	}
}

// chunk is how long what is written at once is.
func (s *settings) chunk() time.Duration {
	if s.part > 0 {
		return s.part
	}
	return usualChunk
}
