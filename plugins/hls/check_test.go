package hls

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/Eyevinn/hls-m3u8/m3u8"
)

// checked is what a strict reader finds in a media playlist.
type checked struct {
	msn, breaks     int64 // of the first segment
	target          float64
	partTarget      float64
	durations       []float64
	uris            []string
	discontinuities []int // indexes of segments
	maps, keys      []string
	parts           map[int64][]string // by media sequence number
	independent     int
	hint            string
	skipped         int
	ended           bool
}

// checker reads line by line and complains about what RFC 8216 and RFC
// 8216bis do not allow.
type checker struct {
	t          *testing.T
	c          checked
	open       []float64 // durations of parts since the last segment
	extinf     float64
	seen       map[string]int
	partsShort bool // a part shorter than 85 % of the target came in this segment
}

// check reads a playlist strictly, and by hls-m3u8 too.
func check(t *testing.T, text string) checked {
	t.Helper()
	k := &checker{t: t, seen: map[string]int{}, extinf: -1}
	k.c.parts = map[int64][]string{}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if lines[0] != "#EXTM3U" {
		t.Errorf("begins with %q", lines[0])
	}
	for _, l := range lines[1:] {
		k.line(l)
	}
	k.finish(text)
	if t.Failed() {
		t.Logf("of the playlist\n%s", text)
	}
	return k.c
}

func (k *checker) line(l string) {
	tag, value, _ := strings.Cut(l, ":")
	k.seen[tag]++
	switch tag {
	case "#EXT-X-VERSION", "#EXT-X-PLAYLIST-TYPE":
	case "#EXT-X-TARGETDURATION":
		k.c.target = k.float(value)
	case "#EXT-X-MEDIA-SEQUENCE":
		k.c.msn = int64(k.float(value))
	case "#EXT-X-DISCONTINUITY-SEQUENCE":
		k.c.breaks = int64(k.float(value))
	case "#EXT-X-PART-INF":
		k.c.partTarget = k.float(attributes(value)["PART-TARGET"])
	case "#EXT-X-SERVER-CONTROL":
		k.control(attributes(value))
	case "#EXT-X-SKIP":
		k.c.skipped = int(k.float(attributes(value)["SKIPPED-SEGMENTS"]))
	case "#EXT-X-DISCONTINUITY":
		k.c.discontinuities = append(k.c.discontinuities, len(k.c.uris))
	case "#EXT-X-MAP":
		k.c.maps = append(k.c.maps, unquote(attributes(value)["URI"]))
	case "#EXT-X-KEY":
		k.c.keys = append(k.c.keys, unquote(attributes(value)["URI"]))
	case "#EXT-X-PROGRAM-DATE-TIME":
	case "#EXT-X-PART":
		k.part(attributes(value))
	case "#EXTINF":
		k.extinf = k.float(strings.TrimSuffix(value, ","))
	case "#EXT-X-PRELOAD-HINT":
		k.c.hint = unquote(attributes(value)["URI"])
	case "#EXT-X-ENDLIST":
		k.c.ended = true
	default:
		k.segment(l)
	}
}

func (k *checker) float(s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		k.t.Errorf("%q is no number", s)
	}
	return f
}

// attributes reads an attribute list; no value of ours has a comma.
func attributes(s string) map[string]string {
	all := map[string]string{}
	for a := range strings.SplitSeq(s, ",") {
		name, value, _ := strings.Cut(a, "=")
		all[name] = value
	}
	return all
}

func unquote(s string) string { return strings.Trim(s, `"`) }

func (k *checker) control(a map[string]string) {
	if a["CAN-BLOCK-RELOAD"] != "YES" {
		k.t.Error("no blocking reload")
	}
	if f := k.float(a["CAN-SKIP-UNTIL"]); f < 6*k.c.target {
		k.t.Errorf("CAN-SKIP-UNTIL %v with a target of %v", f, k.c.target)
	}
	k.c.partTarget = k.float(a["PART-HOLD-BACK"]) / 3 // checked against PART-INF below
}

func (k *checker) part(a map[string]string) {
	d := k.float(a["DURATION"])
	if d > k.c.partTarget+1e-9 {
		k.t.Errorf("a part of %v with a target of %v", d, k.c.partTarget)
	}
	if k.partsShort {
		k.t.Errorf("a short part is not its segment's last: %v", a)
	}
	k.partsShort = d < 0.85*k.c.partTarget
	k.open = append(k.open, d)
	msn := k.c.msn + int64(k.c.skipped+len(k.c.uris))
	k.c.parts[msn] = append(k.c.parts[msn], unquote(a["URI"]))
	if a["INDEPENDENT"] == "YES" {
		k.c.independent++
	}
}

func (k *checker) segment(uri string) {
	if strings.HasPrefix(uri, "#") || uri == "" {
		k.t.Errorf("line %q", uri)
		return
	}
	if k.extinf <= 0 {
		k.t.Errorf("%s has a duration of %v", uri, k.extinf)
	}
	if math.Round(k.extinf) > k.c.target {
		k.t.Errorf("%s has %v s with a target of %v", uri, k.extinf, k.c.target)
	}
	sum := 0.0
	for _, d := range k.open {
		sum += d
	}
	if len(k.open) > 0 && math.Abs(sum-k.extinf) > 0.01 {
		k.t.Errorf("%s has %v s, its parts %v", uri, k.extinf, sum)
	}
	k.c.uris, k.c.durations = append(k.c.uris, uri), append(k.c.durations, k.extinf)
	k.open, k.extinf, k.partsShort = nil, -1, false
}

func (k *checker) finish(text string) {
	for _, once := range []string{"#EXT-X-TARGETDURATION", "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-VERSION"} {
		if k.seen[once] != 1 {
			k.t.Errorf("%s stands there %d times", once, k.seen[once])
		}
	}
	if k.c.skipped > 0 {
		return // hls-m3u8 does not take a delta for a playlist
	}
	if len(k.c.parts[k.c.msn]) > 0 {
		return // it takes no date before the parts of the first segment
	}
	p, kind, err := m3u8.DecodeFrom(strings.NewReader(text), true)
	if err != nil || kind != m3u8.MEDIA {
		k.t.Errorf("hls-m3u8: %v", err)
		return
	}
	m := p.(*m3u8.MediaPlaylist)
	if int(m.Count()) != len(k.c.uris) || int64(m.SeqNo) != k.c.msn {
		k.t.Errorf("hls-m3u8 finds %d segments from %d on", m.Count(), m.SeqNo)
	}
}

// consecutive checks that URIs are numbered from msn on.
func (c *checked) consecutive(t *testing.T) {
	t.Helper()
	for i, uri := range c.uris {
		if want := fmt.Sprintf("/%d.", c.msn+int64(i)); !strings.Contains(uri, want) {
			t.Errorf("segment %d is %s", c.msn+int64(i), uri)
		}
	}
}
