package flv

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
)

// data is a data message of values.
func data(values ...any) []byte {
	var b []byte
	for _, v := range values {
		b = amf.Append0(b, v)
	}
	return b
}

// obs is what OBS sends, in its order.
var obs = amf.ECMAArray{
	{Name: "duration", Value: 0.0}, {Name: "fileSize", Value: 0.0},
	{Name: "width", Value: 1920.0}, {Name: "height", Value: 1080.0},
	{Name: "videocodecid", Value: 7.0}, {Name: "videodatarate", Value: 2500.0}, {Name: "framerate", Value: 30.0},
	{Name: "audiocodecid", Value: 10.0}, {Name: "audiodatarate", Value: 160.0},
	{Name: "audiosamplerate", Value: 48000.0}, {Name: "audiosamplesize", Value: 16.0},
	{Name: "audiochannels", Value: 2.0}, {Name: "stereo", Value: true},
	{Name: "encoder", Value: "obs-output module (libobs version 29.0.2)"},
}

// metadataCases are data messages, and the properties in them.
var metadataCases = []struct {
	name string
	enc  string
	dec  amf.ECMAArray
	err  error
}{
	{"OBS", string(data(onMetaData, obs)), obs, nil},
	{"an object", string(data(onMetaData, &amf.Object{Props: obs})), obs, nil},
	{"no properties", "\x02\x00\x0AonMetaData\x08\x00\x00\x00\x00\x00\x00\x09", amf.ECMAArray{}, nil},
	{"wrong count of properties", "\x02\x00\x0AonMetaData\x08\x00\x00\x00\x63\x00\x05width\x00\x40\x94\x00\x00\x00\x00\x00\x00\x00\x00\x09",
		amf.ECMAArray{{Name: "width", Value: 1280.0}}, nil},
	{"more behind it", string(data(onMetaData, obs, "more", 1.0)), obs, nil},
	{"another message", string(data("onTextData", obs)), nil, ErrNotMetadata},
	{"not a name", string(data(1.0, obs)), nil, ErrNotMetadata},
	{"a number instead of properties", string(data(onMetaData, 1.0)), nil, ErrNotMetadata},
	{"a list instead of properties", string(data(onMetaData, amf.StrictArray{1.0})), nil, ErrNotMetadata},
	{"nothing", "", nil, amf.ErrShort},
	{"a name only", string(data(onMetaData)), nil, amf.ErrShort},
	{"cut short", string(data(onMetaData, obs))[:50], nil, amf.ErrShort},
	{"too deep", "\x02\x00\x0AonMetaData" + strings.Repeat("\x03\x00\x01a", 100), nil, amf.ErrDepth},
}

func TestParseMetadata(t *testing.T) {
	t.Parallel()
	for _, c := range metadataCases {
		m, err := ParseMetadata([]byte(c.enc), amf.Limits{})
		if !errors.Is(err, c.err) || len(m.Props) != len(c.dec) || len(c.dec) > 0 && !reflect.DeepEqual(m.Props, c.dec) {
			t.Errorf("%s: got %v, %v; want %v, %v", c.name, m.Props, err, c.dec, c.err)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	m := Metadata{obs}
	for name, want := range map[string]float64{"width": 1920, "framerate": 30, "encoder": 0, "absent": 0} {
		if got := m.Number(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func TestAnnounces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		props        amf.ECMAArray
		audio, video bool
	}{
		{"both", obs, true, true},
		{"none", nil, false, false},
		{"audio", amf.ECMAArray{{Name: "audiocodecid", Value: 10.0}}, true, false},
		{"video, by a name", amf.ECMAArray{{Name: "videocodecid", Value: "avc1"}}, false, true},
		{"only sizes", amf.ECMAArray{{Name: "width", Value: 1280.0}}, false, false},
	} {
		if audio, video := (Metadata{c.props}).Announces(); audio != c.audio || video != c.video {
			t.Errorf("%s: audio %t, video %t", c.name, audio, video)
		}
	}
}

// live is what viewers read in a live onMetaData.
func live(t testing.TB, f *media.Frame) amf.ECMAArray {
	t.Helper()
	if f.Kind != media.Data || f.Flags != media.Metadata {
		t.Fatalf("a frame of kind %v, flags %b", f.Kind, f.Flags)
	}
	m, err := ParseMetadata(f.Payload(), amf.Limits{})
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	if _, ok := amf.Lookup(m.Props, "duration"); ok {
		t.Fatal("it has a duration")
	}
	return m.Props
}

func names(props amf.ECMAArray) string {
	var all []string
	for _, p := range props {
		all = append(all, p.Name)
	}
	return strings.Join(all, " ")
}

// Live metadata speaks of a stream, not of a file, and of what is there.
func TestLive(t *testing.T) {
	t.Parallel()
	file := append(amf.ECMAArray{
		{Name: "lasttimestamp", Value: 1.0}, {Name: "lastkeyframetimestamp", Value: 1.0},
		{Name: "filesize", Value: 1.0}, {Name: "canSeekToEnd", Value: true},
		{Name: "keyframes", Value: &amf.Object{Props: []amf.Property{{Name: "times", Value: amf.StrictArray{0.0}}}}},
		{Name: "hasAudio", Value: true}, {Name: "hasVideo", Value: false},
	}, obs...)
	const video = "width height videocodecid videodatarate framerate "
	const audio = "audiocodecid audiodatarate audiosamplerate audiosamplesize audiochannels stereo "
	for _, c := range []struct {
		name         string
		props        amf.ECMAArray
		audio, video bool
		want         string
	}{
		{"both", file, true, true, video + audio + "encoder "},
		{"audio", file, true, false, audio + "encoder "},
		{"video", file, false, true, video + "encoder "},
		{"neither", file, false, false, "encoder "},
		{"from nothing", nil, true, false, ""},
	} {
		got := live(t, Metadata{c.props}.Live(c.audio, c.video))
		if got, want := names(got), c.want+"hasVideo hasAudio"; got != want {
			t.Errorf("%s: got %s, want %s", c.name, got, want)
		}
		if a, _ := amf.Lookup(got, "hasAudio"); a != c.audio {
			t.Errorf("%s: hasAudio is %v", c.name, a)
		}
		if v, _ := amf.Lookup(got, "hasVideo"); v != c.video {
			t.Errorf("%s: hasVideo is %v", c.name, v)
		}
	}
}

// A frame of metadata is sealed like any other, and the publisher's properties
// are not touched.
func TestLiveFrame(t *testing.T) {
	t.Parallel()
	props := append(amf.ECMAArray{}, obs...)
	f := Metadata{props}.Live(true, false)
	f.Seal()
	if !reflect.DeepEqual(props, obs) {
		t.Errorf("the publisher's properties became %v", props)
	}
	if !bytes.HasPrefix(f.Payload(), data(onMetaData)) || !bytes.Contains(f.Tag(), f.Payload()) ||
		!bytes.HasSuffix(f.Chunk(), []byte("\r\n")) || len(f.Tag()) != len(f.Payload())+15 {
		t.Errorf("payload %q, tag %q", f.Payload(), f.Tag())
	}
}

// Huge metadata would be copied for each viewer.
func TestLiveHuge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		size int
		want string
	}{{maxLive - 1000, "big hasVideo hasAudio"}, {maxLive, "hasVideo hasAudio"}} {
		m := Metadata{amf.ECMAArray{{Name: "big", Value: strings.Repeat("x", c.size)}}}
		f := m.Live(true, true)
		if got := names(live(t, f)); got != c.want || len(f.Payload()) > maxLive {
			t.Errorf("%d bytes: got %s, %d bytes", c.size, got, len(f.Payload()))
		}
	}
}

// Whatever a publisher sends as metadata, viewers can read what they get.
func FuzzMetadata(f *testing.F) {
	for _, c := range metadataCases {
		f.Add([]byte(c.enc), true, false)
	}
	f.Fuzz(func(t *testing.T, b []byte, hasAudio, hasVideo bool) {
		m, err := ParseMetadata(b, amf.Limits{Depth: 16, Values: 1000, Bytes: 10_000})
		if err != nil {
			if m.Props != nil {
				t.Fatalf("%v, and %v", err, m.Props)
			}
			return
		}
		m.Announces()
		m.Number("width")
		fr := m.Live(hasAudio, hasVideo)
		fr.Seal()
		got := live(t, fr)
		if a, _ := amf.Lookup(got, "hasAudio"); a != hasAudio {
			t.Fatalf("hasAudio is %v in %v", a, got)
		}
		if len(fr.Payload()) > maxLive {
			t.Fatalf("%d bytes became %d", len(b), len(fr.Payload()))
		}
		// Again for a viewer of one medium: what was read from it is the same.
		again := Metadata{got}.Live(hasAudio, hasVideo)
		if !bytes.Equal(again.Payload(), fr.Payload()) {
			t.Fatalf("%q, then %q", fr.Payload(), again.Payload())
		}
	})
}

func BenchmarkLive(b *testing.B) {
	m := Metadata{obs}
	b.ReportAllocs()
	for b.Loop() {
		m.Live(true, true)
	}
}
