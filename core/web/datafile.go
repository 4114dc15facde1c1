package web

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/millrace/millrace/core/httpflv"
)

// dataFile is an open file of data_dir.
//
// An FLV file that is being recorded only grows: its version "live" has one
// ETag all the time. At the end its head is replaced, in place: that is
// version "final". Who began with the one goes on with it: by If-Range with
// its ETag, or by the query ?version=live, for which the old head is taken
// from the manifest. So no download mixes the two.
type dataFile struct {
	*os.File
	name string
	info os.FileInfo
	size int64 // at the time of opening, in bytes

	growing   bool   // it is being recorded
	immutable bool   // it is never written again
	oldHead   []byte // of version live, once that is over
	head      []byte // while it grows: what is replaced at the end
}

// findRecord looks up in the manifest how far the file's record is.
func (f *dataFile) findRecord(root *os.Root, known *manifests) {
	path := manifestOf(f.name)
	if path == "" {
		return
	}
	m := known.read(root, path)
	if m == nil {
		return
	}
	f.immutable = m.complete || followed(root, f.name)
	if !strings.HasSuffix(f.name, ".flv") {
		return
	}
	for _, h := range m.heads {
		if h.File == baseName(f.name) {
			f.oldHead = h.bytes()
		}
	}
	f.growing = !m.complete && f.oldHead == nil
}

// keepHead reads the head of a growing file, so that an answer that takes its
// time has not the new one in its place. Whoever writes the new one has the
// manifest say so first: if again, which reads it once more, still finds the
// file growing, what was read is the old one.
func (f *dataFile) keepHead(again func()) {
	if !f.growing {
		return
	}
	head := f.readHead()
	if again(); f.growing {
		f.head = head
	}
}

// maxHead bounds what is read of a head; the recorder's are shorter.
const maxHead = 1 << 20

// readHead reads the FLV header and the first tag, as far as they are there.
func (f *dataFile) readHead() []byte {
	const first = 9 + 4 + 11 // FLV header, back pointer, tag header
	var b [first]byte
	if _, err := f.ReadAt(b[:], 0); err != nil {
		return nil
	}
	n := first + int64(b[14])<<16 + int64(b[15])<<8 + int64(b[16]) + 4
	head := make([]byte, min(n, f.size, maxHead))
	if _, err := f.ReadAt(head, 0); err != nil {
		return nil
	}
	return head
}

// followed reports whether a segment of HLS whose session is live is complete:
// the recorder makes the next one when it is, and writes to the newest only. So
// a cache in front takes all segments that a playlist lists but the last.
func followed(root *os.Root, name string) bool {
	m := numbered.FindStringSubmatch(name)
	if m == nil {
		return false
	}
	n, err := strconv.ParseInt(m[2], 10, 64)
	if err != nil {
		return false
	}
	_, err = root.Stat(m[1] + strconv.FormatInt(n+1, 10) + m[3])
	return err == nil
}

// numbered splits the name of a segment of HLS around its number.
var numbered = regexp.MustCompile(`^(hls/.*/)(\d{1,18})(\.(?:ts|m4s))$`)

func baseName(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// serve answers a GET or HEAD of the file.
func (f *dataFile) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", typeOf(f.name))
	live := f.liveTag()
	wantsLive := r.URL.Query().Get("version") == "live" || r.Header.Get("If-Range") == live
	switch {
	case f.growing:
		h.Set("ETag", live)
		f.serveGrowing(w, r)
	case wantsLive && f.oldHead != nil:
		h.Set("ETag", live)
		http.ServeContent(w, r, "", f.info.ModTime(), f.liveVersion())
	default:
		h.Set("ETag", f.finalTag())
		if f.immutable {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		http.ServeContent(w, r, "", f.info.ModTime(), f.File)
	}
}

// inode tells a file from one that had its name before.
func (f *dataFile) inode() uint64 {
	if st, ok := f.info.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}

// finalTag changes with every write.
func (f *dataFile) finalTag() string {
	return fmt.Sprintf(`"%x-%x-%x"`, f.inode(), f.size, f.info.ModTime().UnixNano())
}

// liveTag is that of version live, which is only ever appended to.
func (f *dataFile) liveTag() string { return fmt.Sprintf(`"%x-live"`, f.inode()) }

// serveGrowing serves what there is of the file by now. A range is answered
// with the length of the whole left open; who comes again gets more.
func (f *dataFile) serveGrowing(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Accept-Ranges", "bytes")
	part, kind := httpflv.Range{Length: f.size}, httpflv.RangeNone
	if v := strings.Join(r.Header.Values("Range"), ","); v != "" && f.mayRange(r) {
		if p, k := httpflv.ParseRange(v, f.size); k != httpflv.RangeNone {
			part, kind = p, k
		}
	}
	status := http.StatusOK
	switch kind {
	case httpflv.RangeBad:
		h.Set("Content-Range", "bytes */"+strconv.FormatInt(f.size, 10))
		fail(w, http.StatusRequestedRangeNotSatisfiable, "the recording has %d bytes by now", f.size)
		return
	case httpflv.RangeOne:
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/*", part.Start, part.Start+part.Length-1))
		status = http.StatusPartialContent
	}
	h.Set("Content-Length", strconv.FormatInt(part.Length, 10))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	if n := int64(len(f.head)) - part.Start; n > 0 {
		n = min(n, part.Length)
		if _, err := w.Write(f.head[part.Start:][:n]); err != nil {
			return // the client's going
		}
		part.Start, part.Length = part.Start+n, part.Length-n
	}
	if _, err := f.Seek(part.Start, io.SeekStart); err != nil {
		panic(http.ErrAbortHandler) // the head promised bytes
	}
	// An error is the client's going, or net/http sees that bytes are missing.
	_, _ = io.CopyN(w, f.File, part.Length)
}

// mayRange applies If-Range: only the ETag of the version that grows holds.
func (f *dataFile) mayRange(r *http.Request) bool {
	v := r.Header.Get("If-Range")
	return r.Method == http.MethodGet && (v == "" || v == f.liveTag())
}

// liveVersion is the finished file with the head that it had while it grew.
func (f *dataFile) liveVersion() io.ReadSeeker {
	n := int64(len(f.oldHead))
	return &patched{head: f.oldHead, rest: io.NewSectionReader(f.File, n, max(f.size-n, 0))}
}

// patched reads head, then rest.
type patched struct {
	head []byte
	rest *io.SectionReader
	at   int64
}

// Read is io.Reader's.
func (p *patched) Read(b []byte) (int, error) {
	var n int
	var err error
	if p.at < int64(len(p.head)) {
		n, err = bytes.NewReader(p.head[p.at:]).Read(b)
	} else {
		n, err = p.rest.ReadAt(b, p.at-int64(len(p.head)))
		if n > 0 {
			err = nil // said when nothing is left
		}
	}
	p.at += int64(n)
	return n, err
}

// Seek is io.Seeker's, as far as http.ServeContent uses it.
func (p *patched) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += p.at
	case io.SeekEnd:
		offset += int64(len(p.head)) + p.rest.Size()
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek to %d: %w", offset, os.ErrInvalid)
	}
	p.at = offset
	return offset, nil
}
