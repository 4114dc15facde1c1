package bench

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
)

// errFLV is returned for what is no FLV stream.
var errFLV = errors.New("malformed FLV")

// flvReader takes an FLV stream apart (FLV 10.1, annex E).
type flvReader struct {
	b      []byte // of the unit in progress
	opened bool   // the header has come
}

const tagHeaderSize = 11

// take calls sink for each tag that b completes.
func (r *flvReader) take(b []byte, sink func(tag)) error {
	for len(b) > 0 {
		if len(r.b) > 0 {
			n, err := r.missing()
			if err != nil {
				return err
			}
			n = min(n, len(b))
			r.b, b = append(r.b, b[:n]...), b[n:]
			if _, err := r.unit(r.b, sink); err != nil {
				return err
			}
			continue
		}
		n, err := r.whole(b, sink)
		if err != nil {
			return err
		}
		r.b = append(r.b, b[n:]...)
		return nil
	}
	return nil
}

// whole takes complete units off b without copying them.
func (r *flvReader) whole(b []byte, sink func(tag)) (n int, err error) {
	for n < len(b) {
		size, err := r.size(b[n:])
		if err != nil || size == 0 || size > len(b)-n {
			return n, err
		}
		if _, err := r.unit(b[n:n+size], sink); err != nil {
			return n, err
		}
		n += size
	}
	return n, nil
}

// missing is how many bytes the unit in progress wants next.
func (r *flvReader) missing() (int, error) {
	size, err := r.size(r.b)
	if size == 0 {
		size = r.least()
	}
	return size - len(r.b), err
}

// least is how many bytes tell a unit's size.
func (r *flvReader) least() int {
	if !r.opened {
		return flv.FileHeaderSize
	}
	return tagHeaderSize
}

// size is that of the unit at the start of b, 0 if that can't be told yet.
func (r *flvReader) size(b []byte) (int, error) {
	if len(b) < r.least() {
		return 0, nil
	}
	if !r.opened {
		if string(b[:4]) != "FLV\x01" || binary.BigEndian.Uint32(b[5:]) != 9 {
			return 0, fmt.Errorf("%w: no header", errFLV)
		}
		return flv.FileHeaderSize, nil
	}
	return tagHeaderSize + int(binary.BigEndian.Uint32(b)&0xFFFFFF) + 4, nil
}

// unit takes a unit if b has all of it.
func (r *flvReader) unit(b []byte, sink func(tag)) (bool, error) {
	size, err := r.size(b)
	if err != nil || size == 0 || len(b) < size {
		return false, err
	}
	r.b = r.b[:0]
	if !r.opened {
		r.opened = true
		return true, nil
	}
	if got := int(binary.BigEndian.Uint32(b[size-4:])); got != size-4 {
		return false, fmt.Errorf("%w: PreviousTagSize %d after a tag of %d bytes", errFLV, got, size-4)
	}
	sink(tag{kind: media.Kind(b[0] & 0x1F), timestamp: tagTime(b), data: b[tagHeaderSize : size-4]})
	return true, nil
}

// tagTime is a tag's timestamp in ms.
func tagTime(b []byte) uint32 {
	return uint32(b[7])<<24 | uint32(b[4])<<16 | uint32(b[5])<<8 | uint32(b[6])
}
