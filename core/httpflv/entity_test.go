package httpflv

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var (
	entityTime = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	entity     = Entity{ContentType: "video/mp2t", CacheControl: "no-cache", ETag: `"tag"`, Modified: entityTime, Size: 100}
)

// entityCases are requests and the status and part that they get of 100 bytes.
var entityCases = []struct {
	name, method string
	header       []string
	status       int
	start, size  int64
}{
	{"whole", "GET", nil, 200, 0, 100},
	{"head", "HEAD", nil, 200, 0, 0},
	{"first byte", "GET", []string{"Range: bytes=0-0"}, 206, 0, 1},
	{"to the end", "GET", []string{"Range: bytes=90-"}, 206, 90, 10},
	{"from the start", "GET", []string{"Range: bytes=0-"}, 206, 0, 100},
	{"clamped", "GET", []string{"Range: bytes=90-1000"}, 206, 90, 10},
	{"suffix", "GET", []string{"Range: bytes=-10"}, 206, 90, 10},
	{"long suffix", "GET", []string{"Range: bytes=-1000"}, 206, 0, 100},
	{"empty suffix", "GET", []string{"Range: bytes=-0"}, 416, 0, 0},
	{"at the end", "GET", []string{"Range: bytes=100-"}, 416, 0, 0},
	{"beyond", "GET", []string{"Range: bytes=200-300"}, 416, 0, 0},
	{"far beyond", "GET", []string{"Range: bytes=99999999999999999999-"}, 416, 0, 0},
	{"unit alone", "GET", []string{"Range: bytes"}, 200, 0, 100},
	{"no dash", "GET", []string{"Range: bytes=5"}, 200, 0, 100},
	{"backwards", "GET", []string{"Range: bytes=9-1"}, 200, 0, 100},
	{"signs", "GET", []string{"Range: bytes=+1-+2"}, 200, 0, 100},
	{"no numbers", "GET", []string{"Range: bytes=a-b"}, 200, 0, 100},
	{"other unit", "GET", []string{"Range: lines=0-1"}, 200, 0, 100},
	{"several", "GET", []string{"Range: bytes=0-1,5-6"}, 200, 0, 100},
	{"ten thousand", "GET", []string{"Range: bytes=0-0" + strings.Repeat(",0-0", 9999)}, 200, 0, 100},
	{"range of a head", "HEAD", []string{"Range: bytes=0-0"}, 200, 0, 0},
	{"if-range", "GET", []string{"Range: bytes=1-2", `If-Range: "tag"`}, 206, 1, 2},
	{"if-range other", "GET", []string{"Range: bytes=1-2", `If-Range: "other"`}, 200, 0, 100},
	{"if-range weak", "GET", []string{"Range: bytes=1-2", `If-Range: W/"tag"`}, 200, 0, 100},
	{"if-range date", "GET", []string{"Range: bytes=1-2", "If-Range: Sat, 21 Nov 2026 12:00:00 GMT"}, 206, 1, 2},
	{"if-range old date", "GET", []string{"Range: bytes=1-2", "If-Range: Sat, 21 Nov 2026 11:00:00 GMT"}, 200, 0, 100},
	{"if-none-match", "GET", []string{`If-None-Match: "a", "tag"`}, 304, 0, 0},
	{"if-none-match weak", "GET", []string{`If-None-Match: W/"tag"`}, 304, 0, 0},
	{"if-none-match star", "GET", []string{"If-None-Match: *"}, 304, 0, 0},
	{"if-none-match other", "GET", []string{`If-None-Match: "a"`}, 200, 0, 100},
	{"if-match", "GET", []string{`If-Match: "tag"`}, 200, 0, 100},
	{"if-match other", "GET", []string{`If-Match: "a"`}, 412, 0, 0},
	{"if-match weak", "GET", []string{`If-Match: W/"tag"`}, 412, 0, 0},
	{"not modified", "GET", []string{"If-Modified-Since: Sat, 21 Nov 2026 12:00:00 GMT"}, 304, 0, 0},
	{"modified", "GET", []string{"If-Modified-Since: Sat, 21 Nov 2026 11:59:59 GMT"}, 200, 0, 100},
	{"not a date", "GET", []string{"If-Modified-Since: yesterday"}, 200, 0, 100},
	{"tag before date", "GET", []string{`If-None-Match: "a"`, "If-Modified-Since: Sat, 21 Nov 2026 12:00:00 GMT"}, 200, 0, 100},
	{"unmodified", "GET", []string{"If-Unmodified-Since: Sat, 21 Nov 2026 11:00:00 GMT"}, 412, 0, 0},
}

func TestAppendEntity(t *testing.T) {
	t.Parallel()
	for _, c := range entityCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			request := c.method + " /hls/a HTTP/1.1\r\nHost: h\r\n" + strings.Join(append(c.header, ""), "\r\n") + "\r\n"
			h, _, err := ParseHead([]byte(request), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			for _, head := range []Head{h, h.Kept()} {
				out, part, keep := Responder{}.AppendEntity(nil, head, entity, entityTime)
				if want := fmt.Sprintf("HTTP/1.1 %d ", c.status); !strings.HasPrefix(string(out), want) || part.Length != c.size || part.Start != c.start || !keep {
					t.Errorf("%s part %+v keep %v", out, part, keep)
				}
				asServeContent(t, request, out)
			}
		})
	}
}

// asServeContent holds an answer against that of net/http.
func asServeContent(t *testing.T, request string, out []byte) {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request)))
	if err != nil {
		t.Fatal(err)
	}
	if v := r.Header.Get("Range"); strings.ContainsAny(v, ",+") || v == "bytes=-0" {
		return // we answer the whole, as to what is malformed; net/http takes a sign, and sends bytes 100-99
	}
	w := httptest.NewRecorder()
	w.Header().Set("ETag", entity.ETag)
	w.Header().Set("Content-Type", entity.ContentType)
	http.ServeContent(w, r, "", entity.Modified, bytes.NewReader(make([]byte, entity.Size)))
	got, err := http.ReadResponse(bufio.NewReader(io.MultiReader(bytes.NewReader(out), bytes.NewReader(make([]byte, entity.Size)))), r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	want := w.Result()
	// For malformed ranges net/http has 416 where RFC 9110 says: ignore; a
	// HEAD it answers in part.
	if want.StatusCode == http.StatusRequestedRangeNotSatisfiable && want.Header.Get("Content-Range") == "" || r.Method == http.MethodHead {
		return
	}
	if got.StatusCode != want.StatusCode || got.Header.Get("Content-Range") != want.Header.Get("Content-Range") {
		t.Errorf("%d %q, net/http has %d %q", got.StatusCode, got.Header.Get("Content-Range"), want.StatusCode, want.Header.Get("Content-Range"))
	}
}

func TestKeptIsSmall(t *testing.T) {
	t.Parallel()
	request := "GET /hls/a HTTP/1.0\r\nCookie: " + strings.Repeat("x", 10000) + "\r\nOrigin: http://o\r\nIf-None-Match: " + strings.Repeat("y", 10000) + "\r\n\r\n"
	h, _, err := ParseHead([]byte(request), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	k := h.Kept()
	if len(k.fields) > 100 || k.Get("Origin") != "http://o" || k.Minor != 0 || k.KeepAlive {
		t.Errorf("%+v", k)
	}
}

func FuzzRange(f *testing.F) {
	for _, c := range entityCases {
		for _, l := range c.header {
			if v, ok := strings.CutPrefix(l, "Range: "); ok {
				f.Add(v, int64(100))
			}
		}
	}
	f.Fuzz(func(t *testing.T, value string, size int64) {
		if size < 0 {
			return
		}
		r, kind := ParseRange(value, size)
		if kind == RangeOne && (r.Start < 0 || r.Length < 1 || r.Start+r.Length > size) {
			t.Errorf("%q of %d: %+v", value, size, r)
		}
		if kind != RangeOne && r != (Range{}) {
			t.Errorf("%q of %d: %+v, kind %d", value, size, r, kind)
		}
	})
}
