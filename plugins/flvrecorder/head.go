package flvrecorder

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/record"
)

const (
	tagHeader  = 11
	tagTrailer = 4
	// numberSize is an AMF0 number's: zeros in units of it are numbers too,
	// for readers that decode all of a script tag.
	numberSize = 9
	// entrySize is that of a keyframe in the seek table: time and position.
	entrySize = 2 * numberSize
	// extraRoom is for what else a finished file's onMetaData has.
	extraRoom = 36 * numberSize
	maxTag    = 1<<24 - 1
)

// liveHead is the head of a growing part: FLV header and onMetaData with room
// behind it.
type liveHead struct {
	audio, video bool
	meta         []byte // payload of an onMetaData without what only a file has
	zeros        int
}

// newLiveHead makes the head for a publisher's onMetaData, nil if there is
// none, with room for a seek table of that many bytes.
func newLiveHead(publisher []byte, audio, video bool, room int64) liveHead {
	h := liveHead{audio: audio, video: video, meta: liveMeta(publisher, audio, video)}
	n := extraRoom + int(room)
	h.zeros = min(n, maxTag-len(h.meta)) / numberSize * numberSize
	return h
}

func liveMeta(publisher []byte, audio, video bool) []byte {
	m, err := flv.ParseMetadata(publisher, amf.Limits{})
	if err != nil {
		m = flv.Metadata{}
	}
	return m.Live(audio, video).Payload()
}

// size is the head's length in bytes, live and final.
func (h *liveHead) size() int64 {
	return int64(flv.FileHeaderSize + tagHeader + len(h.meta) + h.zeros + tagTrailer)
}

func (h *liveHead) bytes() []byte { return appendHead(h.audio, h.video, h.meta, h.zeros) }

// appendHead makes a head of metadata with zeros behind it.
func appendHead(audio, video bool, meta []byte, zeros int) []byte {
	n := len(meta) + zeros
	b := flv.AppendFileHeader(make([]byte, 0, flv.FileHeaderSize+tagHeader+n+tagTrailer), audio, video)
	b = append(b, make([]byte, tagHeader)...)
	media.PutTagHeader(b[flv.FileHeaderSize:], media.Data, n, 0)
	b = append(b, meta...)
	b = append(b, make([]byte, zeros)...)
	return binary.BigEndian.AppendUint32(b, uint32(tagHeader+n))
}

// summary is what a finished part's onMetaData says of it.
type summary struct {
	audio, video bool
	meta         []byte // the publisher's last onMetaData, nil if there was none
	duration     int64  // ms
	size         int64  // bytes
	last         int64  // the last frame's time, ms
	// body is where the sequence headers begin. Players take the first entry
	// of a seek table for that place (flv.js, mpegts.js).
	body int64
	keys []key
}

// key is an entry of the seek table.
type key struct{ at, time int64 } // bytes, ms

// finalHead makes the head of a finished part in the given length. If the
// publisher's last onMetaData does not fit, fallback is used; what does not
// fit of the seek table is thinned out evenly.
func finalHead(s summary, fallback []byte, size int64) ([]byte, error) {
	var err error
	for _, meta := range [][]byte{s.meta, fallback, nil} {
		var b []byte
		if b, err = headWith(s, meta, size); err == nil {
			return b, nil
		}
	}
	return nil, err
}

func headWith(s summary, publisher []byte, size int64) ([]byte, error) {
	m, err := flv.ParseMetadata(liveMeta(publisher, s.audio, s.video), amf.Limits{})
	if err != nil {
		return nil, fmt.Errorf("read own metadata: %w", err)
	}
	room := int(size) - flv.FileHeaderSize - tagHeader - tagTrailer
	spare := room - len(encodeMeta(m.Props, s, nil))
	if spare < 0 {
		return nil, fmt.Errorf("make the head: %d bytes are too few for it", room)
	}
	payload := encodeMeta(m.Props, s, thin(s.keys, spare/entrySize))
	// Nulls of one byte fill up to a multiple of a number's size.
	for (room-len(payload))%numberSize != 0 {
		payload = append(payload, 5)
	}
	return appendHead(s.audio, s.video, payload, room-len(payload)), nil
}

// ownProps are told afresh, besides those that no live onMetaData has.
var ownProps = []string{"hasMetadata", "hasKeyframes"}

func encodeMeta(props amf.ECMAArray, s summary, keys []key) []byte {
	lastKey := 0.0
	if len(s.keys) > 0 {
		lastKey = seconds(s.keys[len(s.keys)-1].time)
	}
	times := amf.StrictArray{0.0}
	positions := amf.StrictArray{float64(s.body)}
	for _, k := range keys {
		times = append(times, seconds(k.time))
		positions = append(positions, float64(k.at))
	}
	props = slices.DeleteFunc(slices.Clone(props), func(p amf.Property) bool { return slices.Contains(ownProps, p.Name) })
	props = append(props,
		amf.Property{Name: "duration", Value: seconds(s.duration)},
		amf.Property{Name: "filesize", Value: float64(s.size)},
		amf.Property{Name: "lasttimestamp", Value: seconds(s.last)},
		amf.Property{Name: "lastkeyframetimestamp", Value: lastKey},
		amf.Property{Name: "hasMetadata", Value: true},
		amf.Property{Name: "hasKeyframes", Value: len(s.keys) > 0},
		amf.Property{Name: "keyframes", Value: &amf.Object{Props: []amf.Property{
			{Name: "filepositions", Value: positions}, {Name: "times", Value: times},
		}}})
	return amf.Append0(amf.Append0(nil, "onMetaData"), props)
}

func seconds(ms int64) float64 { return float64(ms) / 1000 }

// thin leaves at most n keys, evenly.
func thin(keys []key, n int) []key {
	if len(keys) <= n {
		return keys
	}
	out := make([]key, n)
	for i := range out {
		out[i] = keys[i*len(keys)/n]
	}
	return out
}

// Extra is what manifests had of parts before a part had its own; it is still
// read.
type Extra struct {
	Heads []Head `json:"heads"`
}

// Head is the beginning of a part while it grew, in the manifest as the part's
// own from the moment on that the finished part has another: the version "live"
// is Head, then Zeros zero bytes, then Tail, then the file from there on.
type Head struct {
	File  string `json:"file"`
	Size  int64  `json:"size"` // of all three, in bytes
	Head  []byte `json:"head"`
	Zeros int    `json:"zeros"`
	Tail  []byte `json:"tail"`
}

// extraKey is that of [Extra] in a manifest.
const extraKey = "flv"

// LiveHead is the head that a finished part had while it grew, nil if the
// manifest has none, and so the bytes never changed.
func LiveHead(m *record.Manifest, file string) ([]byte, error) {
	var e Extra
	if raw, ok := m.Extra[extraKey]; ok {
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, fmt.Errorf("read the manifest's heads: %w", err)
		}
	}
	for _, h := range e.Heads {
		if h.File == file {
			return h.bytes()
		}
	}
	p := m.Part(file)
	if p == nil || p.Own == nil {
		return nil, nil
	}
	h := Head{File: file}
	if err := json.Unmarshal(p.Own, &h); err != nil {
		return nil, fmt.Errorf("read the old head of %s: %w", file, err)
	}
	return h.bytes()
}

func (h *Head) bytes() ([]byte, error) {
	if h.Zeros < 0 || h.Zeros > maxTag || int64(len(h.Head)+h.Zeros+len(h.Tail)) != h.Size {
		return nil, fmt.Errorf("read the old head of %s: its sizes do not agree", h.File)
	}
	b := append(make([]byte, 0, h.Size), h.Head...)
	b = append(b, make([]byte, h.Zeros)...)
	return append(b, h.Tail...), nil
}

// keepHead notes in a part the head that it has while it grows, once.
func keepHead(p *record.Part, b []byte) error {
	if p.Own != nil {
		return nil
	}
	tail := len(b) - tagTrailer
	text := len(bytes.TrimRight(b[:tail], "\x00"))
	raw, err := json.Marshal(Head{File: p.File, Size: int64(len(b)), Head: b[:text], Zeros: tail - text, Tail: b[tail:]})
	if err != nil {
		return fmt.Errorf("write the old head of %s: %w", p.File, err)
	}
	p.Own = raw
	return nil
}
