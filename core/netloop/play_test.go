package netloop

import (
	"io"
	"slices"
	"strings"
	"testing"
)

// TestViewersGetEveryFrame has viewers of each kind read all of a stream.
func TestViewersGetEveryFrame(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		r := newRig(t)
		f := r.start("live/a")
		var all []*tape
		for range 3 {
			all = append(all, r.watch(how, manner{}, "live/a"))
		}
		for i := range 20 {
			f.gop(5, 100*i+1)
		}
		f.key(300_000) // many chunks
		f.inter(1)
		f.pub.Stream.Wake()
		for _, p := range all {
			p.waitLast(f)
			f.check(t, p.got(), wantsBoth, false)
		}
	})
}

// TestViewersJoinAtAnyTime has viewers come before, between and after frames.
func TestViewersJoinAtAnyTime(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		r := newRig(t)
		f := r.publish("live/a")
		all := []*tape{r.watch(how, manner{}, "live/a")} // before the first frame
		f.headers(1)
		all = append(all, r.watch(how, manner{}, "live/a"))
		for i := range 30 {
			f.gop(i%4, 500)
			if i%5 == 0 {
				all = append(all, r.watch(how, manner{}, "live/a"))
			}
		}
		f.key(10)
		f.pub.Stream.Wake()
		for _, p := range all {
			p.waitLast(f)
			f.check(t, p.got(), wantsBoth, false)
		}
	})
}

// TestOneMedium has viewers ask for audio or video alone.
func TestOneMedium(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.start("live/a")
	for _, w := range []wants{{audio: true}, {video: true}} {
		path := map[bool]string{true: "/live/a.flv?audio=0", false: "/live/a.flv?video=0"}[w.video]
		c, in, _, _ := r.get(manner{}, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n")
		p := record(t, c, &chunkSource{r: in})
		f.gop(10, 1000)
		f.audio(10)
		f.inter(10)
		f.pub.Stream.Wake()
		all := slices.DeleteFunc(slices.Clone(f.all()), func(u sentUnit) bool { return !w.media(u.kind) })
		p.waitFor(all[len(all)-1].unit)
		if w.video {
			f.check(t, p.got(), w, false)
		}
		for _, u := range p.got() {
			if u.kind != 18 && !w.media(u.kind) {
				t.Errorf("%s came", describe(u))
			}
		}
	}
}

// TestConfigChangesMidStream has sequence headers and metadata change while
// viewers watch, fast and slow.
func TestConfigChangesMidStream(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		r := newRig(t)
		r.http.sendBuffer(t, 8192)
		r.rtmp.sendBuffer(t, 8192)
		f := r.start("live/a")
		fast := r.watch(how, manner{}, "live/a")
		slow := r.watch(how, slowly, "live/a")
		for i := range 10 {
			f.headers(byte(2 + i))
			f.gop(3, 2000)
			f.metadata(strings.Repeat("x", i))
			f.audioHeader(byte(100 + i))
			f.audio(100)
			f.pub.Stream.Wake()
		}
		for _, p := range []*tape{fast, slow} {
			p.waitLast(f)
			f.check(t, p.got(), wantsBoth, false)
		}
	})
}

// TestGreeting looks at what comes before the first frame.
func TestGreeting(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.publish("live/a")
	f.videoHeader(1)
	for range 3 {
		f.key(10)
	}
	p := r.watch(chunked, manner{}, "live/a")
	p.waitLast(f)
	if got := p.heard(); !slices.Equal(got, []string{"flv 1"}) {
		t.Errorf("the file header of a stream of video alone is %q", got)
	}
	got := p.got()
	if got[0].kind != 18 || !got[1].isConfig() || got[0].ts != 0 || got[1].ts != got[2].ts {
		t.Errorf("the stream begins with %s, %s, %s", describe(got[0]), describe(got[1]), describe(got[2]))
	}
	if !strings.Contains(got[0].data, "hasAudio") {
		t.Errorf("metadata %q", got[0].data)
	}
}

// TestAnswers asks for live URLs in all ways that make no viewer.
func TestAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings(func(s *Settings) { s.Viewers.PlayWait = 0 }))
	r.start("live/a")
	for _, c := range []struct{ name, request, status, field string }{
		{"head", "HEAD /live/a.flv HTTP/1.1\r\nHost: h\r\n\r\n", "200 OK", "Connection: close"},
		{"options", "OPTIONS /live/a.flv HTTP/1.1\r\nHost: h\r\nOrigin: http://o\r\n\r\n", "204 No Content", "Access-Control-Allow-Origin: *"},
		{"absent", "GET /live/b.flv HTTP/1.1\r\nHost: h\r\n\r\n", "404 Not Found", "Content-Length: "},
		{"bad parameter", "GET /live/a.flv?audio=2 HTTP/1.1\r\nHost: h\r\n\r\n", "400 Bad Request", ""},
		{"bad name", "GET /live/.a.flv HTTP/1.1\r\nHost: h\r\n\r\n", "404 Not Found", ""},
		{"no HTTP", "\x16\x03\x01", "400 Bad Request", "Connection: close"},
		{"bad upgrade", "GET /live/a.flv HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n", "426 Upgrade Required", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, _, status, head := r.get(manner{}, c.request)
			defer conn.Close()
			if !strings.HasSuffix(status, c.status) {
				t.Errorf("answer %q, want %q", status, c.status)
			}
			if !slices.ContainsFunc(head, func(l string) bool { return strings.HasPrefix(l, c.field) }) {
				t.Errorf("no %q in %q", c.field, head)
			}
		})
	}
}

// TestPipelinedRefusals sends many requests at once, a byte at a time too.
func TestPipelinedRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings(func(s *Settings) { s.Viewers.PlayWait = 0 }))
	f := r.start("live/a")
	const n = 20
	all := strings.Repeat("GET /live/none.flv HTTP/1.1\r\nHost: h\r\n\r\n", n) + chunked.request("live/a")
	c := dial(t, r.http.Addr(), 0)
	go func() {
		for i := range len(all) {
			if _, err := c.Write([]byte{all[i]}); err != nil {
				return
			}
		}
	}()
	in := manner{}.reader(c)
	for i := range n {
		status, head, err := readHead(in)
		if err != nil || !strings.Contains(status, "404") {
			t.Fatalf("answer %d is %q, %v", i, status, err)
		}
		skipBody(t, in, head)
	}
	if status, _, err := readHead(in); err != nil || !strings.Contains(status, "200") {
		t.Fatalf("the last answer is %q, %v", status, err)
	}
	p := record(t, c, &chunkSource{r: in})
	f.gop(2, 100)
	p.waitLast(f)
	f.check(t, p.got(), wantsBoth, false)
}

func skipBody(t testing.TB, in io.Reader, head []string) {
	t.Helper()
	for _, l := range head {
		if n, ok := strings.CutPrefix(l, "Content-Length: "); ok {
			size := 0
			for _, d := range n {
				size = size*10 + int(d-'0')
			}
			if _, err := inside(in, size); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestManyStreams has each of many streams watched by a few.
func TestManyStreams(t *testing.T) {
	t.Parallel()
	for _, window := range []string{"auto", "fixed"} {
		t.Run(window, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, settings(func(s *Settings) {
				if window == "fixed" {
					s.Viewers.MergeWindow = 50e6
				}
			}))
			var feeds []*feed
			var tapes []*tape
			for i := range 40 {
				path := "live/s" + string(rune('A'+i%26)) + string(rune('a'+i/26))
				f := r.start(path)
				feeds = append(feeds, f, f)
				tapes = append(tapes, r.watch(transports[i%4], manner{}, path), r.watch(transports[(i+1)%4], manner{}, path))
			}
			for range 10 {
				for i := 0; i < len(feeds); i += 2 {
					feeds[i].gop(2, 300)
				}
			}
			for i, p := range tapes {
				p.waitLast(feeds[i])
				feeds[i].check(t, p.got(), wantsBoth, false)
			}
		})
	}
}
