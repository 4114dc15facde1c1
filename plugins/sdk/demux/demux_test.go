package demux

import (
	"errors"
	"reflect"
	"testing"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
)

// tag is a tag with its PreviousTagSize.
func tag(kind media.Kind, ts uint32, data ...byte) []byte {
	room := media.NewRoom(len(data))
	copy(media.Payload(room), data)
	f := media.NewFrame(kind, room, 0)
	f.DTS = int64(ts)
	f.Seal()
	return f.Tag()
}

func script(name string, props ...amf.Property) []byte {
	return tag(media.Data, 0, amf.Append0(amf.Append0(nil, name), amf.ECMAArray(props))...)
}

func sequence(session string, seq float64) []byte {
	return script("onSequence", amf.Property{Name: "session", Value: session}, amf.Property{Name: "seq", Value: seq})
}

func gap(from, to float64) []byte {
	return script("onGap", amf.Property{Name: "from", Value: from}, amf.Property{Name: "to", Value: to}, amf.Property{Name: "reason", Value: "lag"})
}

func join(parts ...[]byte) []byte {
	b := flv.AppendFileHeader(nil, true, true)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

var (
	avcConfig = tag(media.Video, 99, 0x17, 0, 0, 0, 0, 1, 2)
	avcKey    = tag(media.Video, 1000, 0x17, 1, 0, 0, 40, 9)
	avcInter  = tag(media.Video, 1040, 0x27, 1, 0, 0, 0, 9)
	aacFrame  = tag(media.Audio, 1020, 0xAF, 1, 7)
	metadata  = script("onMetaData")
	// OneTrack messages of track 1 (Enhanced RTMP v2).
	second = tag(media.Video, 1040, 0x80|1<<4|6, 0<<4|3, 'a', 'v', 'c', '1', 1, 9)
)

// seen is what of a unit tests compare.
type seen struct {
	Type     Type
	Seq      uint64
	Session  string
	From, To uint64
	Reason   string
	Kind     media.Kind
	Flags    media.Flags
	DTS      int64
	CTS      int32
	Track    uint8
}

func look(u Unit) seen {
	s := seen{Type: u.Type, Seq: u.Seq, Session: u.Session, From: u.From, To: u.To, Reason: u.Reason}
	if f := u.Frame; f != nil {
		s.Kind, s.Flags, s.DTS, s.CTS, s.Track = f.Kind, f.Flags, f.DTS, f.CTS, f.Track
	}
	return s
}

var tests = []struct {
	name string
	dec  []seen
	err  error
	enc  []byte
}{
	{name: "empty", enc: nil},
	{name: "header only", enc: join()},
	{name: "no FLV", err: ErrNotFLV, enc: []byte("HTTP/1.1 404 Not Found")},
	{name: "greeting and frames",
		enc: join(metadata, avcConfig, sequence("S", 7), avcKey, aacFrame, avcInter),
		dec: []seen{
			{Type: Header, Kind: media.Data, Flags: media.Metadata},
			{Type: Header, Kind: media.Video, Flags: media.Config},
			{Type: Position, Seq: 7, Session: "S"},
			{Type: Frame, Seq: 7, Kind: media.Video, Flags: media.Keyframe, DTS: 1000, CTS: 40},
			{Type: Frame, Seq: 8, Kind: media.Audio, DTS: 1020},
			{Type: Frame, Seq: 9, Kind: media.Video, DTS: 1040},
		}},
	{name: "gap, and headers that count",
		enc: join(sequence("S", 1), avcKey, gap(2, 10), avcConfig, metadata, avcKey),
		dec: []seen{
			{Type: Position, Seq: 1, Session: "S"},
			{Type: Frame, Seq: 1, Kind: media.Video, Flags: media.Keyframe, DTS: 1000, CTS: 40},
			{Type: Gap, From: 2, To: 10, Reason: "lag"},
			{Type: Frame, Seq: 10, Kind: media.Video, Flags: media.Config, DTS: 99},
			{Type: Frame, Seq: 11, Kind: media.Data, Flags: media.Metadata},
			{Type: Frame, Seq: 12, Kind: media.Video, Flags: media.Keyframe, DTS: 1000, CTS: 40},
		}},
	{name: "what cannot be read counts",
		enc: join(sequence("S", 1), tag(media.Video, 0), tag(media.Data, 0), tag(15, 0, 1), tag(media.Data, 0, 0xFF), aacFrame),
		dec: []seen{
			{Type: Position, Seq: 1, Session: "S"},
			{Type: Skipped, Seq: 1}, {Type: Skipped, Seq: 2}, {Type: Skipped, Seq: 3},
			{Type: Frame, Seq: 4, Kind: media.Data},
			{Type: Frame, Seq: 5, Kind: media.Audio, DTS: 1020},
		}},
	{name: "other tracks are marked",
		enc: join(avcConfig, sequence("S", 1), avcKey, second),
		dec: []seen{
			{Type: Header, Kind: media.Video, Flags: media.Config},
			{Type: Position, Seq: 1, Session: "S"},
			{Type: Frame, Seq: 1, Kind: media.Video, Flags: media.Keyframe, DTS: 1000, CTS: 40},
			{Type: Frame, Seq: 2, Kind: media.Video, Flags: media.Keyframe | media.Other, DTS: 1040, Track: 1},
		}},
	{name: "time wraps",
		enc: join(sequence("S", 1), tag(media.Audio, 0xFFFFFFF0, 0xAF, 1, 7), tag(media.Audio, 0x10, 0xAF, 1, 7), tag(media.Audio, 0xFFFFFFF8, 0xAF, 1, 7)),
		dec: []seen{
			{Type: Position, Seq: 1, Session: "S"},
			{Type: Frame, Seq: 1, Kind: media.Audio, DTS: 0xFFFFFFF0},
			{Type: Frame, Seq: 2, Kind: media.Audio, DTS: 0x100000010},
			{Type: Frame, Seq: 3, Kind: media.Audio, DTS: 0xFFFFFFF8},
		}},
	{name: "a position without a number", err: ErrScript, enc: join(script("onSequence", amf.Property{Name: "session", Value: "S"}))},
	{name: "a position that is no whole number", err: ErrScript, enc: join(sequence("S", 1.5))},
	{name: "a position cut short", err: ErrScript, enc: join(tag(media.Data, 0, amf.Append0(nil, "onSequence")...))},
	{name: "a gap backwards", err: ErrScript, enc: join(gap(5, 4))},
	{name: "a gap cut short", err: ErrScript, enc: join(tag(media.Data, 0, amf.Append0(nil, "onGap")...))},
}

// decode feeds b in pieces of n bytes.
func decode(b []byte, n int) (units []seen, err error) {
	var d Decoder
	var have []byte
	for {
		u, took, err := d.Next(have)
		switch {
		case errors.Is(err, ErrShort) && len(b) == 0:
			return units, nil
		case errors.Is(err, ErrShort):
			n := min(n, len(b))
			have, b = append(have, b[:n]...), b[n:]
			continue
		case err != nil:
			return units, err
		}
		have = have[took:]
		if u.Type != 0 {
			units = append(units, look(u))
		}
	}
}

func TestDecoder(t *testing.T) {
	t.Parallel()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, n := range []int{1, 7, 1 << 20} {
				got, err := decode(tt.enc, n)
				if !errors.Is(err, tt.err) || !reflect.DeepEqual(got, tt.dec) {
					t.Errorf("in pieces of %d: %v\ngot  %+v\nwant %+v", n, err, got, tt.dec)
				}
			}
		})
	}
}

func TestAfterGoesOn(t *testing.T) {
	t.Parallel()
	var d Decoder
	d.After(3<<32 + 5)
	b := join(sequence("S", 1), tag(media.Audio, 100, 0xAF, 1, 7))
	for {
		u, n, err := d.Next(b)
		if err != nil {
			t.Fatal(err)
		}
		b = b[n:]
		if u.Type == Frame {
			if u.Frame.DTS != 3<<32+100 {
				t.Errorf("DTS is %d", u.Frame.DTS)
			}
			if last, ok := d.DTS(); !ok || last != u.Frame.DTS {
				t.Errorf("last DTS is %d", last)
			}
			return
		}
	}
}

// The frames do not refer to the bytes that they came in.
func TestFramesAreCopies(t *testing.T) {
	t.Parallel()
	b := join(sequence("S", 1), avcKey)
	d := NewFile()
	for {
		u, n, err := d.Next(b)
		if err != nil {
			t.Fatal(err)
		}
		clear(b[:n])
		b = b[n:]
		if u.Type == Frame {
			if body := u.Frame.Body(); len(body) != 1 || body[0] != 9 {
				t.Errorf("body is %v", body)
			}
			return
		}
	}
}

func FuzzDecoder(f *testing.F) {
	for _, tt := range tests {
		f.Add(tt.enc)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, err := decode(b, len(b)+1)
		slow, err2 := decode(b, 1)
		if !reflect.DeepEqual(whole, slow) || (err == nil) != (err2 == nil) {
			t.Errorf("at once %+v, %v; byte by byte %+v, %v", whole, err, slow, err2)
		}
	})
}

func BenchmarkDecoder(b *testing.B) {
	frame := tag(media.Video, 1000, append([]byte{0x27, 1, 0, 0, 0}, make([]byte, 10_000)...)...)
	d := NewFile()
	if _, _, err := d.Next(join()); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := d.Next(frame); err != nil {
			b.Fatal(err)
		}
	}
}
