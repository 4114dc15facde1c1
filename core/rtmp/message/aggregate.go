package message

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// partHeader and partTrailer are the bytes before and after the payload of a
// message in an aggregate: those of an FLV tag (section 7.1.6).
const (
	partHeader  = 11
	partTrailer = 4
)

// ErrNested says that an aggregate holds another one.
var ErrNested = errors.New("aggregate within an aggregate")

// Part is one message of an aggregate.
type Part struct {
	Type uint8
	// Timestamp is absolute, in ms.
	Timestamp uint32
	// Payload is a part of the aggregate's payload.
	Payload []byte
}

// Aggregate walks over the messages of an aggregate (section 7.1.6). Its zero
// value is an empty one.
type Aggregate struct {
	rest  []byte
	base  uint32
	first uint32
	begun bool
}

// NewAggregate starts a walk over a payload of type 22 whose message has a
// timestamp in ms. The walk refers to b until it ends.
func NewAggregate(b []byte, timestamp uint32) Aggregate {
	return Aggregate{rest: b, base: timestamp}
}

// Next returns the next part, and false when there is none left. After an
// error there is none left: a part that is cut short, or [ErrNested].
func (a *Aggregate) Next() (Part, bool, error) {
	if len(a.rest) == 0 {
		return Part{}, false, nil
	}
	p, n, err := decodePart(a.rest)
	if err != nil {
		a.rest = nil
		return Part{}, false, fmt.Errorf("decode aggregate: %w", err)
	}
	if !a.begun {
		a.first, a.begun = p.Timestamp, true
	}
	// "The timestamp of the aggregate message is the timestamp of the first
	// sub-message": what differs between them goes to all.
	p.Timestamp += a.base - a.first
	// The last back pointer may be missing.
	a.rest = a.rest[min(n+partTrailer, len(a.rest)):]
	return p, true, nil
}

func decodePart(b []byte) (Part, int, error) {
	if len(b) < partHeader {
		return Part{}, 0, ErrShort
	}
	if b[0] == TypeAggregate {
		return Part{}, 0, ErrNested
	}
	end := partHeader + int(b[1])<<16 + int(b[2])<<8 + int(b[3])
	if end > len(b) {
		return Part{}, 0, ErrShort
	}
	ts := uint32(b[7])<<24 | uint32(b[4])<<16 | uint32(b[5])<<8 | uint32(b[6])
	return Part{Type: b[0], Timestamp: ts, Payload: b[partHeader:end:end]}, end, nil
}

// AppendPart appends a message to the payload of an aggregate.
func AppendPart(dst []byte, p Part) []byte {
	n, ts := len(p.Payload), p.Timestamp
	dst = append(dst, p.Type, byte(n>>16), byte(n>>8), byte(n),
		byte(ts>>16), byte(ts>>8), byte(ts), byte(ts>>24), 0, 0, 0)
	dst = append(dst, p.Payload...)
	return binary.BigEndian.AppendUint32(dst, uint32(partHeader+n))
}
