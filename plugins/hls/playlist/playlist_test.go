package playlist

import (
	"strings"
	"testing"
	"time"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 600e6, time.UTC)

// segments are n of 4 s from number on.
func segments(number int64, n int) []Segment {
	var all []Segment
	for i := range int64(n) {
		all = append(all, Segment{
			Number: number + i, URI: "/" + string(rune('a'+i)) + ".ts", Duration: 4 * time.Second,
			Started: t0.Add(time.Duration(i) * 4 * time.Second),
		})
	}
	return all
}

func with(s []Segment, change func(s []Segment)) []Segment {
	change(s)
	return s
}

const date1, date2, date3 = "#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05.600Z\n",
	"#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:09.600Z\n", "#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:13.600Z\n"

var cases = []struct {
	name string
	p    Playlist
	want string
}{
	{"event", Playlist{Target: 4, Event: true, Segments: segments(0, 2)},
		"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:EVENT\n" +
			date1 + "#EXTINF:4.000000,\n/a.ts\n" + date2 + "#EXTINF:4.000000,\n/b.ts\n"},
	{"VOD", Playlist{Target: 4, Event: true, Ended: true, Segments: segments(7, 1)},
		"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-PLAYLIST-TYPE:VOD\n" +
			date1 + "#EXTINF:4.000000,\n/a.ts\n#EXT-X-ENDLIST\n"},
	{"sliding, with a discontinuity", Playlist{Target: 4, Breaks: 3, Segments: with(segments(12, 2), func(s []Segment) { s[1].Break = true })},
		"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:12\n#EXT-X-DISCONTINUITY-SEQUENCE:3\n" +
			date1 + "#EXTINF:4.000000,\n/a.ts\n#EXT-X-DISCONTINUITY\n" + date2 + "#EXTINF:4.000000,\n/b.ts\n"},
	{"maps and keys", Playlist{Target: 4, Segments: with(segments(0, 3), func(s []Segment) {
		s[0].Map, s[1].Map, s[2].Map = "/i.mp4", "/i.mp4", "/i_2.mp4"
		s[0].Key, s[1].Key, s[2].Key = "/k1", "/k2", "/k2"
	})},
		"#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:0\n" +
			"#EXT-X-MAP:URI=\"/i.mp4\"\n#EXT-X-KEY:METHOD=AES-128,URI=\"/k1\"\n" + date1 + "#EXTINF:4.000000,\n/a.ts\n" +
			"#EXT-X-KEY:METHOD=AES-128,URI=\"/k2\"\n" + date2 + "#EXTINF:4.000000,\n/b.ts\n" +
			"#EXT-X-KEY:METHOD=NONE\n#EXT-X-MAP:URI=\"/i_2.mp4\"\n#EXT-X-KEY:METHOD=AES-128,URI=\"/k2\"\n" + date3 + "#EXTINF:4.000000,\n/c.ts\n"},
	{"encryption ends", Playlist{Target: 4, Segments: with(segments(0, 2), func(s []Segment) { s[0].Key = "/k" })},
		"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-KEY:METHOD=AES-128,URI=\"/k\"\n" +
			date1 + "#EXTINF:4.000000,\n/a.ts\n#EXT-X-KEY:METHOD=NONE\n" + date2 + "#EXTINF:4.000000,\n/b.ts\n"},
	{"only parts", Playlist{Target: 4, PartTarget: 200 * time.Millisecond, Hint: "/x.1.ts", Open: &Segment{Number: 5, Break: true, Started: t0,
		Parts: []Part{{"/x.0.ts", 200 * time.Millisecond, true}}}},
		"#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:4\n" +
			"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24.000000,PART-HOLD-BACK=0.600000\n#EXT-X-PART-INF:PART-TARGET=0.200000\n" +
			"#EXT-X-MEDIA-SEQUENCE:5\n#EXT-X-DISCONTINUITY\n" + date1 +
			"#EXT-X-PART:DURATION=0.200000,URI=\"/x.0.ts\",INDEPENDENT=YES\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"/x.1.ts\"\n"},
}

func TestAppend(t *testing.T) {
	t.Parallel()
	for _, c := range cases {
		if got := string(c.p.Append([]byte("x"))); got != "x"+c.want {
			t.Errorf("%s:\n%swant\n%s", c.name, got, c.want)
		}
		if got, ok := c.p.AppendDelta(nil); ok || got != nil {
			t.Errorf("%s has a delta:\n%s", c.name, got)
		}
	}
}

// What was written before, without being known any more, and what is written
// now are the whole.
func TestText(t *testing.T) {
	t.Parallel()
	for _, c := range cases {
		p := c.p
		lines := ""
		for i := range c.p.Segments {
			lines += string(p.Text.Add(&c.p.Segments[i]))
			p.Segments = c.p.Segments[i+1:]
			got := string(p.AppendHead(nil)) + lines + string(p.AppendTail(nil))
			if got != c.want || p.Text.Len() != i+1 || p.Text.Size() != int64(len(lines)) || p.Len() != len(c.p.Segments) {
				t.Errorf("%s, %d known:\n%swant\n%s", c.name, p.Text.Len(), got, c.want)
			}
		}
	}
}

// With parts near the end, what is written of the segments before does not
// change how many have them, nor a delta that has to leave all of it out.
func TestTextBeforeParts(t *testing.T) {
	t.Parallel()
	all := segments(0, 20)
	p := Playlist{Target: 4, PartTarget: time.Second, Segments: all, Open: &Segment{Number: 20}}
	for i := 10; i < 20; i++ {
		all[i].Parts = []Part{{all[i].URI + ".0", 4 * time.Second, true}}
	}
	want := string(p.Append(nil))
	delta, _ := p.AppendDelta(nil)
	lines := ""
	for i := range all {
		lines += string(p.Text.Add(&all[i]))
		p.Segments = all[i+1:]
		if i < 17 {
			if got := string(p.AppendHead(nil)) + lines + string(p.AppendTail(nil)); got != want {
				t.Errorf("%d known, got\n%swant\n%s", i+1, got, want)
			}
		}
		got, ok := p.AppendDelta(nil)
		if skip := i+1 <= 14; ok != skip || ok && string(got) != string(delta) {
			t.Errorf("%d known, delta\n%swant\n%s", i+1, got, delta)
		}
	}
}

// A delta leaves out what ends before the skip boundary; what stays is as in
// the whole, and parts are listed near the end only.
func TestDelta(t *testing.T) {
	t.Parallel()
	for n := range 20 {
		p := Playlist{Target: 4, PartTarget: time.Second, Segments: segments(0, n), Open: &Segment{Number: int64(n)}}
		for i := range p.Segments {
			p.Segments[i].Parts = []Part{{p.Segments[i].URI + ".0", 4 * time.Second, true}}
		}
		full := string(p.Append(nil))
		if got, want := strings.Count(full, "#EXT-X-PART:"), min(n, 3); got != want {
			t.Errorf("of %d segments %d have parts, want %d", n, got, want)
		}
		delta, ok := p.AppendDelta(nil)
		if ok != (n > 6) {
			t.Errorf("%d segments: delta %t", n, ok)
		}
		if ok && strings.Count(string(delta), "#EXTINF") != 6 {
			t.Errorf("of %d segments the delta has\n%s", n, delta)
		}
	}
}

func TestRound(t *testing.T) {
	t.Parallel()
	for in, want := range map[time.Duration]int{0: 0, 6 * time.Second: 6, 6499 * time.Millisecond: 6, 6500 * time.Millisecond: 7} {
		if got := Round(in); got != want {
			t.Errorf("%v is %d", in, got)
		}
	}
}

// BenchmarkAppend writes a playlist of an hour.
func BenchmarkAppend(b *testing.B) {
	p := Playlist{Target: 6, Event: true}
	for i := range int64(600) {
		p.Segments = append(p.Segments, Segment{Number: i, URI: "/hls/live/cam/20260102_030405/123.ts", Duration: 6 * time.Second, Started: t0})
	}
	dst := p.Append(nil)
	b.ReportAllocs()
	for b.Loop() {
		dst = p.Append(dst[:0])
	}
}
