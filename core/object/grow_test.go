package object

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// grow stores an object behind the first keep bytes of the one at its path.
func grow(t testing.TB, s *Store, p Put, keep int) {
	t.Helper()
	p.After, p.Keep = s.Get(p.Path).Full.ETag, int64(keep)
	put(t, s, p)
}

// TestGrow has a low-latency playlist of 1,200 segments grow and change at its
// end: at each moment it is what was sent whole, in few pieces, and no more of
// it is charged than there is.
func TestGrow(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, 2} {
		s, _ := newStore(t, 8<<20)
		random := rand.New(rand.NewPCG(seed, 0))
		const path, own = "hls/a/index.m3u8", "hls/a/s/index.m3u8"
		fixed := media(7, 0, 0)
		keep := 0
		for i := range 1200 {
			tail := strings.Repeat("#EXT-X-PART:DURATION=0.5,URI=\"p\"\n", random.IntN(5))
			p := Put{Path: path, Body: []byte(fixed[keep:] + tail), Blocking: true, TTL: time.Hour}
			if i == 0 || random.IntN(200) == 0 { // as if the plugin had begun anew
				p.Body = []byte(fixed + tail)
				put(t, s, p)
			} else {
				grow(t, s, p, keep)
			}
			put(t, s, Put{Path: own, Parts: []string{path}, Blocking: true, TTL: time.Hour})
			for _, path := range []string{path, own} {
				o := s.Get(path)
				if i%50 == 0 && text(o.Full) != fixed+tail {
					t.Fatalf("%s has %d bytes after %d segments, want %d", path, o.Full.Size, i, len(fixed+tail))
				}
				if i%50 == 0 && o.at != positionOf([][]byte{[]byte(fixed + tail)}) {
					t.Fatalf("%s: read as %+v after %d segments", path, o.at, i)
				}
				if n := len(o.Full.Blocks); int64(n) > 2+o.Full.Size/minPiece*2 {
					t.Fatalf("%d bytes in %d pieces", o.Full.Size, n)
				}
			}
			if used, want := s.Used()["p"], s.Get(path).Full.Size+s.Get(path).extra+s.Get(own).extra; used != want {
				t.Fatalf("%d bytes used after %d segments, want %d", used, i, want)
			}
			keep = len(fixed)
			fixed += fmt.Sprintf("#EXTINF:6.000000,\n/hls/live/cam/20260102_030405/%d.ts%s\n", i, strings.Repeat("x", random.IntN(100)))
		}
		for _, path := range []string{path, own} {
			if _, err := s.Delete("p", path); err != nil {
				t.Fatal(err)
			}
		}
		if used := s.Used()["p"]; used != 0 {
			t.Errorf("%d bytes are used by nothing", used)
		}
	}
}

// What was read of a beginning is not read again.
func TestGrowReadsNew(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t, 8<<20)
	first := media(7, 5000, 0)
	put(t, s, Put{Path: "hls/a", Body: []byte(first), Blocking: true})
	grow(t, s, Put{Path: "hls/a", Body: []byte("#EXTINF:2,\nseg.m4s\n"), Blocking: true}, len(first))
	o := s.Get("hls/a")
	if len(o.blobs) != 2 || o.blobs[0].at == nil || o.blobs[1].at == nil || o.blobs[1].before != o.blobs[0] || o.at.next != 5008 {
		t.Errorf("%d blobs, %+v", len(o.blobs), o.at)
	}
	// Nor is what does not end with a line believed.
	whole := first + "#EXTINF:2,\nse"
	put(t, s, Put{Path: "hls/a", Body: []byte(whole), Blocking: true})
	grow(t, s, Put{Path: "hls/a", Body: []byte("g.m4s\n#EXTINF:2,\nother\n"), Blocking: true}, len(whole))
	if o := s.Get("hls/a"); o.at.next != 5009 {
		t.Errorf("%+v", o.at)
	}
}

func TestGrowRefused(t *testing.T) {
	t.Parallel()
	s, clock := newStore(t, 1<<20)
	put(t, s, Put{Path: "hls/a", Body: []byte("abcdef")})
	put(t, s, Put{Path: "hls/b", Body: []byte("abcdef")})
	tag := s.Get("hls/a").Full.ETag
	before := s.Used()["p"]
	for _, c := range []struct {
		name string
		put  Put
		want error
	}{
		{"another tag", Put{Path: "hls/a", After: `"x"`}, ErrChanged},
		{"absent", Put{Path: "hls/c", After: tag}, ErrChanged},
		{"more than there is", Put{Path: "hls/a", After: tag, Keep: 7}, ErrInvalid},
		{"parts", Put{Path: "hls/a", After: tag, Keep: 6, Parts: []string{"hls/b"}}, ErrInvalid},
		{"no tag", Put{Path: "hls/a", Keep: 6}, ErrInvalid},
		{"elsewhere", Put{Path: "mp4/a", After: tag}, ErrChanged},
		{"hint elsewhere", Put{Path: "hls/a", After: tag, Keep: 6, Hint: "mp4/a"}, ErrForbidden},
	} {
		if err := s.Put("p", c.put); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if used := s.Used()["p"]; used != before {
			t.Errorf("%s: %d bytes used, %d before", c.name, used, before)
		}
	}
	clock.advance(time.Hour)
	if err := s.Put("p", Put{Path: "hls/a", After: tag, Keep: 6}); !errors.Is(err, ErrChanged) {
		t.Errorf("of one whose time is over: %v", err)
	}
	s.Sweep()
	if used := s.Used()["p"]; used != 0 {
		t.Errorf("%d bytes are used by nothing", used)
	}
}

// One that came between wins; what grows from the one before does not take its
// place.
func TestGrowRace(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t, 4<<20)
	put(t, s, Put{Path: "hls/a", Body: []byte(strings.Repeat("0", 2*minPiece))})
	done := make(chan int)
	for range 4 {
		go func() {
			won := 0
			for range 200 {
				o := s.Get("hls/a")
				err := s.Put("p", Put{Path: "hls/a", After: o.Full.ETag, Keep: o.Full.Size, Body: []byte("1"), Blocking: true})
				if err == nil {
					won++
				} else if !errors.Is(err, ErrChanged) {
					t.Error(err)
				}
			}
			done <- won
		}()
	}
	won := 0
	for range 4 {
		won += <-done
	}
	o := s.Get("hls/a")
	if o.Full.Size != int64(2*minPiece+won) {
		t.Errorf("%d bytes were added %d times", o.Full.Size-2*minPiece, won)
	}
	if used := s.Used()["p"]; used != o.Full.Size+o.extra {
		t.Errorf("%d bytes used for %d", used, o.Full.Size)
	}
}

// PATCH with If-Match, as plugins send it.
func TestHandlerGrow(t *testing.T) {
	t.Parallel()
	h, s := newHandler(t, 1<<20)
	w := ask(h, "PUT", "/objects/hls/a", strings.NewReader("abcdef"))
	tag := w.Header().Get("ETag")
	if w.Code != 201 || tag != s.Get("hls/a").Full.ETag {
		t.Fatalf("%d, %s", w.Code, tag)
	}
	for _, c := range []struct {
		name, keep, tag string
		want            int
		body            string
	}{
		{"keep is no number", "x", tag, 400, "abcdef"},
		{"keep too much", "7", tag, 400, "abcdef"},
		{"another tag", "3", `"x"`, 412, "abcdef"},
		{"grow", "3", tag, 204, "abcxy"},
		{"once more", "3", tag, 412, "abcxy"},
	} {
		w := ask(h, "PATCH", "/objects/hls/a", strings.NewReader("xydelta"), "If-Match", c.tag, HeaderKeep, c.keep, HeaderDelta, "5")
		if w.Code != c.want || text(s.Get("hls/a").Full) != c.body {
			t.Errorf("%s: %d, %s", c.name, w.Code, text(s.Get("hls/a").Full))
		}
		if w.Code == 204 && (w.Header().Get("ETag") != s.Get("hls/a").Full.ETag || text(s.Get("hls/a").Delta) != "delta") {
			t.Errorf("%s: %s, %s", c.name, w.Header().Get("ETag"), text(s.Get("hls/a").Delta))
		}
	}
	if w := ask(h, "PUT", "/objects/hls/a", strings.NewReader("x"), HeaderKeep, "1"); w.Code != 400 {
		t.Errorf("a PUT that keeps: %d", w.Code)
	}
	if used, want := s.Used()["p"], int64(5+5+overhead+5); used != want {
		t.Errorf("%d bytes used, want %d", used, want)
	}
}
