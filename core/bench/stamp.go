package bench

import (
	"bytes"
	"time"
)

// stamp says when a frame was sent, and which it is.
type stamp struct {
	at     time.Time // on the sender's clock
	number uint64    // frames of its kind, counted from 0
}

// stampID opens a stamp: the UUID of our user_data_unregistered.
var stampID = [16]byte{0x6D, 0x69, 0x6C, 0x6C, 0x72, 0x61, 0x63, 0x65, 0x2D, 0x62, 0x65, 0x6E, 0x63, 0x68, 0x2D, 0x31}

// A stamp is the UUID, then nanoseconds since the epoch and the number, each
// as 16 hexadecimal digits: a constant size, no byte of which needs emulation
// prevention, so that a frame is made once and stamped in place.
const (
	stampSize   = 16 + 2*hexSize
	hexSize     = 16
	stampWithin = 256 // bytes of tag data that are searched for a stamp
)

func emptyStamp() []byte {
	b := make([]byte, stampSize)
	copy(b, stampID[:])
	putStamp(b, stamp{at: time.Unix(0, 0)})
	return b
}

// putStamp writes s over the stamp at the start of b.
func putStamp(b []byte, s stamp) {
	putHex(b[16:], uint64(s.at.UnixNano()))
	putHex(b[16+hexSize:], s.number)
}

// findStamp finds the stamp in tag data.
func findStamp(b []byte) (stamp, bool) {
	i := bytes.Index(b[:min(len(b), stampWithin)], stampID[:])
	if i < 0 || len(b) < i+stampSize {
		return stamp{}, false
	}
	at, ok := hexOf(b[i+16:])
	number, also := hexOf(b[i+16+hexSize:])
	return stamp{at: time.Unix(0, int64(at)), number: number}, ok && also
}

const lowerHex = "0123456789abcdef"

func putHex(b []byte, v uint64) {
	for i := hexSize - 1; i >= 0; i-- {
		b[i] = lowerHex[v&15]
		v >>= 4
	}
}

func hexOf(b []byte) (v uint64, ok bool) {
	for _, c := range b[:hexSize] {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}
