package flvrecorder

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
)

// tag is an FLV tag as it stands in a file.
type tag struct {
	at   int64 // where its header is, in bytes
	size int   // of its data, in bytes
	kind media.Kind
	time int64 // ms; 32 bits, signed as players read them
	// part is what its data says at its beginning; zero for data, and for what
	// cannot be read.
	part flv.Part
}

// end is where the next tag is.
func (t *tag) end() int64 { return t.at + tagHeader + int64(t.size) + tagTrailer }

// key: a decoder can start here.
func (t *tag) key() bool { return t.kind == media.Video && t.part.Flags&media.Keyframe != 0 }

// isMedia: it is a coded frame.
func (t *tag) isMedia() bool {
	const no = media.Config | media.EndOfSequence | media.Extra
	return t.kind != media.Data && t.part.Codec != 0 && t.part.Flags&no == 0
}

// peek is how much of a tag's data is looked at: the longest header of ours.
const peek = 24

// window reads small pieces of a file that lie near each other.
type window struct {
	r   io.ReaderAt
	buf [4096]byte
	at  int64
	n   int
}

// bytes returns up to n bytes from at on, fewer at the end. They are good
// until the next call.
func (w *window) bytes(at int64, n int) ([]byte, error) {
	if at < w.at || at+int64(n) > w.at+int64(w.n) {
		got, err := w.r.ReadAt(w.buf[:], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		w.at, w.n = at, got
	}
	b := w.buf[at-w.at : w.n]
	return b[:min(n, len(b))], nil
}

// scan calls each for the tags of an FLV file from a place on, up to the first
// that is not whole, and returns where that is. A tag whose PreviousTagSize
// does not agree is not whole: after a power cut a file may have any bytes at
// its end. each ends the scan by returning false; its tag counts.
func scan(r io.ReaderAt, from int64, each func(*tag) bool) (int64, error) {
	w := &window{r: r}
	for at := from; ; {
		t, err := w.tag(at)
		if err != nil {
			return at, fmt.Errorf("read tag at %d: %w", at, err)
		}
		if t == nil {
			return at, nil
		}
		at = t.end()
		if !each(t) {
			return at, nil
		}
	}
}

// tag reads the tag at a place, nil if there is no whole one.
func (w *window) tag(at int64) (*tag, error) {
	b, err := w.bytes(at, tagHeader+peek)
	if err != nil || len(b) < tagHeader {
		return nil, err
	}
	t := &tag{
		at: at, kind: media.Kind(b[0]),
		size: int(b[1])<<16 | int(b[2])<<8 | int(b[3]),
		time: int64(int32(uint32(b[7])<<24 | uint32(b[4])<<16 | uint32(b[5])<<8 | uint32(b[6]))),
	}
	switch t.kind {
	case media.Audio, media.Video:
		// A header that is cut short, or none at all, leaves part empty.
		_ = flv.Split(t.kind, b[tagHeader:min(len(b), tagHeader+t.size)], func(p flv.Part) { t.part = p })
	case media.Data:
	default:
		return nil, nil
	}
	b, err = w.bytes(t.end()-tagTrailer, tagTrailer)
	if err != nil || len(b) < tagTrailer || binary.BigEndian.Uint32(b) != uint32(tagHeader+t.size) {
		return nil, err
	}
	return t, nil
}

// extent is what the tags of a part were seen to be.
type extent struct {
	Audio, Video bool  // coded frames of them
	Last         int64 // the highest time, ms
	End          int64 // where the last frame ends, ms

	begun    [2]bool // by kind
	at, long [2]int64
}

// longestFrame bounds what the time between two frames says of how long a
// frame is, in ms.
const longestFrame = 1000

// add takes a coded frame in. time is in ms. A frame is taken to be as long as
// the one before it.
func (x *extent) add(kind media.Kind, time int64) {
	i := 0
	switch kind {
	case media.Audio:
		x.Audio = true
	case media.Video:
		x.Video, i = true, 1
	default:
		return
	}
	if d := time - x.at[i]; x.begun[i] && 0 < d && d <= longestFrame {
		x.long[i] = d
	}
	x.begun[i], x.at[i] = true, time
	x.Last = max(x.Last, time)
	x.End = max(x.Last, x.at[0]+x.long[0], x.at[1]+x.long[1])
}
