package object

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// media is a playlist of n whole segments from number first on, the last with
// 4 parts, and parts of the next.
func media(first, n, parts int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART-INF:PART-TARGET=0.5\n#EXT-X-MEDIA-SEQUENCE:%d\n", first)
	for i := range n {
		if i == n-1 {
			b.WriteString(strings.Repeat("#EXT-X-PART:DURATION=0.5,URI=\"p\"\n", 4))
		}
		b.WriteString("#EXTINF:2,\nseg.m4s\n")
	}
	b.WriteString(strings.Repeat("#EXT-X-PART:DURATION=0.5,URI=\"p\"\n", parts))
	return b.String()
}

func TestParseDirectives(t *testing.T) {
	t.Parallel()
	for query, want := range directiveCases {
		if got := ParseDirectives(query); got != want {
			t.Errorf("%q: %+v, want %+v", query, got, want)
		}
	}
}

var directiveCases = map[string]Directives{
	"":                               none,
	"token=a&x":                      none,
	"_HLS_msn=7":                     {MSN: 7, Part: -1},
	"a=b&_HLS_msn=7&_HLS_part=0":     {MSN: 7},
	"_HLS_msn=7&_HLS_skip=YES":       {MSN: 7, Part: -1, Skip: true},
	"_HLS_skip=v2":                   {MSN: -1, Part: -1, Skip: true},
	"_HLS_skip=NO":                   none,
	"_HLS_part=1":                    {MSN: -1, Part: 1, Bad: true},
	"_HLS_msn=-1":                    {MSN: -1, Part: -1, Bad: true},
	"_HLS_msn=":                      {MSN: -1, Part: -1, Bad: true},
	"_HLS_msn=99999999999999999999":  {MSN: -1, Part: -1, Bad: true},
	"_HLS_msn=1&_HLS_part=%zz":       {MSN: 1, Part: -1, Bad: true},
	"_HLS_msn=%37&_HLS_other=ignore": {MSN: 7, Part: -1},
}

// TestFind asks for each place around the end of a playlist: whole segments 7
// and 8 (of four parts), and two parts of 9.
func TestFind(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t, 1<<20)
	put(t, s, Put{Path: "hls/ll", Body: []byte(media(7, 2, 2)), Delta: []byte("delta"), Blocking: true, Hint: "hls/next"})
	put(t, s, Put{Path: "hls/first", Body: []byte(media(7, 2, 0)), Blocking: true})
	put(t, s, Put{Path: "hls/ended", Body: []byte(media(7, 2, 2) + "#EXT-X-ENDLIST\n"), Blocking: true})
	put(t, s, Put{Path: "hls/plain", Body: []byte(media(7, 2, 2))})
	put(t, s, Put{Path: "hls/json", Body: []byte("{}"), Blocking: true, MSN: 3, Part: 1})
	for _, c := range []struct {
		path, query string
		want        State
		body        string
	}{
		{"hls/absent", "", Absent, ""},
		{"hls/next", "", Wait, ""},
		{"hls/ll", "", Ready, media(7, 2, 2)},
		{"hls/ll", "_HLS_skip=YES", Ready, "delta"},
		{"hls/ll", "_HLS_msn=2", Ready, media(7, 2, 2)},
		{"hls/ll", "_HLS_msn=8", Ready, media(7, 2, 2)},
		{"hls/ll", "_HLS_msn=8&_HLS_part=3", Ready, media(7, 2, 2)},
		{"hls/ll", "_HLS_msn=8&_HLS_part=4", Ready, media(7, 2, 2)}, // is part 0 of 9
		{"hls/ll", "_HLS_msn=9", Wait, ""},
		{"hls/ll", "_HLS_msn=9&_HLS_part=1&_HLS_skip=YES", Ready, "delta"},
		{"hls/ll", "_HLS_msn=9&_HLS_part=2", Wait, ""},
		{"hls/ll", "_HLS_msn=9&_HLS_part=7", Wait, ""},
		{"hls/ll", "_HLS_msn=9&_HLS_part=8", Bad, ""},
		{"hls/ll", "_HLS_msn=10", Wait, ""},
		{"hls/ll", "_HLS_msn=11", Bad, ""},
		{"hls/ll", "_HLS_part=1", Bad, ""},
		{"hls/first", "_HLS_msn=8&_HLS_part=4", Wait, ""}, // is part 0 of 9
		{"hls/first", "_HLS_msn=9&_HLS_part=0", Wait, ""},
		{"hls/ended", "_HLS_msn=99&_HLS_part=1", Ready, media(7, 2, 2) + "#EXT-X-ENDLIST\n"},
		{"hls/plain", "_HLS_msn=99&_HLS_part=1", Ready, media(7, 2, 2)},
		{"hls/json", "_HLS_msn=3&_HLS_part=0", Ready, "{}"},
		{"hls/json", "_HLS_msn=3&_HLS_part=1", Wait, ""},
	} {
		f := s.Find(c.path, ParseDirectives(c.query))
		if f.State != c.want || c.want == Ready && text(f.Content) != c.body {
			t.Errorf("%s?%s: state %d, %q", c.path, c.query, f.State, text(f.Content))
		}
	}
	if p := s.Find("hls/ll", Directives{MSN: 9, Part: -1}).Patience; p != 6*time.Second {
		t.Errorf("patience %v", p)
	}
}
