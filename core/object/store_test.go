package object

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestPut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		put  Put
		want error
	}{
		{"plain", Put{Path: "hls/live/a/1.ts", Body: []byte("x")}, nil},
		{"empty", Put{Path: "hls/live/a/1.ts"}, nil},
		{"elsewhere", Put{Path: "mp4/live/a/1.ts"}, ErrForbidden},
		{"prefix as a name", Put{Path: "hls"}, ErrForbidden},
		{"near the prefix", Put{Path: "hlsx/a"}, ErrForbidden},
		{"hint elsewhere", Put{Path: "hls/a", Hint: "mp4/a"}, ErrForbidden},
		{"up", Put{Path: "hls/../etc"}, ErrInvalid},
		{"absolute", Put{Path: "/hls/a"}, ErrInvalid},
		{"double slash", Put{Path: "hls//a"}, ErrInvalid},
		{"hidden", Put{Path: "hls/.a"}, ErrInvalid},
		{"line break", Put{Path: "hls/a\r\nb"}, ErrInvalid},
		{"not UTF-8", Put{Path: "hls/\xff"}, ErrInvalid},
		{"long", Put{Path: "hls/" + strings.Repeat("a", maxPath)}, ErrInvalid},
		{"type with a line break", Put{Path: "hls/a", ContentType: "a\nb"}, ErrInvalid},
		{"negative TTL", Put{Path: "hls/a", TTL: -1}, ErrInvalid},
		{"absent part", Put{Path: "hls/a", Parts: []string{"hls/b"}}, ErrPart},
		{"too large", Put{Path: "hls/a", Body: make([]byte, 1<<20)}, ErrFull},
		{"too large delta", Put{Path: "hls/a", Delta: make([]byte, 1<<20)}, ErrFull},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, _ := newStore(t, 1<<20)
			if err := s.Put("p", c.put); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if c.want != nil && s.Used()["p"] != 0 {
				t.Errorf("%d bytes used after a refusal", s.Used()["p"])
			}
			if err := s.Put("nobody", Put{Path: "hls/a"}); !errors.Is(err, ErrForbidden) {
				t.Errorf("a stranger's error is %v", err)
			}
		})
	}
}

// TestParts makes a segment of parts, which go before it does.
func TestParts(t *testing.T) {
	t.Parallel()
	s, clock := newStore(t, 1<<20)
	for i := range 3 {
		put(t, s, Put{Path: fmt.Sprintf("hls/a/1.%d.m4s", i), Body: []byte(strings.Repeat(string(rune('a'+i)), 1000)), TTL: 10 * time.Second})
	}
	before := s.Used()["p"]
	put(t, s, Put{Path: "hls/a/1.m4s", Parts: []string{"hls/a/1.0.m4s", "hls/a/1.1.m4s", "hls/a/1.2.m4s"}})
	if more := s.Used()["p"] - before; more > 2*overhead {
		t.Errorf("a segment of parts costs %d bytes", more)
	}
	whole, part := s.Get("hls/a/1.m4s"), s.Get("hls/a/1.1.m4s")
	if &whole.Full.Blocks[1][0] != &part.Full.Blocks[0][0] {
		t.Error("the bytes of a part were copied")
	}
	clock.advance(11 * time.Second)
	s.Sweep()
	if s.Get("hls/a/1.1.m4s") != nil {
		t.Error("the part outlived its TTL")
	}
	if got := text(s.Get("hls/a/1.m4s").Full); len(got) != 3000 || got[1000] != 'b' {
		t.Errorf("the segment has %d bytes", len(got))
	}
	clock.advance(time.Hour)
	s.Sweep()
	if used := s.Used()["p"]; used != 0 {
		t.Errorf("%d bytes are used by nothing", used)
	}
}

// TestOldestGoesFirst fills the budget.
func TestOldestGoesFirst(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t, 64<<10)
	for i := range 100 {
		put(t, s, Put{Path: fmt.Sprintf("hls/a/%d.ts", i), Body: make([]byte, 4<<10)})
		put(t, s, Put{Path: "hls/a/index.m3u8", Body: []byte(fmt.Sprint(i))})
		if used := s.Used()["p"]; used > 64<<10 {
			t.Fatalf("%d bytes used", used)
		}
	}
	if got := text(s.Get("hls/a/index.m3u8").Full); got != "99" {
		t.Errorf("the playlist is %s", got)
	}
	if s.Get("hls/a/99.ts") == nil || s.Get("hls/a/90.ts") == nil || s.Get("hls/a/10.ts") != nil {
		t.Error("not the oldest went")
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t, 1<<20)
	put(t, s, Put{Path: "hls/a", Body: []byte("x")})
	if had, err := s.Delete("p", "hls/a"); !had || err != nil {
		t.Error(had, err)
	}
	if had, err := s.Delete("p", "hls/a"); had || err != nil {
		t.Error(had, err)
	}
	if _, err := s.Delete("p", "mp4/a"); !errors.Is(err, ErrForbidden) {
		t.Error(err)
	}
	if used := s.Used()["p"]; used != 0 {
		t.Errorf("%d bytes used", used)
	}
}

func TestETag(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t, 1<<20)
	tag := func(body, delta string) string {
		put(t, s, Put{Path: "hls/a", Body: []byte(body), Delta: []byte(delta)})
		o := s.Get("hls/a")
		if o.Full.ETag == o.Delta.ETag && body != delta {
			t.Error("the delta has the ETag of the whole")
		}
		return o.Full.ETag
	}
	if tag("1", "x") != tag("1", "y") || tag("1", "x") == tag("2", "x") {
		t.Error("the ETag does not tell bodies apart")
	}
}

// TestAwait has goroutines wait for a playlist, and for a hinted part.
func TestAwait(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t, 1<<20)
	playlist := func(parts int, hint string) {
		put(t, s, Put{Path: "hls/a/index.m3u8", Body: []byte(media(7, 2, parts)), Blocking: true, Hint: hint})
	}
	playlist(1, "hls/a/9.1.m4s")
	found := make(chan Found, 3)
	go func() { found <- s.Await(t.Context(), "hls/a/index.m3u8", Directives{MSN: 9, Part: 1}) }()
	eventually(t, func() bool { return s.watched() == 1 })
	go func() { found <- s.Await(t.Context(), "hls/a/9.1.m4s", none) }()
	eventually(t, func() bool { return s.watched() == 2 })
	put(t, s, Put{Path: "hls/a/9.1.m4s", Body: []byte("part")})
	if f := <-found; f.State != Ready || text(f.Content) != "part" {
		t.Errorf("hinted part: %v", f)
	}
	playlist(2, "hls/a/9.2.m4s")
	if f := <-found; f.State != Ready || text(f.Content) != media(7, 2, 2) {
		t.Errorf("playlist: %v", f)
	}
	go func() { found <- s.Await(t.Context(), "hls/a/9.2.m4s", none) }()
	eventually(t, func() bool { return s.watched() == 1 })
	playlist(2, "hls/a/other.m4s")
	if f := <-found; f.State != Absent {
		t.Errorf("a hint that was taken back: %v", f)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if f := s.Await(ctx, "hls/a/index.m3u8", Directives{MSN: 9, Part: 2}); f.State != Wait {
		t.Errorf("a request that went: %v", f)
	}
	if s.watched() != 0 {
		t.Error("somebody still watches")
	}
}

// TestAwaitTogether has many goroutines wait for one path: the store tells one
// Watcher of its changes.
func TestAwaitTogether(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t, 1<<20)
	playlist := func(parts int) {
		patient := strings.Replace(media(7, 2, parts), "TARGETDURATION:2", "TARGETDURATION:600", 1)
		put(t, s, Put{Path: "hls/a", Body: []byte(patient), Blocking: true})
	}
	playlist(1)
	waits := func(path string) int {
		s.watches.mu.Lock()
		defer s.watches.mu.Unlock()
		if c := s.watches.crowds[path]; c != nil {
			return c.members
		}
		return 0
	}
	const n = 100
	found := make(chan Found, n)
	gone, leave := context.WithCancel(t.Context())
	for i := range n {
		ctx := t.Context()
		if i%10 == 0 {
			ctx = gone
		}
		go func() { found <- s.Await(ctx, "hls/a", Directives{MSN: 9, Part: int64(1 + i%2)}) }()
	}
	eventually(t, func() bool { return waits("hls/a") == n })
	if all := s.watches.of("hls/a"); len(all) != 1 {
		t.Errorf("%d Watchers", len(all))
	}
	leave()
	playlist(2)
	playlist(3)
	states := map[State]int{}
	for range n {
		states[(<-found).State]++
	}
	// Those that left may have seen the change first.
	if states[Ready] < n-n/10 || states[Ready]+states[Wait] != n {
		t.Errorf("states %v", states)
	}
	if waits("hls/a") != 0 || s.watched() != 0 {
		t.Error("somebody still waits")
	}
}

var none = Unasked

func (s *Store) watched() int {
	s.watches.mu.Lock()
	defer s.watches.mu.Unlock()
	return len(s.watches.by)
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}
