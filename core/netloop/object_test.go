package netloop

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/core/object"
	"github.com/millrace/millrace/core/stream"
)

// objectRig is a rig with a store in which "p" may store anything.
func objectRig(t testing.TB, changes ...with) (*rig, *object.Store) {
	t.Helper()
	s := object.New(time.Now)
	if err := s.Grant("p", []string{"hls/", "mp4/", "page/"}, 64<<20); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, append(changes, func(o *Options, _ *stream.Options) { o.Objects = s })...)
	return r, s
}

func store(t testing.TB, s *object.Store, p object.Put) {
	t.Helper()
	p.TTL = time.Hour // the machine may be slow
	if err := s.Put("p", p); err != nil {
		t.Fatal(err)
	}
}

// playlist has n whole segments and parts of the next.
func playlist(n, parts int) []byte {
	return []byte("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART-INF:PART-TARGET=0.5\n#EXT-X-MEDIA-SEQUENCE:0\n" +
		strings.Repeat("#EXTINF:2,\ns.m4s\n", n) + strings.Repeat("#EXT-X-PART:DURATION=0.5,URI=\"p\"\n", parts))
}

// asked is an answer from the loop with its body.
type asked struct {
	status string
	head   []string
	body   string
}

func readAnswer(t testing.TB, in io.Reader, method string) asked {
	t.Helper()
	status, head, err := readHead(in)
	if err != nil {
		t.Fatalf("read the answer: %v", err)
	}
	a := asked{status: status, head: head}
	for _, l := range head {
		var n int
		if _, err := fmt.Sscanf(l, "Content-Length: %d", &n); err == nil && method != http.MethodHead {
			b := make([]byte, n)
			if _, err := io.ReadFull(in, b); err != nil {
				t.Fatalf("read a body of %d bytes: %v", n, err)
			}
			a.body = string(b)
		}
	}
	return a
}

func TestObjectAnswers(t *testing.T) {
	t.Parallel()
	r, s := objectRig(t)
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
	store(t, s, object.Put{Path: "hls/live/a/1.ts", Body: big, CacheControl: "max-age=60"})
	store(t, s, object.Put{Path: "hls/live/a/index.m3u8", Body: playlist(3, 2), Delta: []byte("delta"), Blocking: true})
	store(t, s, object.Put{Path: "hls/live/a/empty.ts"})
	tag := s.Get("hls/live/a/1.ts").Full.ETag
	for _, c := range []struct {
		name, line string
		header     []string
		status     int
		body       string
		has        []string
	}{
		{"whole", "GET /hls/live/a/1.ts HTTP/1.1", nil, 200, string(big), []string{"Content-Type: video/mp2t", "Cache-Control: max-age=60", "ETag: " + tag, "Access-Control-Allow-Origin: *", "Accept-Ranges: bytes"}},
		{"encoded", "GET /hls/live/%61/1.ts?token=x HTTP/1.1", nil, 200, string(big), nil},
		{"empty", "GET /hls/live/a/empty.ts HTTP/1.1", nil, 200, "", []string{"Content-Length: 0"}},
		{"head", "HEAD /hls/live/a/1.ts HTTP/1.1", nil, 200, "", []string{"Content-Length: 4194304"}},
		{"range", "GET /hls/live/a/1.ts HTTP/1.1", []string{"Range: bytes=262140-262150"}, 206, string(big[262140:262151]), []string{"Content-Range: bytes 262140-262150/4194304"}},
		{"suffix", "GET /hls/live/a/1.ts HTTP/1.1", []string{"Range: bytes=-3"}, 206, "def", nil},
		{"beyond", "GET /hls/live/a/1.ts HTTP/1.1", []string{"Range: bytes=4194304-"}, 416, "", []string{"Content-Range: bytes */4194304"}},
		{"not modified", "GET /hls/live/a/1.ts HTTP/1.1", []string{"If-None-Match: " + tag}, 304, "", nil},
		{"preflight", "OPTIONS /hls/live/a/1.ts HTTP/1.1", []string{"Origin: http://o", "Access-Control-Request-Headers: range"}, 204, "", []string{"Access-Control-Allow-Headers: range"}},
		{"delta", "GET /hls/live/a/index.m3u8?_HLS_skip=YES HTTP/1.1", nil, 200, "delta", []string{"Cache-Control: no-cache"}},
		{"part that is there", "GET /hls/live/a/index.m3u8?_HLS_msn=3&_HLS_part=1 HTTP/1.1", nil, 200, string(playlist(3, 2)), nil},
		{"too far", "GET /hls/live/a/index.m3u8?_HLS_msn=9 HTTP/1.1", nil, 400, "the playlist does not go that far\n", nil},
		{"head never waits", "HEAD /hls/live/a/index.m3u8?_HLS_msn=3&_HLS_part=2 HTTP/1.1", nil, 200, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			request := strings.Join(append([]string{c.line, "Host: h"}, c.header...), "\r\n") + "\r\n\r\n"
			conn := dial(t, r.http.Addr(), 0)
			in := manner{}.reader(conn)
			method, _, _ := strings.Cut(c.line, " ")
			for range 2 { // on the same connection
				io.WriteString(conn, request)
				a := readAnswer(t, in, method)
				if !strings.Contains(a.status, fmt.Sprintf(" %d ", c.status)) || a.body != c.body {
					t.Errorf("%s %q, %d bytes", a.status, a.head, len(a.body))
				}
				for _, l := range c.has {
					if !slices.Contains(a.head, l) {
						t.Errorf("no %q in %q", l, a.head)
					}
				}
			}
		})
	}
}

// TestObjectsInHTTP10 have the connection close, after a large body too.
func TestObjectsInHTTP10(t *testing.T) {
	t.Parallel()
	r, s := objectRig(t)
	store(t, s, object.Put{Path: "hls/a/1.ts", Body: make([]byte, 400_000)})
	_, in, status, _ := r.get(slowly, "GET /hls/a/1.ts HTTP/1.0\r\n\r\n")
	if !strings.HasPrefix(status, "HTTP/1.0 200") {
		t.Errorf("status %q", status)
	}
	if b, err := io.ReadAll(in); len(b) != 400_000 || err != nil {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// TestObjectsPipelined asks for many at once and reads late.
func TestObjectsPipelined(t *testing.T) {
	t.Parallel()
	r, s := objectRig(t)
	const n = 40
	for i := range n {
		store(t, s, object.Put{Path: fmt.Sprintf("hls/a/%d.ts", i), Body: bytes.Repeat([]byte{byte(i)}, 300_000)})
	}
	conn := dial(t, r.http.Addr(), 4096)
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, "GET /hls/a/%d.ts HTTP/1.1\r\nHost: h\r\n\r\n", i)
	}
	io.WriteString(conn, all.String())
	in := manner{}.reader(conn)
	for i := range n {
		if a := readAnswer(t, in, "GET"); len(a.body) != 300_000 || a.body[299_999] != byte(i) {
			t.Fatalf("answer %d: %s, %d bytes", i, a.status, len(a.body))
		}
	}
}

// TestObjectsElsewhere are not the loop's: another path, another method, no
// reserved segment, a gate.
func TestObjectsElsewhere(t *testing.T) {
	t.Parallel()
	r, s := objectRig(t)
	store(t, s, object.Put{Path: "hls/a/1.ts", Body: []byte("x")})
	store(t, s, object.Put{Path: "page/1.ts", Body: []byte("x")})
	for path, want := range map[string]bool{"hls/a/1.ts": true, "hls/a/2.ts": false, "page/1.ts": false} {
		if got := r.engine.HasObject(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
	r.change(func(s *Settings) { s.ObjectsByHTTP = func() bool { return true } })
	if r.engine.HasObject("hls/a/1.ts") {
		t.Error("the loop passes the gate by")
	}
}

// TestParkedRequests wait for a playlist and for a hinted part; a pipelined
// request behind one that waits is answered after it.
func TestParkedRequests(t *testing.T) {
	t.Parallel()
	r, s := objectRig(t)
	put := func(parts int) {
		store(t, s, object.Put{Path: "hls/a/index.m3u8", Body: playlist(3, parts), Blocking: true, Hint: fmt.Sprintf("hls/a/3.%d.m4s", parts)})
	}
	put(1)
	list, part := dial(t, r.http.Addr(), 0), dial(t, r.http.Addr(), 0)
	io.WriteString(list, "GET /hls/a/index.m3u8?_HLS_msn=3&_HLS_part=1 HTTP/1.1\r\nHost: h\r\n\r\nHEAD /hls/a/index.m3u8 HTTP/1.1\r\nHost: h\r\n\r\n")
	io.WriteString(part, "GET /hls/a/3.1.m4s HTTP/1.1\r\nHost: h\r\n\r\n")
	eventually(t, "both wait", func() bool { return r.engine.Stats().Waiting == 2 })
	for _, c := range r.clients() {
		if c.Role != RoleWaiting {
			t.Errorf("a request that waits is %+v", c)
		}
	}
	store(t, s, object.Put{Path: "hls/a/3.1.m4s", Body: []byte("part")})
	if a := readAnswer(t, manner{}.reader(part), "GET"); a.body != "part" {
		t.Errorf("%+v", a)
	}
	put(2)
	in := manner{}.reader(list)
	if a := readAnswer(t, in, "GET"); a.body != string(playlist(3, 2)) {
		t.Errorf("%+v", a)
	}
	if a := readAnswer(t, in, "HEAD"); !strings.Contains(a.status, "200") {
		t.Errorf("%+v", a)
	}
	io.WriteString(part, "GET /hls/a/3.2.m4s HTTP/1.1\r\nHost: h\r\n\r\n")
	eventually(t, "one waits", func() bool { return r.engine.Stats().Waiting == 1 })
	part.Close()
	eventually(t, "nobody waits", func() bool { return r.engine.Stats().Waiting == 0 })
}

// TestParkedInVain has the playlist not come, not be wanted any more, and the
// server go down.
func TestParkedInVain(t *testing.T) {
	t.Parallel()
	const request = "GET /hls/a/index.m3u8?_HLS_msn=3 HTTP/1.1\r\nHost: h\r\n\r\n"
	short := bytes.ReplaceAll(playlist(3, 0), []byte("TARGETDURATION:2"), []byte("TARGETDURATION:0.1"))
	t.Run("three target durations", func(t *testing.T) {
		t.Parallel()
		r, s := objectRig(t)
		store(t, s, object.Put{Path: "hls/a/index.m3u8", Body: short, Blocking: true})
		conn := dial(t, r.http.Addr(), 0)
		in := manner{}.reader(conn)
		io.WriteString(conn, request+strings.ReplaceAll(request, "_HLS_msn=3", ""))
		for _, want := range []string{"503", "200"} {
			if a := readAnswer(t, in, "GET"); !strings.Contains(a.status, want) {
				t.Errorf("%+v", a)
			}
		}
	})
	t.Run("deleted", func(t *testing.T) {
		t.Parallel()
		r, s := objectRig(t)
		store(t, s, object.Put{Path: "hls/a/index.m3u8", Body: playlist(3, 0), Blocking: true})
		conn := dial(t, r.http.Addr(), 0)
		io.WriteString(conn, request)
		eventually(t, "one waits", func() bool { return r.engine.Stats().Waiting == 1 })
		if _, err := s.Delete("p", "hls/a/index.m3u8"); err != nil {
			t.Fatal(err)
		}
		if a := readAnswer(t, manner{}.reader(conn), "GET"); !strings.Contains(a.status, "404") {
			t.Errorf("%+v", a)
		}
	})
	t.Run("limit", func(t *testing.T) {
		t.Parallel()
		r, s := objectRig(t, settings(func(s *Settings) { s.Limits.Waiting = 1 }))
		store(t, s, object.Put{Path: "hls/a/index.m3u8", Body: playlist(3, 0), Blocking: true})
		io.WriteString(dial(t, r.http.Addr(), 0), request)
		eventually(t, "one waits", func() bool { return r.engine.Stats().Waiting == 1 })
		_, _, status, head := r.get(manner{}, request)
		if !strings.Contains(status, "503") || !slices.Contains(head, "Retry-After: 1") {
			t.Errorf("%s %q", status, head)
		}
	})
	t.Run("drain", func(t *testing.T) {
		t.Parallel()
		r, s := objectRig(t)
		store(t, s, object.Put{Path: "hls/a/index.m3u8", Body: playlist(3, 0), Blocking: true})
		conn := dial(t, r.http.Addr(), 0)
		io.WriteString(conn, request)
		eventually(t, "one waits", func() bool { return r.engine.Stats().Waiting == 1 })
		if err := r.engine.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if n := r.engine.Stats().Waiting; n != 0 {
			t.Errorf("%d wait", n)
		}
	})
}

// TestManyParked has 5,000 requests wait, whose heads are large, and answers
// them all; each must cost little meanwhile.
func TestManyParked(t *testing.T) {
	const most = 4 << 10
	r, s := objectRig(t, settings(func(s *Settings) { s.Limits.Waiting = 5000 }))
	n := min(5000, r.engine.gate.most/4) // no more may wait
	patient := bytes.ReplaceAll(playlist(3, 0), []byte("TARGETDURATION:2"), []byte("TARGETDURATION:600"))
	store(t, s, object.Put{Path: "hls/a/index.m3u8", Body: patient, Blocking: true})
	request := "GET /hls/a/index.m3u8?_HLS_msn=3&_HLS_part=0 HTTP/1.1\r\nHost: h\r\nOrigin: http://o\r\nCookie: " + strings.Repeat("x", 2000) + "\r\n\r\n"
	goroutines, before := runtime.NumGoroutine(), heap()
	clients := make([]io.Reader, n)
	for i := range clients {
		c := dial(t, r.http.Addr(), 0)
		io.WriteString(c, request)
		clients[i] = c
	}
	eventually(t, "all wait", func() bool { return r.engine.Stats().Waiting == int64(n) })
	each := (heap() - before) / n
	t.Logf("%d requests wait, %d bytes for each, with the client's part", n, each)
	if each > most {
		t.Errorf("%d bytes for a request that waits", each)
	}
	eventually(t, "no goroutine waits for each", func() bool { return runtime.NumGoroutine() < goroutines+n/2 })
	store(t, s, object.Put{Path: "hls/a/index.m3u8", Body: playlist(3, 1), Blocking: true})
	for _, c := range clients {
		if a := readAnswer(t, bufio.NewReaderSize(c, 1024), "GET"); len(a.body) != len(playlist(3, 1)) {
			t.Fatalf("%+v", a)
		}
	}
}

// TestSlowReadersOfAnObject share its bytes: 2,000 of them, who do not read,
// cost the heap no more than their connections.
func TestSlowReadersOfAnObject(t *testing.T) {
	const n, most = 2000, 4 << 10
	r, s := objectRig(t)
	store(t, s, object.Put{Path: "hls/a/1.ts", Body: make([]byte, 4<<20)})
	before := heap()
	clients := make([]net.Conn, n)
	for i := range clients {
		c := dial(t, r.http.Addr(), 4096)
		io.WriteString(c, "GET /hls/a/1.ts HTTP/1.1\r\nHost: h\r\n\r\n")
		clients[i] = c
	}
	blocked := func() (all int) {
		for _, l := range r.engine.loops {
			r.on(l, func() { all += len(l.fanout.blocked) })
		}
		return all
	}
	eventually(t, "all sockets are full", func() bool { return blocked() == n })
	each := (heap() - before) / n
	t.Logf("%d bytes for a slow reader, with the client's part", each)
	if each > most {
		t.Errorf("%d bytes for a slow reader", each)
	}
	for _, c := range clients[:20] { // they get all of it in the end
		if a := readAnswer(t, manner{}.reader(c), "GET"); len(a.body) != 4<<20 {
			t.Fatalf("%s, %d bytes", a.status, len(a.body))
		}
	}
}

// TestViewerBehindParkedRequest pipelines a request for a stream behind one
// that waits for its object: what comes after must not keep the idle time of
// the request before.
func TestViewerBehindParkedRequest(t *testing.T) {
	t.Parallel()
	r, s := objectRig(t, settings(func(s *Settings) { s.Limits.IdleTimeout = 100 * time.Millisecond }))
	f := r.start("live/a")
	store(t, s, object.Put{Path: "hls/a/index.m3u8", Body: playlist(3, 0), Blocking: true})
	conn := dial(t, r.http.Addr(), 0)
	in := manner{}.reader(conn)
	io.WriteString(conn, "GET /hls/a/index.m3u8?_HLS_msn=3&_HLS_part=0 HTTP/1.1\r\nHost: h\r\n\r\n"+chunked.request("live/a"))
	eventually(t, "it waits", func() bool { return r.engine.Stats().Waiting == 1 })
	store(t, s, object.Put{Path: "hls/a/index.m3u8", Body: playlist(3, 1), Blocking: true})
	if a := readAnswer(t, in, "GET"); a.body != string(playlist(3, 1)) {
		t.Errorf("%+v", a)
	}
	if status, _, err := readHead(in); err != nil || !strings.Contains(status, "200") {
		t.Fatalf("answer %q, %v", status, err)
	}
	p := record(t, conn, &chunkSource{r: in})
	for _, l := range r.engine.loops {
		r.on(l, func() {
			for _, c := range l.conns {
				if c.viewer != nil && c.timer.deadline != 0 {
					t.Error("a viewer has a deadline")
				}
			}
		})
	}
	f.gop(3, 1000)
	p.waitLast(f)
}
