package flvrecorder

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
)

// entry says that the tag at a place in a part has a sequence number.
type entry struct {
	at   int64 // bytes
	seq  uint64
	time int64 // ms, in the part
	kind entryKind
}

type entryKind uint32

const (
	// mark: the count goes on from seq here, after something that counts and
	// is not in the file.
	mark entryKind = iota + 1
	// keyframe: a decoder can start here.
	keyframe
)

const indexEntrySize = 32

// append appends the entry with its CRC.
func (e entry) append(b []byte) []byte {
	n := len(b)
	b = binary.BigEndian.AppendUint64(b, uint64(e.at))
	b = binary.BigEndian.AppendUint64(b, e.seq)
	b = binary.BigEndian.AppendUint64(b, uint64(e.time))
	b = binary.BigEndian.AppendUint32(b, uint32(e.kind))
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[n:]))
}

// parseEntry reads an entry; false: it is not one, as after a power cut.
func parseEntry(b []byte) (entry, bool) {
	if len(b) < indexEntrySize || crc32.ChecksumIEEE(b[:28]) != binary.BigEndian.Uint32(b[28:]) {
		return entry{}, false
	}
	e := entry{
		at:   int64(binary.BigEndian.Uint64(b)),
		seq:  binary.BigEndian.Uint64(b[8:]),
		time: int64(binary.BigEndian.Uint64(b[16:])),
		kind: entryKind(binary.BigEndian.Uint32(b[24:])),
	}
	return e, e.at >= 0 && (e.kind == mark || e.kind == keyframe)
}

// index is the file of entries of a growing part.
type index struct {
	f    *os.File
	wait []byte // entries of tags that are not written yet
}

func createIndex(path string) (*index, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create index: %w", err)
	}
	return &index{f: f}, nil
}

// openIndex opens an index and cuts it before the first entry that is not
// whole or lies behind size bytes of the part. It returns the last one left.
func openIndex(path string, size int64) (*index, entry, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, entry{}, fmt.Errorf("open index: %w", err)
	}
	var last entry
	n := int64(0)
	err = readEntries(f, func(e entry) bool {
		if e.at > size || e.at < last.at {
			return false
		}
		last = e
		n += indexEntrySize
		return true
	})
	if err == nil {
		err = f.Truncate(n)
	}
	if err != nil {
		return nil, entry{}, errors.Join(fmt.Errorf("read index: %w", err), f.Close())
	}
	return &index{f: f}, last, nil
}

// readEntries calls each for the entries up to the first that is not whole, or
// for which each says that it is the last.
func readEntries(r io.Reader, each func(entry) bool) error {
	br := bufio.NewReaderSize(r, 128*indexEntrySize)
	var b [indexEntrySize]byte
	for {
		_, err := io.ReadFull(br, b[:])
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if e, ok := parseEntry(b[:]); !ok || !each(e) {
			return nil
		}
	}
}

// add notes an entry, for flush to write.
func (x *index) add(e entry) { x.wait = e.append(x.wait) }

// flush writes the entries; their tags are written.
func (x *index) flush() error {
	if len(x.wait) == 0 {
		return nil
	}
	_, err := x.f.Write(x.wait)
	x.wait = x.wait[:0]
	if err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	return nil
}

func (x *index) close() error { return x.f.Close() }

// readKeys reads the keyframes of an index, thinned out evenly to less than
// 2*limit so that a recording of any length takes bounded memory. The last
// keyframe is always among them.
func readKeys(path string, limit int) ([]key, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	t := thinner{limit: max(limit, 1), stride: 1}
	err = readEntries(f, func(e entry) bool {
		if e.kind == keyframe {
			t.add(key{e.at, e.time})
		}
		return true
	})
	return t.all(), errors.Join(err, f.Close())
}

// thinner keeps each stride-th key.
type thinner struct {
	limit, stride, n int
	keys             []key
	last             key
}

func (t *thinner) add(k key) {
	if t.n%t.stride == 0 {
		t.keys = append(t.keys, k)
	}
	t.n++
	t.last = k
	if len(t.keys) < 2*t.limit {
		return
	}
	for i := range t.limit {
		t.keys[i] = t.keys[2*i]
	}
	t.keys = t.keys[:t.limit]
	t.stride *= 2
}

func (t *thinner) all() []key {
	if n := len(t.keys); n > 0 && t.keys[n-1] != t.last {
		t.keys = append(t.keys, t.last)
	}
	return t.keys
}
