package hls

import (
	"time"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/fmp4/box"
	"github.com/millrace/millrace/plugins/hls/ts"
)

// muxer makes the bytes of segments. A stream's goroutine uses it.
type muxer interface {
	// ext is the extension of segments; init the init segment, nil for none.
	ext() string
	init() []byte
	// tables is called where a chunk begins that a decoder may start at.
	tables()
	// add takes a frame of one of the tracks into the open chunk.
	add(f *media.Frame)
	// flush ends the chunk; next is where the leading track goes on. What it
	// returns is valid until the next add, or for ever if keep is set.
	flush(next time.Duration, keep bool) [][]byte
}

// muxState is what goes on in the next process.
type muxState struct {
	TS       ts.Counters `json:"ts,omitzero"`
	Fragment uint32      `json:"fragment,omitempty"`
	Video    box.Clock   `json:"video,omitzero"`
	Audio    box.Clock   `json:"audio,omitzero"`
}

// at is a frame's DTS with its offset.
func at(f *media.Frame) time.Duration {
	return time.Duration(f.DTS)*time.Millisecond + time.Duration(f.Nano)
}
