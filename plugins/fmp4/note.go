package fmp4

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/millrace/millrace/core/media"
)

// note is what a fragment says of itself, in a uuid box before its moof that
// players pass over: a process that finds the file after a crash goes on from
// it.
type note struct {
	Number uint32 // of the fragment
	// From is the first sequence number that was not on disk before this
	// fragment, To the one after it. Frames that come interleaved may have
	// higher numbers and be in it already: Last has each track's, [0] the
	// video's.
	From, To uint64
	Last     [2]uint64
	// FromDTS and ToDTS are the stream's ms at which it begins, and the next.
	FromDTS, ToDTS int64
	Wall           time.Time
	// Next and Time are the tracks' clocks after it.
	Next, Time [2]int64
	Has        [2]bool // samples of video, of audio
	Keyframe   bool    // begins with a keyframe, or has no video
}

// noteID marks our boxes.
var noteID = [16]byte{'m', 'i', 'l', 'l', 'r', 'a', 'c', 'e', 'f', 'm', 'p', '4', 'n', 'o', 't', 'e'}

const noteSize = 8 + 16 + 1 + 4 + noteNumbers*8

const noteNumbers = 11

// slot is a track's place in arrays.
func slot(k media.Kind) int {
	if k == media.Audio {
		return 1
	}
	return 0
}

func (n *note) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, noteSize)
	dst = append(append(dst, "uuid"...), noteID[:]...)
	var flags byte
	for i, on := range []bool{n.Has[0], n.Has[1], n.Keyframe} {
		if on {
			flags |= 1 << i
		}
	}
	dst = binary.BigEndian.AppendUint32(append(dst, flags), n.Number)
	for _, v := range [noteNumbers]uint64{
		n.From, n.To, n.Last[0], n.Last[1], uint64(n.FromDTS), uint64(n.ToDTS), uint64(n.Wall.UnixNano()),
		uint64(n.Next[0]), uint64(n.Next[1]), uint64(n.Time[0]), uint64(n.Time[1]),
	} {
		dst = binary.BigEndian.AppendUint64(dst, v)
	}
	return dst
}

// parseNote reads the body of a uuid box; false: it is not ours.
func parseNote(b []byte) (note, bool) {
	if len(b) != noteSize-8 || !bytes.Equal(b[:16], noteID[:]) {
		return note{}, false
	}
	flags, number := b[16], binary.BigEndian.Uint32(b[17:])
	var v [noteNumbers]uint64
	for i := range v {
		v[i] = binary.BigEndian.Uint64(b[21+8*i:])
	}
	return note{
		Number: number, From: v[0], To: v[1], Last: [2]uint64{v[2], v[3]},
		FromDTS: int64(v[4]), ToDTS: int64(v[5]), Wall: time.Unix(0, int64(v[6])),
		Next: [2]int64{int64(v[7]), int64(v[8])}, Time: [2]int64{int64(v[9]), int64(v[10])},
		Has: [2]bool{flags&1 != 0, flags&2 != 0}, Keyframe: flags&4 != 0,
	}, true
}
