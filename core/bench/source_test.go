package bench

import (
	"bytes"
	"encoding/hex"
	"math"
	"testing"
	"time"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
)

func TestBitWriter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		fields []field
		want   string
	}{
		{"nothing", nil, "80"},
		{"ue 0", []field{{0, 0}}, "c0"},
		{"ue 1 and 2", []field{{0, 1}, {0, 2}}, "4e"},        // 010 011 1
		{"ue 255", []field{{0, 255}}, "008040"},              // 00000000 1 00000000 1 → 9 + 8 bits
		{"u over bytes", []field{{4, 5}, {8, 0xFF}}, "5ff8"}, // 0101 11111111 1
		{"grey macroblock", greyBlock, "2780"},               // 00100 1 1 1
		{"PPS", pps, "ce3880"},                               // as x264 writes it
		{"a whole byte", []field{{8, 1}, {1, 0}, {7, 5}}, "010580"},
	}
	for _, tt := range tests {
		if got := hex.EncodeToString(rbsp(tt.fields)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestNAL(t *testing.T) {
	t.Parallel()
	tests := []struct{ payload, want string }{
		{"", "65"},
		{"0102", "650102"},
		{"000000", "6500000300"},
		{"00000001", "650000030001"},
		{"000003", "6500000303"},
		{"000004", "65000004"},
		{"0000000000", "65000003000003" + "00"},
	}
	for _, tt := range tests {
		payload, _ := hex.DecodeString(tt.payload)
		if got := hex.EncodeToString(nal(nalIDR, payload)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.payload, got, tt.want)
		}
	}
}

func TestStamp(t *testing.T) {
	t.Parallel()
	for _, c := range stampCases() {
		got, ok := findStamp(c.data)
		if ok != c.found || ok && (!got.at.Equal(c.stamp.at) || got.number != c.stamp.number) {
			t.Errorf("%s: %v %v, want %v", c.name, got, ok, c.stamp)
		}
	}
}

type stampCase struct {
	name  string
	data  []byte
	stamp stamp
	found bool
}

func stampCases() []stampCase {
	s := stamp{at: time.Unix(1_700_000_000, 123_456_789), number: math.MaxUint64}
	stamped := func(b []byte) []byte {
		b = bytes.Clone(b)
		putStamp(b[bytes.Index(b, stampID[:]):], s)
		return b
	}
	bad := emptyStamp()
	bad[20] = 'x'
	return []stampCase{
		{"keyframe", stamped(avcFrame(true, 0, 5000)), s, true},
		{"picture", stamped(avcFrame(false, 3, 500)), s, true},
		{"audio", stamped(aacFrame(180)), s, true},
		{"nothing", nil, stamp{}, false},
		{"not stamped", make([]byte, 1000), stamp{}, false},
		{"cut", stamped(aacFrame(180))[:4+stampSize-1], stamp{}, false},
		{"no digit", bad, stamp{}, false},
		{"too far in", append(make([]byte, stampWithin), emptyStamp()...), stamp{}, false},
	}
}

func FuzzFindStamp(f *testing.F) {
	for _, c := range stampCases() {
		f.Add(c.data)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := findStamp(b); ok {
			again := emptyStamp()
			putStamp(again, s)
			if !bytes.Contains(b, again) {
				t.Errorf("%v is not in %x", s, b)
			}
		}
	})
}

func TestFrameSizes(t *testing.T) {
	t.Parallel()
	for size := 0; size < 2000; size += 7 {
		for _, key := range []bool{false, true} {
			if got := len(avcFrame(key, 1, size)); got != size && got > size+6 && size > 500 {
				t.Errorf("picture of %d bytes: %d", size, got)
			}
		}
		if got := len(aacFrame(size)); size >= 58 && size < 500 && got != size {
			t.Errorf("audio of %d bytes: %d", size, got)
		}
	}
}

// TestSource counts a stream's tags and bytes.
func TestSource(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		shape Shape
	}{
		{"default", Shape{}},
		{"no audio", Shape{NoAudio: true, FPS: 30}},
		{"high", Shape{Bitrate: 8_000_000, FPS: 59.94, GOP: time.Second}},
		{"low", Shape{Bitrate: 100_000, FPS: 10}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := source{frames: newFrames(tt.shape)}
			const seconds = 60
			bytes, tags := measure(t, &s, seconds*time.Second)
			shape := tt.shape.withDefaults()
			if got := float64(bytes) * 8 / seconds / float64(shape.Bitrate); math.Abs(got-1) > 0.03 {
				t.Errorf("bitrate is %.3f of what was asked", got)
			}
			if got := float64(tags) / seconds / shape.TagRate(); math.Abs(got-1) > 0.01 {
				t.Errorf("rate of tags is %.3f of what was asked", got)
			}
		})
	}
}

// measure takes the tags of a while, and checks them.
func measure(t *testing.T, s *source, d time.Duration) (bytes, tags int) {
	t.Helper()
	last := map[media.Kind]uint32{}
	numbers := map[media.Kind]uint64{}
	for s.due() < d {
		tag := s.next(time.Unix(int64(tags), 0))
		h, err := flv.ParseHeader(tag.kind, tag.data)
		if err != nil || h.Flags&media.Config != 0 || !isFrame(tag) {
			t.Fatalf("tag %d: %+v %v", tags, h, err)
		}
		key := tag.kind == media.Video && h.Flags&media.Keyframe != 0
		if key != (tag.kind == media.Video && numbers[tag.kind]%uint64(s.pictures) == 0) {
			t.Fatalf("tag %d: keyframe %v", tags, key)
		}
		stamp, ok := findStamp(tag.data)
		if !ok || stamp.number != numbers[tag.kind] || stamp.at.Unix() != int64(tags) || tag.timestamp < last[tag.kind] {
			t.Fatalf("tag %d: %+v %+v", tags, tag, stamp)
		}
		numbers[tag.kind]++
		last[tag.kind] = tag.timestamp
		bytes += len(tag.data)
		tags++
	}
	return bytes, tags
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	tags := newFrames(Shape{}).headers()
	m, err := flv.ParseMetadata(tags[0].data, amf.Limits{})
	if err != nil || m.Number("width") != width || m.Number("framerate") != 25 {
		t.Errorf("metadata: %+v %v", m, err)
	}
	for _, tag := range tags[1:] {
		h, err := flv.ParseHeader(tag.kind, tag.data)
		if err != nil || h.Flags&media.Config == 0 || isFrame(tag) {
			t.Errorf("%v: %+v %v", tag.kind, h, err)
		}
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	bitrates := []struct {
		s    string
		want int
	}{{"500k", 500_000}, {"2.5M", 2_500_000}, {"800000", 800_000}, {"64kbit/s", 64_000},
		{"", 0}, {"k", 0}, {"-1k", 0}, {"0", 0}, {"NaN", 0}, {"1e30", 0}, {"5G", 0}}
	for _, tt := range bitrates {
		if got, err := ParseBitrate(tt.s); got != tt.want || (err == nil) != (tt.want > 0) {
			t.Errorf("bitrate %q: %d %v", tt.s, got, err)
		}
	}
	rates := []struct {
		s    string
		want float64
	}{{"68", 68}, {"68/s", 68}, {"", 0}, {"x", 0}, {"-1", 0}, {"Inf", 0}}
	for _, tt := range rates {
		if got, err := ParseTagRate(tt.s); got != tt.want || (err == nil) != (tt.want > 0) {
			t.Errorf("tags %q: %v %v", tt.s, got, err)
		}
	}
	if s, err := (Shape{}).WithTagRate(68); err != nil || math.Abs(s.TagRate()-68) > 1e-9 {
		t.Errorf("%+v %v", s, err)
	}
	if _, err := (Shape{}).WithTagRate(40); err == nil {
		t.Error("40 tags a second with audio")
	}
}
