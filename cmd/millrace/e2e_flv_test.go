package main_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
)

// Types of tags and of RTMP messages.
const (
	audioTag  = 8
	videoTag  = 9
	scriptTag = 18
)

// tag is an FLV tag or the RTMP message of the same content.
type tag struct {
	kind byte
	ts   uint32 // ms, as on the wire
	body []byte
}

// isConfig tells a sequence header of AVC or AAC.
func (g tag) isConfig() bool {
	switch {
	case len(g.body) < 2:
		return false
	case g.kind == videoTag:
		return g.body[0]&0x0F == 7 && g.body[1] == 0
	case g.kind == audioTag:
		return g.body[0]>>4 == 10 && g.body[1] == 0
	}
	return false
}

// isMedia tells a coded frame: not metadata, no header, no end of sequence.
func (g tag) isMedia() bool {
	if g.kind == scriptTag || len(g.body) < 2 || g.isConfig() {
		return false
	}
	return g.kind == audioTag || g.body[0]&0x0F != 7 || g.body[1] == 1
}

func (g tag) isKeyframe() bool { return g.kind == videoTag && g.isMedia() && g.body[0]>>4 == 1 }

func (g tag) isVideo() bool { return g.kind == videoTag && g.isMedia() }

func (g tag) isAudio() bool { return g.kind == audioTag && g.isMedia() }

// metadata returns the object of an onMetaData tag.
func (g tag) metadata() (amfObject, bool) {
	if g.kind != scriptTag {
		return nil, false
	}
	values, err := amfDecode(g.body)
	if err != nil || len(values) < 2 || values[0] != "onMetaData" {
		return nil, false
	}
	object, ok := values[1].(amfObject)
	return object, ok
}

// flvReader reads FLV strictly: each reserved bit, each back pointer.
type flvReader struct {
	r     io.Reader
	flags byte // of the header
	begun bool
	last  uint32 // size of the tag before
}

var errFLV = errors.New("bad FLV")

// next returns the next tag, or io.EOF when the input ends between two tags.
func (f *flvReader) next() (tag, error) {
	if err := f.header(); err != nil {
		return tag{}, err
	}
	var head [15]byte // back pointer, tag header
	if _, err := io.ReadFull(f.r, head[:4]); err != nil {
		return tag{}, cutShort(err)
	}
	if back := binary.BigEndian.Uint32(head[:]); back != f.last {
		return tag{}, fmt.Errorf("%w: back pointer %d after a tag of %d bytes", errFLV, back, f.last)
	}
	if _, err := io.ReadFull(f.r, head[4:]); err != nil {
		return tag{}, err
	}
	return f.tagAfter(head[4:])
}

func (f *flvReader) header() error {
	if f.begun {
		return nil
	}
	var head [9]byte
	if _, err := io.ReadFull(f.r, head[:]); err != nil {
		return cutShort(err)
	}
	if string(head[:4]) != "FLV\x01" || head[4]&^5 != 0 || binary.BigEndian.Uint32(head[5:]) != 9 {
		return fmt.Errorf("%w: header % x", errFLV, head)
	}
	f.begun, f.flags = true, head[4]
	return nil
}

func (f *flvReader) tagAfter(head []byte) (tag, error) {
	size := int(head[1])<<16 | int(head[2])<<8 | int(head[3])
	g := tag{kind: head[0], ts: uint32(head[7])<<24 | uint32(head[4])<<16 | uint32(head[5])<<8 | uint32(head[6])}
	if known := g.kind == audioTag || g.kind == videoTag || g.kind == scriptTag; !known || !bytes.Equal(head[8:11], []byte{0, 0, 0}) {
		return tag{}, fmt.Errorf("%w: tag header % x", errFLV, head)
	}
	g.body = make([]byte, size)
	if _, err := io.ReadFull(f.r, g.body); err != nil {
		return tag{}, cutShort(err)
	}
	f.last = uint32(size + 11)
	return g, nil
}

// cutShort makes an end inside of something io.ErrUnexpectedEOF.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readFLV returns all tags of a file, which must end with a whole tag and its
// back pointer.
func readFLV(t *testing.T, file string) []tag {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tags, err := parseFLV(data)
	if err != nil {
		t.Fatalf("%s: %v after %d tags", file, err, len(tags))
	}
	return tags
}

func parseFLV(data []byte) ([]tag, error) {
	f := &flvReader{r: bytes.NewReader(data)}
	var tags []tag
	for {
		g, err := f.next()
		if errors.Is(err, io.EOF) {
			return tags, nil
		}
		if err != nil {
			return tags, err
		}
		tags = append(tags, g)
	}
}

// writeFLV makes a file that ffmpeg reads from tags.
func writeFLV(t *testing.T, file string, tags []tag) {
	t.Helper()
	out := []byte("FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00")
	for _, g := range tags {
		n := len(g.body)
		out = append(out, g.kind, byte(n>>16), byte(n>>8), byte(n),
			byte(g.ts>>16), byte(g.ts>>8), byte(g.ts), byte(g.ts>>24), 0, 0, 0)
		out = append(out, g.body...)
		out = binary.BigEndian.AppendUint32(out, uint32(n+11))
	}
	if err := os.WriteFile(file, out, 0o644); err != nil {
		t.Fatal(err)
	}
}
