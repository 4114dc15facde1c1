package gate

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/core/event"
)

// playlists are rewritten for /hls/live/cam/d/index.m3u8; @ stands for the id.
var playlists = []struct{ name, in, out string }{
	{"segments", "a.ts\nb/c.ts?x=1\n", "a.ts?viewer=@\nb/c.ts?x=1&viewer=@\n"},
	{"line ends", "#EXTM3U\r\na.ts\r\n\r\n#x", "#EXTM3U\r\na.ts?viewer=@\r\n\r\n#x"},
	{"absolute path", "/hls/live/cam/2026/a.ts\n", "/hls/live/cam/2026/a.ts?viewer=@\n"},
	{"elsewhere", "/hls/live/cam2/a.ts\nhttp://x/hls/live/cam/a\n//x/hls/live/cam/a\n../../cam2/a.ts\n", "/hls/live/cam2/a.ts\nhttp://x/hls/live/cam/a\n//x/hls/live/cam/a\n../../cam2/a.ts\n"},
	{"up and down", "../keys/a\n../../cam/x\n", "../keys/a?viewer=@\n../../cam/x?viewer=@\n"},
	{"key", `#EXT-X-KEY:METHOD=AES-128,URI="../keys/7",IV=0x1` + "\n", `#EXT-X-KEY:METHOD=AES-128,URI="../keys/7?viewer=@",IV=0x1` + "\n"},
	{"map and part", `#EXT-X-MAP:URI="i.mp4",BYTERANGE="1@0"` + "\n" + `#EXT-X-PART:DURATION=0.5,URI="p.m4s",INDEPENDENT=YES` + "\n",
		`#EXT-X-MAP:URI="i.mp4?viewer=@",BYTERANGE="1@0"` + "\n" + `#EXT-X-PART:DURATION=0.5,URI="p.m4s?viewer=@",INDEPENDENT=YES` + "\n"},
	{"hint and report", `#EXT-X-PRELOAD-HINT:TYPE=PART,URI="p"` + "\n" + `#EXT-X-RENDITION-REPORT:URI="../a.m3u8",LAST-MSN=1` + "\n",
		`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="p?viewer=@"` + "\n" + `#EXT-X-RENDITION-REPORT:URI="../a.m3u8?viewer=@",LAST-MSN=1` + "\n"},
	{"comma and name in quotes", `#EXT-X-MEDIA:TYPE=AUDIO,NAME="a,URI=b",URI="a.m3u8"` + "\n", `#EXT-X-MEDIA:TYPE=AUDIO,NAME="a,URI=b",URI="a.m3u8?viewer=@"` + "\n"},
	{"other attribute", `#EXT-X-DATERANGE:X-ASSET-URI="a"` + "\n", `#EXT-X-DATERANGE:X-ASSET-URI="a"` + "\n"},
	{"broken", `#EXT-X-KEY:URI="a` + "\n#EXT-X-MAP:,,=\n", `#EXT-X-KEY:URI="a` + "\n#EXT-X-MAP:,,=\n"},
	{"odd names", "a%20b.ts\nä.ts\n", "a%20b.ts?viewer=@\n%C3%A4.ts?viewer=@\n"},
	{"empty", "", ""},
}

func testRewriter() rewriter {
	p, _ := placeOf("/hls/live/cam/d/index.m3u8")
	return rewriter{session: &session{place: p}, token: "@", base: "/hls/live/cam/d/index.m3u8"}
}

func (p rewriter) all(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(p.line(line))
	}
	return out.String()
}

func TestRewrite(t *testing.T) {
	t.Parallel()
	for _, c := range playlists {
		if got := testRewriter().all(c.in); got != c.out {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.out)
		}
	}
}

// FuzzRewrite looks that nothing is lost: without the ids, lines are as many,
// and tags begin as they did.
func FuzzRewrite(f *testing.F) {
	for _, c := range playlists {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out := testRewriter().all(in)
		if strings.Count(in, "\n") != strings.Count(out, "\n") {
			t.Errorf("%q became %q", in, out)
		}
	})
}

// TestMultivariant leads a client without an id to the playlist with it.
func TestMultivariant(t *testing.T) {
	t.Parallel()
	r := newRig(t, on(event.Play, allow))
	for url, want := range map[string]string{
		"/hls/live/cam/index.m3u8":                "\nindex.m3u8?viewer=",
		"/hls/live/cam/index.m3u8?token=a%20b":    "\nindex.m3u8?token=a%20b&viewer=",
		"/hls/live/cam/index.m3u8?_HLS_msn=3":     "\ns1.ts?viewer=",
		"/hls/live/cam/index.m3u8?viewer=invalid": "\ns1.ts?viewer=",
	} {
		out := string(r.pass(t, url).Answer.Rewrite([]byte(media)))
		if !strings.Contains(out, want) {
			t.Errorf("%s: %s", url, out)
		}
	}
	out := string(r.pass(t, "/hls/live/cam/index.m3u8").Answer.Rewrite([]byte("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/a.m3u8\n")))
	if !strings.Contains(out, "BANDWIDTH=1\nv/a.m3u8?viewer=") {
		t.Error(out)
	}
}
