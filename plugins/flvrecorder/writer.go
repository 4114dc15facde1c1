package flvrecorder

import (
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/media"
)

// tagWriter gathers tags and writes them with one system call, the payloads
// from where they are.
type tagWriter struct {
	f *os.File
	// size is that of the file, end that with what waits, in bytes.
	size, end int64

	iovs  [][]byte
	small []byte // tag headers and trailers; never grows, since iovs point into it
	start int    // of what is in small but in no iov yet
}

const (
	maxWaiting = 128 // tags
	// maxAlt is the longest header that replaces a payload's own: ModEx with
	// an offset in ns, Multitrack, FourCC, track, composition time.
	maxAlt = 24
)

func newTagWriter(f *os.File, size int64) tagWriter {
	return tagWriter{
		f: f, size: size, end: size,
		iovs:  make([][]byte, 0, 2*maxWaiting+1),
		small: make([]byte, 0, maxWaiting*(tagHeader+maxAlt+tagTrailer)),
	}
}

// full: the next tag needs a flush first.
func (w *tagWriter) full() bool {
	return len(w.small)+tagHeader+maxAlt+tagTrailer > cap(w.small) || len(w.iovs)+3 > cap(w.iovs)
}

// add takes a tag whose data is alt and body, at a time in ms. body has to
// stay as it is until the next flush.
func (w *tagWriter) add(kind media.Kind, time int64, alt, body []byte) {
	n := len(alt) + len(body)
	at := len(w.small)
	w.small = w.small[:at+tagHeader]
	media.PutTagHeader(w.small[at:], kind, n, uint32(time))
	w.small = append(w.small, alt...)
	w.iovs = append(w.iovs, w.small[w.start:], body)
	w.start = len(w.small)
	w.small = binary.BigEndian.AppendUint32(w.small, uint32(tagHeader+n))
	w.end += int64(tagHeader + n + tagTrailer)
}

// flush writes what waits. After an error the file ends where it ended before.
func (w *tagWriter) flush() error {
	if w.end == w.size {
		return nil
	}
	w.iovs = append(w.iovs, w.small[w.start:])
	err := writeAll(int(w.f.Fd()), w.iovs, w.size)
	clear(w.iovs) // frames are not to be held
	w.iovs, w.small, w.start = w.iovs[:0], w.small[:0], 0
	if err != nil {
		w.end = w.size
		if cut := w.f.Truncate(w.size); cut != nil {
			return fmt.Errorf("write tags: %w, and cut them off: %w", err, cut)
		}
		return fmt.Errorf("write tags: %w", err)
	}
	w.size = w.end
	return nil
}

// writeAll writes all buffers at a place. It changes the slice.
func writeAll(fd int, iovs [][]byte, at int64) error {
	for len(iovs) > 0 {
		n, err := unix.Pwritev(fd, iovs, at)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		at += int64(n)
		for len(iovs) > 0 && n >= len(iovs[0]) {
			n -= len(iovs[0])
			iovs = iovs[1:]
		}
		if len(iovs) > 0 {
			iovs[0] = iovs[0][n:]
		}
	}
	return nil
}
