package bench

import (
	"testing"
	"time"

	"github.com/millrace/millrace/core/media"
)

func TestFollow(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name           string
		numbers        []uint64
		lost, repeated uint64
	}{
		{"none lost", []uint64{5, 6, 7}, 0, 0},
		{"one lost", []uint64{5, 7, 8}, 1, 0},
		{"many lost", []uint64{0, 100, 101, 201}, 198, 0},
		{"again", []uint64{5, 6, 6, 5, 7}, 0, 2},
		{"the publisher began anew", []uint64{5, 6, 0, 1}, 0, 0},
	}
	for _, tt := range tests {
		r := reading{all: &sampled{}}
		for _, n := range tt.numbers {
			r.follow(&r.video, n)
		}
		if r.all.lost != tt.lost || r.all.repeated != tt.repeated {
			t.Errorf("%s: %d lost, %d repeated", tt.name, r.all.lost, r.all.repeated)
		}
	}
}

func TestReading(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1000, 0)
	r := reading{all: &sampled{}, connected: begin}
	s := source{frames: newFrames(Shape{})}
	at := func(d time.Duration) time.Time { return begin.Add(d) }
	for _, tag := range s.headers() {
		r.tag(tag, at(0))
	}
	r.tag(s.next(at(-time.Second)), at(3*time.Millisecond)) // the keyframe, from a cache
	r.all.from = at(time.Second)
	r.tag(s.next(at(500*time.Millisecond)), at(2*time.Second)) // older than the interval
	r.tag(s.next(at(2*time.Second)), at(2*time.Second+5*time.Millisecond))
	r.tag(tag{kind: media.Video, timestamp: 0, data: []byte{0x27, 1, 0, 0, 0, 1}}, at(3*time.Second))
	a := r.all
	if a.firstKey.total != 1 || a.firstKey.most != 3*time.Millisecond {
		t.Errorf("first keyframe: %v", a.firstKey.spread())
	}
	if a.latency.total != 1 || a.latency.most != 5*time.Millisecond {
		t.Errorf("latency: %v", a.latency.spread())
	}
	if a.frames != 3 || a.unstamped != 1 || a.backwards != 0 || a.lost != 0 || !a.stampedAny {
		t.Errorf("%+v", a)
	}
}

func TestBackwards(t *testing.T) {
	t.Parallel()
	r := reading{all: &sampled{}}
	for _, ts := range []uint32{10, 10, 20, 19, 0xFFFFFFF0, 4} {
		r.tag(tag{kind: media.Video, timestamp: ts, data: []byte{0x27, 1, 0, 0, 0}}, time.Now())
	}
	if r.all.backwards != 2 { // 19, and 0xFFFFFFF0, which wraps into 4
		t.Errorf("%d", r.all.backwards)
	}
}

func TestIsFrame(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		kind       media.Kind
		data       string
		frame, key bool
	}{
		{"AVC keyframe", media.Video, "\x17\x01", true, true},
		{"AVC picture", media.Video, "\x27\x01", true, false},
		{"AVC configuration", media.Video, "\x17\x00", false, true},
		{"AVC end", media.Video, "\x17\x02", false, true},
		{"H.263", media.Video, "\x22\x00", true, false},
		{"command", media.Video, "\x57\x00", false, false},
		{"FourCC configuration", media.Video, "\x90hvc1", false, true},
		{"FourCC keyframe", media.Video, "\x91hvc1", true, true},
		{"FourCC picture, no offset", media.Video, "\xa3hvc1", true, false},
		{"AAC", media.Audio, "\xaf\x01", true, false},
		{"AAC configuration", media.Audio, "\xaf\x00", false, false},
		{"MP3", media.Audio, "\x2f\x00", true, false},
		{"FourCC audio", media.Audio, "\x91Opus", true, false},
		{"FourCC audio configuration", media.Audio, "\x90Opus", false, false},
		{"empty", media.Video, "", false, false},
	}
	for _, tt := range tests {
		got := isFrame(tag{kind: tt.kind, data: []byte(tt.data)})
		key := tt.kind == media.Video && tt.data != "" && isKeyframe([]byte(tt.data))
		if got != tt.frame || key != tt.key {
			t.Errorf("%s: frame %v, key %v", tt.name, got, key)
		}
	}
}

func TestStarved(t *testing.T) {
	t.Parallel()
	even := func(n int) []share {
		all := make([]share, n)
		for i := range all {
			all[i] = share{bytes: 1000, silence: time.Second}
		}
		return all
	}
	with := func(s share) []share { return append(even(9), s) }
	tests := []struct {
		name     string
		all      []share
		interval time.Duration
		want     int
	}{
		{"nobody", nil, evenInterval, 0},
		{"all well", even(10), evenInterval, 0},
		{"silence", with(share{1000, 3 * time.Second}), evenInterval, 1},
		{"too little", with(share{800, 0}), evenInterval, 1},
		{"little in a short time", with(share{800, 0}), time.Second, 0},
		{"nothing in a short time", with(share{0, time.Second}), time.Second, 1},
	}
	for _, tt := range tests {
		if got := starved(tt.all, tt.interval); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestSpreadOver(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]int{{0, 10}, {1, 10}, {3, 10}, {10, 10}, {50, 19000}} {
		n := 0
		for i := range c[1] {
			if spreadOver(i, c[0], c[1]) {
				n++
			}
		}
		if n != c[0] {
			t.Errorf("%d of %d: %d", c[0], c[1], n)
		}
	}
}

func TestDistribution(t *testing.T) {
	t.Parallel()
	var d distribution
	if d.quantile(0.5) != 0 {
		t.Error("quantile of nothing")
	}
	for i := 1; i <= 10_000; i++ {
		d.add(time.Duration(i) * time.Microsecond)
	}
	for _, q := range []float64{0.01, 0.5, 0.99, 0.999} {
		want := float64(q) * 10_000
		if got := float64(d.quantile(q).Microseconds()); got < want*0.98-1 || got > want*1.02+1 {
			t.Errorf("quantile %g: %v µs", q, got)
		}
	}
	var all distribution
	all.merge(&d)
	all.merge(&d)
	all.add(-1)
	all.add(1 << 62)
	if all.total != 20_002 || all.most != 1<<62 || all.quantile(0) != 0 {
		t.Errorf("%d %v", all.total, all.most)
	}
	for _, v := range []time.Duration{0, 1, 63, 64, 65, 127, 128, 12345, 1<<62 - 1} {
		if top := bucketTop(bucketOf(v)); top < v || float64(top) > float64(v)*(1+1.0/64) {
			t.Errorf("%d is in a bucket up to %d", v, top)
		}
	}
}
