package object

import (
	"errors"
	"io"
	"slices"
)

// Reader returns a reader of the content, for http.ServeContent. It is for
// one goroutine.
func (c *Content) Reader() io.ReadSeeker { return &reader{content: c} }

type reader struct {
	content *Content
	at      Cursor
}

// Cursor is a place in a content.
type Cursor struct {
	Block  int // index of the block
	Offset int // in it
}

// CursorAt returns the place of the byte at offset, which must be within c.
func (c *Content) CursorAt(offset int64) Cursor {
	for i, b := range c.Blocks {
		if offset < int64(len(b)) {
			return Cursor{i, int(offset)}
		}
		offset -= int64(len(b))
	}
	return Cursor{Block: len(c.Blocks)}
}

// Advance moves the cursor n bytes on.
func (c *Content) Advance(at Cursor, n int) Cursor {
	at.Offset += n
	for at.Block < len(c.Blocks) && at.Offset >= len(c.Blocks[at.Block]) {
		at.Offset -= len(c.Blocks[at.Block])
		at.Block++
	}
	return at
}

// Bytes is a copy of the content in one piece.
func (c *Content) Bytes() []byte { return slices.Concat(c.Blocks...) }

// Read is io.Reader's.
func (r *reader) Read(p []byte) (int, error) {
	if r.at.Block >= len(r.content.Blocks) {
		return 0, io.EOF
	}
	n := copy(p, r.content.Blocks[r.at.Block][r.at.Offset:])
	r.at = r.content.Advance(r.at, n)
	return n, nil
}

// WriteTo is io.WriterTo's: whole blocks, no copy.
func (r *reader) WriteTo(w io.Writer) (total int64, err error) {
	for r.at.Block < len(r.content.Blocks) {
		n, err := w.Write(r.content.Blocks[r.at.Block][r.at.Offset:])
		total += int64(n)
		r.at = r.content.Advance(r.at, n)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

var errSeek = errors.New("seek outside of the object")

// Seek is io.Seeker's.
func (r *reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		for _, b := range r.content.Blocks[:min(r.at.Block, len(r.content.Blocks))] {
			offset += int64(len(b))
		}
		offset += int64(r.at.Offset)
	case io.SeekEnd:
		offset += r.content.Size
	}
	if offset < 0 || offset > r.content.Size {
		return 0, errSeek
	}
	r.at = r.content.CursorAt(offset)
	return offset, nil
}
