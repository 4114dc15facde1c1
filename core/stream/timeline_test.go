package stream

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/core/media"
)

// timelineCases: frames that come in and what becomes of them. "v100@40" is a
// video frame stamped 100 that comes after 40 ms; "back" is a new publisher.
// In want, "!" marks a correction.
var timelineCases = []struct{ name, in, want string }{
	{"starts where its publisher starts",
		"v5000@0 a5003@1 v5040@40 a5026@41",
		"5000 5003 5040 5026"},
	{"audio only",
		"a0@0 a23@23 a46@46",
		"0 23 46"},
	{"starts a second before 24 bits are over",
		"v16776215@0 a16776215@0 v16777214@999 v16777215@1000 v16777216@1001",
		"16776215 16776215 16777214 16777215 16777216"},
	{"starts a second before 32 bits are over",
		"v4294966296@0 a4294966300@4 v4294967256@960 a4294967295@999 v0@1000 a22@1022 v40@1040",
		"4294966296 4294966300 4294967256 4294967295 4294967296 4294967318 4294967336"},
	{"one track wraps before the other",
		"v4294967290@0 a4@10 v4294967295@40 a27@41 v34@80",
		"4294967290 4294967300 4294967295 4294967323 4294967330"},
	{"audio starts later",
		"v0@0 a3000@1 v40@40 a3023@41",
		"0 3000 40 3023"},
	{"audio starts earlier",
		"v9000@0 a2000@1 v9040@40 a2023@41",
		"9000 2000 9040 2023"},
	{"first frames around a wrap: nothing is before 0",
		"v0@0 a4294967280@1 v40@40 a7@41",
		"0 0 40 7"},
	{"tracks on clocks of their own",
		"v0@0 a20000@1 v40@40 a20023@41 v80@80 a20046@81",
		"0 33! 40 56 80 79"},
	{"both jump back",
		"v10000@0 a10000@0 v10040@40 v0@80 a0@80 v40@120 a23@120",
		"10000 10000 10040 10080! 10080 10120 10103"},
	{"both jump back, one later",
		"v10000@0 a10000@0 v10040@40 a10023@40 v0@80 a10046@80 a10069@81 a0@82 v40@120",
		"10000 10000 10040 10023 10080! 10046 10069 10080 10120"},
	{"both jump back a little more or less than allowed",
		"v10000@0 a9900@0 v10040@40 a9923@40 v9030@80 a9000@80 v9070@120",
		"10000 9900 10040 9923 10080! 10050 10120"},
	{"one jumps back alone and stays there",
		"v10000@0 a10000@0 v10040@40 a10023@40 a5000@80 v10080@80 a5023@120 v10120@120 a5046@160 v10160@160",
		"10000 10000 10040 10023 10063! 10080 10086 10120 10109 10160"},
	{"both jump ahead",
		"v0@0 a0@0 v40@40 v3600040@80 a3600023@80 v3600080@120",
		"0 0 40 80! 63 120"},
	{"one jumps ahead alone and stays there",
		"v0@0 a0@0 v40@40 a23@40 a3600040@80 v80@80 a3600063@120 v120@120 a3600086@160 v160@160",
		"0 0 40 23 63! 80 86 120 109 160"},
	{"a jump over half of the range",
		"v100@0 v140@40 v2200000000@80 v2200000040@120",
		"100 140 180! 220"},
	{"jumps before a frame's duration is known",
		"v5000@0 v0@40",
		"5000 5033!"},
	{"back by less than a second: held",
		"v1000@0 v1040@40 v1020@60 v1080@80",
		"1000 1040 1040! 1080"},
	{"paused, its clock goes on",
		"v0@0 v40@40 v60040@60040 v60080@60080",
		"0 40 60040 60080"},
	{"paused, its clock stands still",
		"v0@0 v40@40 v80@60040 v120@60080",
		"0 40 80 120"},
	{"stalled network: late, then in a burst",
		"v0@0 v40@40 v80@5000 v1000@5000 v1960@5000 v2960@5001 v3960@5001 v4960@5001 v5000@5002",
		"0 40 80 1000 1960 2960 3960 4960 5000"},
	{"stalled network, and what was in it lost: the gap closes",
		"v0@0 v40@40 v80@5000 v4960@5001 v5000@5002",
		"0 40 80 120! 160"},
	{"faster than real time",
		"v0@0 a0@0 v400@0 a400@1 v800@1 a800@1 v1200@2 a1200@2 v2200@2",
		"0 0 400 400 800 800 1200 1200 2200"},
	{"ahead of arrival by a second",
		"v0@0 v40@40 v1080@80",
		"0 40 1080"},
	{"ahead of arrival by more",
		"v0@0 v40@40 v1081@80",
		"0 40 80!"},
	{"a new publisher that starts at 0",
		"v7000@0 a7000@0 v7040@40 a7023@40 back v0@9000 a0@9000 v40@9040",
		"7000 7000 7040 7023 7080 7080 7120"},
	{"a new publisher whose clock went on",
		"v7000@0 v7040@40 back v16040@9000 v16080@9040",
		"7000 7040 7080 7120"},
	{"a new publisher that begins with audio",
		"v7000@0 a7000@0 v7040@40 a7023@40 back a500@9000 v510@9000 a523@9023",
		"7000 7000 7040 7023 7063 7073 7086"},
	{"a new publisher's audio starts later",
		"v7000@0 a7000@0 v7040@40 a7023@40 back v0@9000 a3000@9001 v40@9040",
		"7000 7000 7040 7023 7080 10080 7120"},
	{"a new publisher at the end of 32 bits",
		"v7000@0 v7040@40 back v4294967290@9000 v34@9040",
		"7000 7040 7080 7120"},
	{"two new publishers",
		"v0@0 v40@40 back v500@900 v540@940 back v0@2000",
		"0 40 80 120 160"},
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	for _, c := range timelineCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var tl timeline
			var got []string
			for _, word := range strings.Fields(c.in) {
				if word == "back" {
					tl.resume()
					continue
				}
				kind, ts, at := parseStamp(t, word)
				dts, corrected := tl.stamp(kind, ts, at)
				got = append(got, fmt.Sprint(dts)+map[bool]string{true: "!"}[corrected])
			}
			if got := strings.Join(got, " "); got != c.want {
				t.Errorf("in   %s\ngot  %s\nwant %s", c.in, got, c.want)
			}
		})
	}
}

func parseStamp(t *testing.T, word string) (kind media.Kind, ts uint32, at int64) {
	t.Helper()
	var k rune
	var ms64 int64
	if _, err := fmt.Sscanf(word, "%c%d@%d", &k, &ts, &ms64); err != nil {
		t.Fatalf("%q: %v", word, err)
	}
	kind = media.Audio
	if k == 'v' {
		kind = media.Video
	}
	return kind, ts, epoch + ms64*ms
}

// Two tracks that go on for longer than 32 bits hold
// keep in step.
func TestTimelineLong(t *testing.T) {
	t.Parallel()
	var tl timeline
	const step = 9001
	for n := int64(0); n < 3<<32/step; n += 1 + n%7 { // gaps of up to a minute
		at := epoch + n*step*ms
		for _, kind := range []media.Kind{media.Video, media.Audio} {
			dts, corrected := tl.stamp(kind, uint32(n*step), at)
			if dts != n*step || corrected {
				t.Fatalf("%v at %d ms became %d, corrected %t", kind, n*step, dts, corrected)
			}
		}
	}
}

// Whatever the timestamps, DTS never go back within a track, nor far ahead of
// their arrival.
func FuzzTimeline(f *testing.F) {
	for _, c := range timelineCases {
		f.Add(packStamps(c.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var tl timeline
		var last [2]int64
		now := epoch
		for ; len(in) >= stampSize; in = in[stampSize:] {
			if in[0]&0xF == 0xF {
				tl.resume()
				continue
			}
			kind := media.Audio + media.Kind(in[0]&1)
			ts := binary.BigEndian.Uint32(in[1:])
			now += int64(binary.BigEndian.Uint16(in[5:])) * ms
			high, arrived := tl.high, tl.arrived
			dts, _ := tl.stamp(kind, ts, now)
			if dts < last[index(kind)] {
				t.Fatalf("%v went back from %d to %d", kind, last[index(kind)], dts)
			}
			if ahead := dts - high - (now-arrived)/ms; arrived != 0 && ahead > skew {
				t.Fatalf("%v is %d ms ahead of its arrival", kind, ahead)
			}
			last[index(kind)] = dts
		}
	})
}

// stampSize is the size of a frame in FuzzTimeline's input: its kind, its
// timestamp, and how many ms after the frame before it came.
const stampSize = 7

func packStamps(in string) (b []byte) {
	before := int64(0)
	for _, word := range strings.Fields(in) {
		var kind rune
		var ts uint32
		at := before
		_, _ = fmt.Sscanf(word, "%c%d@%d", &kind, &ts, &at)
		b = append(b, map[rune]byte{'a': 0, 'v': 1, 'b': 0xF}[kind])
		b = binary.BigEndian.AppendUint32(b, ts)
		b = binary.BigEndian.AppendUint16(b, uint16(at-before))
		before = at
	}
	return b
}
