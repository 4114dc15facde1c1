package flvrecorder

import (
	"time"

	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// config is the plugin's table.
type config struct {
	splitTime time.Duration // split_time: a part ends at the first keyframe after it; 0s: never
	splitSize int64         // split_size: or after that many bytes; 0: never
	sync      record.Sync   // sync: when to fsync
	room      int64         // seek_index_room: bytes for the seek table, 18 a keyframe
	keepAge   time.Duration // keep_age: finished records older than that are removed; 0s: never
	keepBytes int64         // keep_bytes: the oldest are removed while all have more; 0: never
	keepFree  int64         // keep_free: or while less than that is free; 0: never
	minFree   int64         // min_free: recording pauses while less than that is free; 0: never
	checksum  bool          // checksum: SHA-256 of finished parts in the manifest
}

const (
	year = 366 * 24 * time.Hour
	// longest is when a part is to end in any case: its times are signed 32-bit
	// numbers in many players, and a cut may wait for twice as long.
	longest = 12 * 24 * time.Hour
	tib     = 1 << 40
)

func readConfig(c sdk.Config) (config, []sdk.Problem) {
	s := record.ReadSettings(c)
	out := config{
		splitTime: s.Duration("split_time", 0, 0, longest),
		splitSize: s.Size("split_size", 0, 0, 64*tib),
		sync:      s.Sync("sync", "10s"),
		room:      s.Size("seek_index_room", 60<<10, 0, 512<<10),
		keepAge:   s.Duration("keep_age", 0, 0, 100*year),
		keepBytes: s.Size("keep_bytes", 0, 0, 1<<20*tib),
		keepFree:  s.Size("keep_free", 0, 0, 1<<20*tib),
		minFree:   s.Size("min_free", 512<<20, 0, 1<<20*tib),
		checksum:  s.Bool("checksum", true),
	}
	if 0 < out.splitTime && out.splitTime < time.Second {
		s.Wrong("split_time", `must be "0s" (never) or at least "1s"`)
	}
	if 0 < out.splitSize && out.splitSize < 64<<10 {
		s.Wrong("split_size", `must be "0" (never) or at least "64KiB"`)
	}
	return out, s.Problems()
}

func (c config) cutter() record.Cutter {
	k := record.Cutter{Target: c.splitTime, Bytes: c.splitSize}
	if k.Target == 0 {
		k.Target = longest
	}
	return k
}
