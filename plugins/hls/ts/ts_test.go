package ts

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts/codecs"
)

// unit is an access unit as it went in or came out.
type unit struct {
	pts, dts int64
	data     []byte
}

// read takes a transport stream apart with mediacommon.
func read(t *testing.T, b []byte) (video, audio []unit) {
	t.Helper()
	r := &mpegts.Reader{R: bytes.NewReader(b)}
	if err := r.Initialize(); err != nil {
		t.Fatal(err)
	}
	r.OnDecodeError(func(err error) { t.Error(err) })
	for _, track := range r.Tracks() {
		switch track.Codec.(type) {
		case *codecs.H264:
			r.OnDataH264(track, func(pts, dts int64, au [][]byte) error {
				video = append(video, unit{pts, dts, bytes.Join(au, []byte("|"))})
				return nil
			})
		case *codecs.MPEG4Audio:
			r.OnDataMPEG4Audio(track, func(pts int64, aus [][]byte) error {
				audio = append(audio, unit{pts, pts, aus[0]})
				return nil
			})
		default:
			t.Errorf("track %T", track.Codec)
		}
	}
	for {
		if err := r.Read(); errors.Is(err, io.EOF) {
			return video, audio
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// nalu is n bytes that are no start code.
func nalu(n int) []byte {
	b := bytes.Repeat([]byte{0x41, 0x9A, 0x11}, n/3+1)
	return b[:n]
}

// Units of every length around those of packets come back as they went in.
func TestMux(t *testing.T) {
	t.Parallel()
	for _, base := range []int64{0, 1 << 31, 1<<33 - 300000} {
		m := Muxer{Video: H264, Audio: ADTS}
		aac, err := ParseAAC([]byte{0x12, 0x10})
		if err != nil {
			t.Fatal(err)
		}
		b := m.AppendTables(nil)
		var wantVideo, wantAudio []unit
		for n := 1; n < 800; n++ {
			dts := base + int64(n)*3000
			v := unit{(dts + 6000*int64(n%3)), dts, nalu(n)}
			b = m.AppendVideo(b, PES{PTS: v.pts, DTS: v.dts, Random: n%50 == 1,
				Data: [][]byte{delimiter, startCode, v.data[:n/2], v.data[n/2:]}})
			wantVideo = append(wantVideo, v)
			a := unit{dts, dts, nalu(n + 5)}
			h := aac.Frame(len(a.data))
			b = m.AppendAudio(b, PES{PTS: dts, DTS: dts, Random: true, Data: [][]byte{h[:], a.data}})
			wantAudio = append(wantAudio, a)
		}
		checkPackets(t, b)
		video, audio := read(t, b)
		compare(t, "video", video, wantVideo)
		compare(t, "audio", audio, wantAudio)
	}
}

func compare(t *testing.T, what string, got, want []unit) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d units of %s, want %d", len(got), what, len(want))
	}
	for i, w := range want {
		g := got[i]
		if (g.pts-w.pts)&mask33 != 0 || (g.dts-w.dts)&mask33 != 0 || !bytes.Equal(g.data, w.data) {
			t.Fatalf("%s %d: pts %d dts %d, %d bytes; want %d %d, %d", what, i, g.pts, g.dts, len(g.data), w.pts, w.dts, len(w.data))
		}
	}
}

// checkPackets checks what the oracle forgives: whole packets, counters
// without a jump, adaptation fields within their packets, clock references
// before the media.
func checkPackets(t *testing.T, b []byte) {
	t.Helper()
	if len(b)%PacketSize != 0 {
		t.Fatalf("%d bytes", len(b))
	}
	counters := map[int]byte{}
	for at := 0; at < len(b); at += PacketSize {
		p := b[at : at+PacketSize]
		pid := int(p[1]&0x1F)<<8 | int(p[2])
		if last, seen := counters[pid]; p[0] != 0x47 || seen && p[3]&15 != (last+1)&15 {
			t.Fatalf("packet %d of %#x: % x", at/PacketSize, pid, p[:6])
		}
		counters[pid] = p[3] & 15
		if p[3]&0x20 != 0 && p[4] > 183 {
			t.Fatalf("packet %d of %#x: adaptation field of %d bytes", at/PacketSize, pid, p[4])
		}
	}
}

// A stream goes on in another muxer as if in the same.
func TestCounters(t *testing.T) {
	t.Parallel()
	one := Muxer{Video: H264}
	var want, got []byte
	for i := range 20 {
		p := PES{DTS: int64(i) * 3000, PTS: int64(i) * 3000, Data: [][]byte{nalu(500)}}
		want = one.AppendVideo(one.AppendTables(want), p)
	}
	var counters Counters
	for i := range 20 {
		p := PES{DTS: int64(i) * 3000, PTS: int64(i) * 3000, Data: [][]byte{nalu(500)}}
		m := Muxer{Video: H264, Counters: counters}
		got = m.AppendVideo(m.AppendTables(got), p)
		counters = m.Counters
	}
	if !bytes.Equal(got, want) {
		t.Error("the packets differ")
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for n := range 2000 {
		m := Muxer{Video: H264}
		got := len(m.AppendVideo(nil, PES{PTS: 1, Random: true, Data: [][]byte{make([]byte, n)}}))
		if got > Size(n) || got < n {
			t.Fatalf("%d bytes take %d, at most %d expected", n, got, Size(n))
		}
	}
}

var avcCases = []struct {
	name string
	dec  []byte
	sets [][]byte
	err  bool
}{
	{"one of each", []byte{1, 100, 0, 30, 0xFF, 0xE1, 0, 2, 0x67, 1, 1, 0, 1, 0x68}, [][]byte{{0x67, 1}, {0x68}}, false},
	{"none", []byte{1, 100, 0, 30, 0xFF, 0xE0, 0}, nil, false},
	{"two PPS", []byte{1, 100, 0, 30, 0xFF, 0xE1, 0, 1, 0x67, 2, 0, 1, 0x68, 0, 1, 0x68}, [][]byte{{0x67}, {0x68}, {0x68}}, false},
	{"empty", nil, nil, true},
	{"version 2", []byte{2, 100, 0, 30, 0xFF, 0xE0, 0}, nil, true},
	{"cut in the SPS", []byte{1, 100, 0, 30, 0xFF, 0xE1, 0, 9, 0x67}, nil, true},
	{"cut before the PPS", []byte{1, 100, 0, 30, 0xFF, 0xE1, 0, 1, 0x67}, nil, true},
	{"cut in the PPS", []byte{1, 100, 0, 30, 0xFF, 0xE0, 1, 0}, nil, true},
}

func TestParseAVC(t *testing.T) {
	t.Parallel()
	for _, c := range avcCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, err := ParseAVC(c.dec)
			if (err != nil) != c.err {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			var want [][]byte
			for _, s := range c.sets {
				want = append(want, startCode, s)
			}
			if got := bytes.Join(a.sets, nil); !bytes.Equal(got, bytes.Join(want, nil)) {
				t.Errorf("% x", got)
			}
		})
	}
}

func TestAccessUnit(t *testing.T) {
	t.Parallel()
	a := &AVC{lengthSize: 4, sets: [][]byte{startCode, {0x67}}}
	for _, c := range []struct {
		name string
		in   []byte
		key  bool
		want string
	}{
		{"inter", []byte{0, 0, 0, 2, 0x41, 1}, false, "\x00\x00\x00\x01\x09\xF0\x00\x00\x00\x01\x41\x01"},
		{"key", []byte{0, 0, 0, 2, 0x65, 1}, true, "\x00\x00\x00\x01\x09\xF0\x00\x00\x00\x01\x67\x00\x00\x00\x01\x65\x01"},
		{"its own delimiter", []byte{0, 0, 0, 2, 9, 0x10, 0, 0, 0, 1, 0x41}, false, "\x00\x00\x00\x01\x09\xF0\x00\x00\x00\x01\x41"},
		{"an empty unit", []byte{0, 0, 0, 0, 0, 0, 0, 1, 0x41}, false, "\x00\x00\x00\x01\x09\xF0\x00\x00\x00\x01\x41"},
		{"cut off", []byte{0, 0, 0, 9, 0x41, 2}, false, "\x00\x00\x00\x01\x09\xF0\x00\x00\x00\x01\x41\x02"},
		{"nothing", []byte{0, 0}, false, "\x00\x00\x00\x01\x09\xF0"},
	} {
		if got := bytes.Join(a.AppendAccessUnit(nil, c.in, c.key), nil); string(got) != c.want {
			t.Errorf("%s: % x", c.name, got)
		}
	}
}

var aacCases = []struct {
	name string
	dec  []byte
	enc  string // header of a frame of 100 bytes; "": an error
}{
	{"LC 44100 stereo", []byte{0x12, 0x10}, "\xFF\xF1\x50\x80\x0D\x7F\xFC"},
	{"LC 48000 mono", []byte{0x11, 0x88}, "\xFF\xF1\x4C\x40\x0D\x7F\xFC"},
	{"HE 24000/48000 stereo", []byte{0x2B, 0x11, 0x88, 0x00}, "\xFF\xF1\x58\x80\x0D\x7F\xFC"},
	{"LC, 44100 spelt out", []byte{0x17, 0x80, 0x56, 0x22, 0x10}, "\xFF\xF1\x50\x80\x0D\x7F\xFC"},
	{"empty", nil, ""},
	{"short", []byte{0x12}, ""},
	{"reserved rate", []byte{0x16, 0x90}, ""},
}

func TestParseAAC(t *testing.T) {
	t.Parallel()
	for _, c := range aacCases {
		a, err := ParseAAC(c.dec)
		if (err != nil) != (c.enc == "") {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil {
			continue
		}
		if h := a.Frame(100); string(h[:]) != c.enc {
			t.Errorf("%s: % x, want % x", c.name, h, c.enc)
		}
	}
}

func TestMPEGAudio(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Type{"\xFF\xFB": MPEG1, "\xFF\xF3": MPEG2, "\xFF\xE3": MPEG2, "": MPEG1} {
		if got := MPEGAudio([]byte(in)); got != want {
			t.Errorf("% x is %#x", in, got)
		}
	}
}

func FuzzAVC(f *testing.F) {
	for _, c := range avcCases {
		f.Add(c.dec, []byte{0, 0, 0, 2, 0x41, 1})
	}
	f.Fuzz(func(t *testing.T, config, unit []byte) {
		a, err := ParseAVC(config)
		if err != nil {
			return
		}
		m := Muxer{Video: H264}
		b := m.AppendVideo(nil, PES{Data: a.AppendAccessUnit(nil, unit, true)})
		if len(b)%PacketSize != 0 {
			t.Errorf("%d bytes", len(b))
		}
	})
}

func FuzzAAC(f *testing.F) {
	for _, c := range aacCases {
		f.Add(c.dec)
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		if a, err := ParseAAC(config); err == nil && a.Frame(1)[2]>>2&15 > 12 {
			t.Errorf("% x: sample rate index %d", config, a.Frame(1)[2]>>2&15)
		}
	})
}

// BenchmarkVideo is 5 Mbit/s at 60 frames a second.
func BenchmarkVideo(b *testing.B) {
	a := &AVC{lengthSize: 4}
	m := Muxer{Video: H264}
	frame := append([]byte{0, 0, 0x27, 0x0C}, nalu(9996)...)
	dst, pieces := make([]byte, 0, 1<<20), [][]byte(nil)
	b.SetBytes(10000)
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		if len(dst) > 1<<19 {
			dst = dst[:0]
		}
		pieces = a.AppendAccessUnit(pieces[:0], frame, false)
		dst = m.AppendVideo(dst, PES{PTS: i * 1500, DTS: i * 1500, Data: pieces})
	}
}

// BenchmarkAudio is 128 kbit/s.
func BenchmarkAudio(b *testing.B) {
	aac, _ := ParseAAC([]byte{0x12, 0x10})
	m := Muxer{Audio: ADTS}
	frame := nalu(340)
	dst, pieces := make([]byte, 0, 1<<20), make([][]byte, 2)
	b.SetBytes(340)
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		if len(dst) > 1<<19 {
			dst = dst[:0]
		}
		h := aac.Frame(len(frame))
		pieces[0], pieces[1] = h[:], frame
		dst = m.AppendAudio(dst, PES{PTS: i * 1920, DTS: i * 1920, Random: true, Data: pieces})
	}
}
