package object

import (
	"fmt"
	"slices"
)

// minPiece is from which size on, in bytes, what stays of an object is shared
// with the one that grows from it. What is smaller is copied, so that a
// playlist that grows by a line at a time is in few pieces.
const minPiece = 64 << 10

// graft has p begin with what it keeps of the object at its path. Of the
// owner's budget it takes what has to be copied for that, and returns how much.
func (s *Store) graft(name string, p *Put) (copied int64, err error) {
	old := s.Get(p.Path)
	switch {
	case old == nil || old.Full.ETag != p.After:
		return 0, fmt.Errorf("grow %s: %w", p.Path, ErrChanged)
	case p.Keep < 0 || p.Keep > old.Full.Size:
		return 0, fmt.Errorf("keep %d bytes of %d: %w", p.Keep, old.Full.Size, ErrInvalid)
	case len(p.Parts) > 0:
		return 0, fmt.Errorf("both parts and what stays: %w", ErrInvalid)
	}
	stay, rest := old.first(p.Keep)
	copied = blocksSize(rest)
	if err := s.reserve(name, copied); err != nil {
		return 0, err
	}
	if copied >= minPiece {
		stay = append(stay, p.blob(rest, last(stay))) // the same bytes, under a hash of their own
	} else if copied > 0 {
		p.blocks = [][]byte{slices.Concat(append(rest, p.blocks...)...)}
	}
	p.on, p.stay = old, stay
	return copied, nil
}

// first are the first size bytes of the object: whole blobs to be shared, and
// blocks of what is behind them.
func (o *Object) first(size int64) (whole []*blob, rest [][]byte) {
	for _, b := range o.blobs {
		if b.size > size {
			rest = firstOf(b.blocks, size)
			break
		}
		whole = append(whole, b)
		size -= b.size
	}
	if b := last(whole); len(rest) == 0 && b != nil && b.size < minPiece {
		whole, rest = whole[:len(whole)-1], slices.Clone(b.blocks)
	}
	return whole, rest
}

// firstOf are the first size bytes of blocks.
func firstOf(blocks [][]byte, size int64) (first [][]byte) {
	for _, b := range blocks {
		if size == 0 {
			break
		}
		n := min(size, int64(len(b)))
		first = append(first, b[:n:n])
		size -= n
	}
	return first
}

// last is the last of blobs, nil if there is none.
func last(blobs []*blob) *blob {
	if len(blobs) == 0 {
		return nil
	}
	return blobs[len(blobs)-1]
}
