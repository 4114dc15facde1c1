package object

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func newHandler(t testing.TB, max int64) (*Handler, *Store) {
	s, _ := newStore(t, max)
	return &Handler{
		Store: s, Logger: slog.New(slog.DiscardHandler),
		Owner: func(r *http.Request) (string, bool) { return "p", r.Header.Get("Authorization") == "Bearer t" },
	}, s
}

func ask(h *Handler, method, path string, body io.Reader, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, body)
	r.Header.Set("Authorization", "Bearer t")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// headerCases are PUT requests' fields and what comes of them.
var headerCases = []struct {
	name   string
	header []string
	want   int
}{
	{"none", nil, 201},
	{"all", []string{"Content-Type", "a/b", "Cache-Control", "max-age=1", HeaderTTL, "90s", HeaderBlocking, "1",
		HeaderMSN, "7", HeaderPart, "3", HeaderDelta, "2", HeaderHint, "hls/n%20ext"}, 201},
	{"ttl", []string{HeaderTTL, "soon"}, 400},
	{"negative ttl", []string{HeaderTTL, "-1s"}, 400},
	{"msn", []string{HeaderMSN, "-1"}, 400},
	{"blocking", []string{HeaderBlocking, "yes"}, 400},
	{"delta past the body", []string{HeaderDelta, "99"}, 400},
	{"hint", []string{HeaderHint, "%zz"}, 400},
	{"hint elsewhere", []string{HeaderHint, "mp4/x"}, 403},
	{"parts and a body", []string{HeaderParts, "hls/part"}, 400},
	{"parts out of place", []string{HeaderParts, "../x"}, 400},
	{"parts", []string{HeaderParts, "hls/part,hls%2Fpart", HeaderDelta, "6"}, 201},
	{"keep", []string{HeaderKeep, "1"}, 400},
	{"absent part", []string{HeaderParts, "hls/absent", HeaderDelta, "6"}, 409},
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	for _, c := range headerCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, s := newHandler(t, 1<<20)
			put(t, s, Put{Path: "hls/part", Body: []byte("xy")})
			before := s.Used()["p"]
			w := ask(h, "PUT", "/objects/hls/a.m3u8", strings.NewReader("abcdef"), c.header...)
			if w.Code != c.want {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if w.Code >= 400 && s.Used()["p"] != before {
				t.Errorf("%d bytes used after a refusal, %d before", s.Used()["p"], before)
			}
		})
	}
}

// TestPutTakesAll looks at what came of all fields.
func TestPutTakesAll(t *testing.T) {
	t.Parallel()
	h, s := newHandler(t, 1<<20)
	ask(h, "PUT", "/objects/hls/a", strings.NewReader("abcdef"), headerCases[1].header...)
	o := s.Get("hls/a")
	if o.ContentType != "a/b" || o.CacheControl != "max-age=1" || !o.Blocking || o.at.next != 7 || o.at.parts != 3 ||
		text(o.Full) != "abcd" || text(o.Delta) != "ef" || o.Hint != "hls/n ext" {
		t.Errorf("%+v %q %q", o, text(o.Full), text(o.Delta))
	}
	if left := o.expires.Sub(s.now()); left != 90*time.Second {
		t.Errorf("TTL %v", left)
	}
}

// Refresh has what is below a folder stay, and has it go last.
func TestRefresh(t *testing.T) {
	t.Parallel()
	s, c := newStore(t, 1<<20)
	h := &Handler{Store: s, Logger: slog.New(slog.DiscardHandler), Owner: func(*http.Request) (string, bool) { return "p", true }}
	for _, path := range []string{"hls/a/keys/1", "hls/a/keys/2", "hls/a/keysx", "hls/b/keys/1"} {
		put(t, s, Put{Path: path, Body: []byte("x"), TTL: time.Minute})
	}
	put(t, s, Put{Path: "hls/a/keys/old", Body: []byte("x"), TTL: time.Second})
	c.advance(30 * time.Second)
	if w := ask(h, "PATCH", "/objects/hls/a/keys/", nil, HeaderTTL, "5m"); w.Code != 200 || w.Body.String() != "hls/a/keys/1\nhls/a/keys/2\n" {
		t.Errorf("%d %q", w.Code, w.Body.String())
	}
	c.advance(4 * time.Minute)
	s.Sweep()
	if !s.Has("hls/a/keys/1") || !s.Has("hls/a/keys/2") || s.Has("hls/a/keysx") || s.Has("hls/b/keys/1") || s.Has("hls/a/keys/old") {
		t.Error("others than those that were refreshed stay")
	}
	put(t, s, Put{Path: "hls/young", Body: []byte("x"), TTL: time.Minute})
	if _, err := s.Refresh("p", "hls/a/", time.Minute); err != nil {
		t.Fatal(err)
	}
	put(t, s, Put{Path: "hls/large", Body: make([]byte, 1<<20-3*(overhead+100))})
	if s.Has("hls/young") || !s.Has("hls/a/keys/2") {
		t.Error("what was refreshed went before what was not")
	}
	for path, want := range map[string]int{"hls/a": 400, "mp4/a/": 403, "hls/none/": 200} {
		if w := ask(h, "PATCH", "/objects/"+path, nil); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
	if w := ask(h, "PATCH", "/objects/hls/a/", nil, HeaderTTL, "-1s"); w.Code != 400 {
		t.Errorf("a TTL in the past: %d", w.Code)
	}
}

func TestHandler(t *testing.T) {
	t.Parallel()
	h, s := newHandler(t, 2<<20)
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for _, c := range []struct {
		name, method, path string
		body               io.Reader
		header             []string
		want               int
		answer             string
	}{
		{"no token", "PUT", "/objects/hls/a", nil, []string{"Authorization", "Bearer x"}, 401, ""},
		{"put", "PUT", "/objects/hls/a", bytes.NewReader(big), nil, 201, ""},
		{"byte by byte", "PUT", "/objects/hls/a", iotest.OneByteReader(bytes.NewReader(big)), nil, 204, ""},
		{"get", "GET", "/objects/hls/a", nil, nil, 200, string(big)},
		{"range", "GET", "/objects/hls/a", nil, []string{"Range", "bytes=1048570-"}, 206, "abcdef"},
		{"head", "HEAD", "/objects/hls/a", nil, nil, 200, ""},
		{"cut off", "PUT", "/objects/hls/a", io.MultiReader(strings.NewReader("x"), iotest.ErrReader(io.ErrUnexpectedEOF)), nil, 400, ""},
		{"too large", "PUT", "/objects/hls/b", bytes.NewReader(make([]byte, 3<<20)), nil, 507, ""},
		{"what was there", "GET", "/objects/hls/a", nil, nil, 200, string(big)},
		{"elsewhere", "PUT", "/objects/mp4/a", strings.NewReader("x"), nil, 403, ""},
		{"hidden", "PUT", "/objects/hls/.a", strings.NewReader("x"), nil, 400, ""},
		{"method", "POST", "/objects/hls/a", nil, nil, 405, ""},
		{"small", "PUT", "/objects/hls/c", strings.NewReader("x"), nil, 201, ""},
		{"delete", "DELETE", "/objects/hls/c", nil, nil, 204, ""},
		{"delete again", "DELETE", "/objects/hls/c", nil, nil, 404, ""},
		{"delete elsewhere", "DELETE", "/objects/mp4/c", nil, nil, 403, ""},
	} {
		w := ask(h, c.method, c.path, c.body, c.header...)
		if w.Code != c.want || c.answer != "" && w.Body.String() != c.answer {
			t.Errorf("%s: %d, %d bytes", c.name, w.Code, w.Body.Len())
		}
	}
	s.Delete("p", "hls/a")
	if used := s.Used()["p"]; used != 0 {
		t.Errorf("%d bytes are used by nothing", used)
	}
}

func FuzzHeader(f *testing.F) {
	for _, c := range headerCases {
		all := map[string]string{}
		for i := 0; i < len(c.header); i += 2 {
			all[c.header[i]] = c.header[i+1]
		}
		f.Add(all[HeaderTTL], all[HeaderMSN], all[HeaderDelta], all[HeaderParts], all[HeaderHint], all[HeaderKeep], "hls/a", "body")
	}
	f.Add("", "", "", "", "", "1", "hls/part", "body")
	f.Fuzz(func(t *testing.T, ttl, msn, delta, parts, hint, keep, path, body string) {
		s, _ := newStore(t, 1<<20)
		put(t, s, Put{Path: "hls/part", Body: []byte("xy")})
		before := s.Used()["p"]
		r := httptest.NewRequest("PUT", "/", strings.NewReader(body))
		for name, v := range map[string]string{HeaderTTL: ttl, HeaderMSN: msn, HeaderDelta: delta, HeaderParts: parts, HeaderHint: hint} {
			r.Header.Set(name, v)
		}
		r.Header.Set(HeaderBlocking, "1")
		if keep != "" {
			r.Method = "PATCH"
			r.Header.Set(HeaderKeep, keep)
			r.Header.Set("If-Match", s.Get("hls/part").Full.ETag)
		}
		if _, err := s.receive("p", path, r); err != nil {
			if used := s.Used()["p"]; used != before {
				t.Errorf("%d bytes used after %v, %d before", used, err, before)
			}
			return
		}
		s.Find(path, ParseDirectives("_HLS_msn="+msn))
		s.Delete("p", path)
		s.Delete("p", "hls/part")
		if used := s.Used()["p"]; used != 0 {
			t.Errorf("%d bytes are used by nothing", used)
		}
	})
}

func FuzzDirectives(f *testing.F) {
	for query := range directiveCases {
		f.Add(query, media(7, 2, 2))
	}
	f.Fuzz(func(t *testing.T, query, playlist string) {
		d := ParseDirectives(query)
		p := positionOf([][]byte{[]byte(playlist)})
		if p.reached(d) && p.tooFar(d) && !d.Bad && d.MSN >= 0 {
			t.Errorf("%+v is reached and too far in %+v", d, p)
		}
	})
}
