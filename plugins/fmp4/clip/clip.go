// Package clip makes coded streams for tests: ffmpeg encodes them into an MP4,
// and this package takes that apart into frames as a publisher would send
// them. mp4ff reads the MP4, so that the writer under test is not its own
// judge. Nothing but tests imports it.
package clip

import (
	"encoding/binary"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/millrace/millrace/core/media"
)

// Clip is a stream: what ffmpeg wrote, and the frames of it.
type Clip struct {
	// Path is the source MP4.
	Path string
	// Headers are the sequence headers; Frames the media, in the order of
	// their DTS, numbered from 1.
	Headers, Frames []*media.Frame
}

// Make runs ffmpeg with args, which say inputs and codecs, and takes the
// result apart. It skips the test if there is no ffmpeg.
func Make(tb testing.TB, args ...string) *Clip {
	tb.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		tb.Skip("no ffmpeg")
	}
	path := filepath.Join(tb.TempDir(), "source.mp4")
	args = append([]string{"-v", "error", "-nostdin", "-y"}, args...)
	out, err := exec.CommandContext(tb.Context(), "ffmpeg", append(args, "-strict", "-2", path)...).CombinedOutput()
	if err != nil {
		tb.Fatalf("ffmpeg %q: %v\n%s", args, err, out)
	}
	return Read(tb, path)
}

// Read takes a plain MP4 apart.
func Read(tb testing.TB, path string) *Clip {
	tb.Helper()
	f, err := mp4.ReadMP4File(path)
	if err != nil {
		tb.Fatalf("read %s: %v", path, err)
	}
	c := &Clip{Path: path}
	for _, trak := range f.Moov.Traks {
		header, frames := track(tb, f, trak)
		if header != nil {
			c.Headers = append(c.Headers, header)
		}
		c.Frames = append(c.Frames, frames...)
	}
	slices.SortStableFunc(c.Frames, func(a, b *media.Frame) int { return int(a.DTS - b.DTS) })
	for i, f := range c.Frames {
		f.Seq = uint64(i + 1)
	}
	return c
}

// Of returns the frames of one kind.
func (c *Clip) Of(k media.Kind) []*media.Frame {
	var of []*media.Frame
	for _, f := range c.Frames {
		if f.Kind == k {
			of = append(of, f)
		}
	}
	return of
}

// Frame makes a frame without FLV header.
func Frame(kind media.Kind, codec media.FourCC, flags media.Flags, dts int64, cts int32, body []byte) *media.Frame {
	room := media.NewRoom(len(body))
	copy(media.Payload(room), body)
	f := media.NewFrame(kind, room, 0)
	f.Codec, f.Flags, f.DTS, f.CTS = codec, flags, dts, cts
	return f
}

// codecs are names of sample entries and of the boxes with the configuration.
var codecs = map[string]struct {
	kind  media.Kind
	codec media.FourCC
}{
	"avc1": {media.Video, media.AVC}, "hvc1": {media.Video, media.HEVC}, "hev1": {media.Video, media.HEVC},
	"av01": {media.Video, media.AV1}, "vp09": {media.Video, media.VP9}, "Opus": {media.Audio, media.Opus},
	"fLaC": {media.Audio, media.FLAC}, "ac-3": {media.Audio, media.AC3}, "ec-3": {media.Audio, media.EAC3},
	"mp4a": {media.Audio, media.AAC},
}

func track(tb testing.TB, f *mp4.File, trak *mp4.TrakBox) (*media.Frame, []*media.Frame) {
	tb.Helper()
	stbl := trak.Mdia.Minf.Stbl
	entry := stbl.Stsd.Children[0]
	what, ok := codecs[entry.Type()]
	if !ok {
		tb.Fatalf("no codec %q", entry.Type())
	}
	config := configOf(tb, entry)
	codec := what.codec
	if codec == media.AAC && config == nil {
		codec = media.MP3
	}
	var header *media.Frame
	if config != nil {
		header = Frame(what.kind, codec, media.Config, 0, 0, config)
	}
	scale := int64(trak.Mdia.Mdhd.Timescale)
	ms := func(t int64) int64 { return (t*1000 + scale/2) / scale }
	samples, err := trak.GetSampleData(1, stbl.Stsz.SampleNumber)
	if err != nil {
		tb.Fatalf("read samples: %v", err)
	}
	var frames []*media.Frame
	for i, s := range samples {
		ranges, err := trak.GetRangesForSampleInterval(uint32(i+1), uint32(i+1))
		if err != nil {
			tb.Fatalf("find sample: %v", err)
		}
		at := ranges[0].Offset - f.Mdat.PayloadAbsoluteOffset()
		dts, _ := stbl.Stts.GetDecodeTime(uint32(i + 1))
		flags := media.Flags(0)
		if what.kind == media.Video && (stbl.Stss == nil || stbl.Stss.IsSyncSample(uint32(i+1))) {
			flags = media.Keyframe
		}
		from := ms(int64(dts))
		cts := ms(int64(dts)+int64(s.CompositionTimeOffset)) - from
		frames = append(frames, Frame(what.kind, codec, flags, from, int32(cts), f.Mdat.Data[at:at+ranges[0].Size]))
	}
	return header, frames
}

// configOf is the body of a sequence header as Enhanced RTMP has it.
func configOf(tb testing.TB, entry mp4.Box) []byte {
	tb.Helper()
	switch e := entry.(type) {
	case *mp4.VisualSampleEntryBox:
		for _, b := range e.Children {
			switch b.Type() {
			case "avcC", "hvcC", "av1C":
				return raw(tb, b)
			case "vpcC":
				return raw(tb, b)[4:]
			}
		}
	case *mp4.AudioSampleEntryBox:
		switch {
		case e.Esds != nil:
			if e.Esds.DecConfigDescriptor.ObjectType != 0x40 {
				return nil // MP3
			}
			return e.Esds.DecConfigDescriptor.DecSpecificInfo.DecConfig
		case e.DfLa != nil:
			return append([]byte("fLaC"), raw(tb, e.DfLa)[4:]...)
		case e.Dops != nil:
			return opusHead(raw(tb, e.Dops))
		}
	}
	return nil
}

// raw is a box without its header.
func raw(tb testing.TB, b mp4.Box) []byte {
	tb.Helper()
	w := &writer{}
	if err := b.Encode(w); err != nil {
		tb.Fatal(err)
	}
	return w.b[8:]
}

type writer struct{ b []byte }

func (w *writer) Write(b []byte) (int, error) { w.b = append(w.b, b...); return len(b), nil }

// opusHead turns dOps into OpusHead (RFC 7845, 5.1).
func opusHead(d []byte) []byte {
	h := append([]byte("OpusHead"), 1, d[1])
	h = binary.LittleEndian.AppendUint16(h, binary.BigEndian.Uint16(d[2:]))
	h = binary.LittleEndian.AppendUint32(h, binary.BigEndian.Uint32(d[4:]))
	h = binary.LittleEndian.AppendUint16(h, binary.BigEndian.Uint16(d[8:]))
	return append(h, d[10:]...)
}
