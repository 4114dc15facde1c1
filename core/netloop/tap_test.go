package netloop

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/stream"
)

// TestTap has a plugin get every frame with its number, the clean end, and be
// counted by nobody.
func TestTap(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"?from=%s:1&tracks=all&merge=300ms&lag=64MiB", "?from=%s:1&merge=0s", "?from=%s:1&merge=10ms&lag=1MiB,60s"} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, withPlugins)
			ln := r.plugins()
			f := r.start("live/cam")
			s := f.pub.Stream
			c := r.tap(ln, "/live/cam.flv"+fmt.Sprintf(query, s.Session))
			for range 5 {
				f.gop(3, 2000)
				s.Wake()
				got, err := c.read()
				if err != nil {
					t.Fatal(err)
				}
				_ = got
			}
			f.headers(2) // new headers count
			f.gop(3, 100)
			if n := s.Info().Viewers; n != [3]int64{} || r.engine.Stats().Taps != 1 {
				t.Errorf("viewers %v, taps %d", n, r.engine.Stats().Taps)
			}
			want := published(s, 1)
			f.pub.Close(true, "done", r.engine.Now())
			c.until(0)
			if c.session != s.Session || c.next != s.Head() {
				t.Errorf("session %q, next %d; want %q, %d", c.session, c.next, s.Session, s.Head())
			}
			again := r.tap(ln, "/live/cam.flv"+fmt.Sprintf(query, s.Session))
			got := again.until(0)
			check(t, got, want, 1, s.Head())
			if u := uncounted(got); u != "data" {
				t.Errorf("before the count came %q", u)
			}
		})
	}
}

// TestTapStart has a newcomer begin with what it needs and the cached GOP.
func TestTapStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, withPlugins)
	f := r.start("live/cam")
	f.gop(5, 500)
	f.gop(5, 500)
	s := f.pub.Stream
	key := s.At(s.Head() - 1).Key
	for _, query := range []string{"", "?from=" + s.Session + ":0"} {
		c := r.tap(r.plugins(), "/live/cam.flv"+query)
		got := c.until(s.Head() - 1)
		check(t, got, published(s, 1), key, s.Head())
		if u := uncounted(got); u != "data video audio" {
			t.Errorf("before the count came %q", u)
		}
		if now := s.At(key).Timestamp(); now == 0 || got[0].ts != 0 || got[1].ts != now || got[2].ts != now {
			t.Errorf("at %d the metadata came at %d, headers at %d and %d", now, got[0].ts, got[1].ts, got[2].ts)
		}
	}
}

// TestTapBeforeMedia has it wait until it is known which media there are.
func TestTapBeforeMedia(t *testing.T) {
	t.Parallel()
	r := newRig(t, withPlugins)
	f := r.publish("live/cam")
	s := f.pub.Stream
	c := r.tap(r.plugins(), "/live/cam.flv?from="+s.Session+":1&merge=0s")
	f.headers(1)
	f.gop(3, 200)
	s.Wake()
	got := c.until(s.Head() - 1)
	check(t, got, published(s, 1), 1, s.Head())
	if u := uncounted(got); u != "data" {
		t.Errorf("before the count came %q", u)
	}
}

// TestTapResumes breaks the connection again and again, in the middle of
// frames too.
func TestTapResumes(t *testing.T) {
	t.Parallel()
	r := newRig(t, withPlugins)
	ln := r.plugins()
	f := r.start("live/cam")
	s := f.pub.Stream
	next := uint64(1)
	for round := range 20 {
		f.gop(4, 20_000)
		s.Wake()
		c := r.tap(ln, fmt.Sprintf("/live/cam.flv?from=%s:%d&merge=0s", s.Session, next))
		end := s.Head() - uint64(round%5) - 1
		if end <= next {
			end = next
		}
		check(t, c.until(end), published(s, 1), next, end+1)
		if end < s.Head()-1 { // into the next frame
			_, _ = io.ReadFull(c.body, make([]byte, 100))
		}
		c.conn.Close()
		next = end + 1
	}
}

// TestTapGap asks for what the ring does not hold any more.
func TestTapGap(t *testing.T) {
	t.Parallel()
	r := newRig(t, withPlugins, func(_ *Options, so *stream.Options) { so.RingBytes, so.GOPMaxBytes = 100_000, 100_000 })
	f := r.start("live/cam")
	s := f.pub.Stream
	for range 20 {
		f.gop(5, 5000)
	}
	c := r.tap(r.plugins(), "/live/cam.flv?from="+s.Session+":2")
	got := c.until(s.Head() - 1)
	check(t, got, published(s, 1), 2, s.Head())
	gaps := gapsOf(got)
	if len(gaps) != 1 || gaps[0].reason != goneReason || !s.At(gaps[0].to).Is(media.Keyframe) {
		t.Errorf("gaps %+v", gaps)
	}
	if u := uncounted(got); u != "data video audio" {
		t.Errorf("before the count came %q", u)
	}
}

func TestTapRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t, withPlugins)
	ln := r.plugins()
	f := r.start("live/cam")
	session := f.pub.Stream.Session
	tests := []struct {
		path, token string
		status      int
	}{
		{"/live/cam.flv", "wrong", http.StatusUnauthorized},
		{"/live/cam.flv", "", http.StatusUnauthorized},
		{"/live/cam.flv", "events only", http.StatusForbidden},
		{"/live/other.flv", tapToken, http.StatusNotFound},
		{"/live/cam.flv?from=01K000000000000000000000AA:1", tapToken, http.StatusConflict},
		{"/live/other.flv?from=" + session + ":1", tapToken, http.StatusConflict},
		{"/live/cam.flv?from=1", tapToken, http.StatusBadRequest},
		{"/live/cam.flv?merge=10s", tapToken, http.StatusBadRequest},
		{"/live/cam.flv?lag=many", tapToken, http.StatusBadRequest},
	}
	for _, tt := range tests {
		if c := r.tapRaw(ln, tt.path, tt.token); c.status != tt.status {
			t.Errorf("GET %s with %q: %d, want %d", tt.path, tt.token, c.status, tt.status)
		}
	}
}

// TestTapStalls has a plugin stop reading. Within its lag it loses nothing,
// though the ring alone holds far less.
func TestTapStalls(t *testing.T) {
	t.Parallel()
	r := newRig(t, withPlugins, func(_ *Options, so *stream.Options) { so.RingBytes, so.GOPMaxBytes = 100_000, 100_000 })
	f := r.start("live/cam")
	s := f.pub.Stream
	c := r.tap(r.plugins(), "/live/cam.flv?from="+s.Session+":1&merge=0s&lag=8MiB")
	for range 50 {
		f.gop(5, 10_000)
		s.Wake()
	}
	want := published(s, 1)
	got := c.until(s.Head() - 1)
	check(t, got, want, 1, s.Head())
	if gaps := gapsOf(got); len(gaps) > 0 {
		t.Errorf("gaps %+v", gaps)
	}
}

// TestTapStallsTooLong has it lose the oldest, be told, and keep the rest.
func TestTapStallsTooLong(t *testing.T) {
	t.Parallel()
	r := newRig(t, withPlugins, func(_ *Options, so *stream.Options) { so.RingBytes, so.GOPMaxBytes = 100_000, 100_000 })
	f := r.start("live/cam")
	s := f.pub.Stream
	c := r.tap(r.plugins(), "/live/cam.flv?from="+s.Session+":1&merge=0s&lag=2MiB")
	for i := range 300 {
		if i == 100 {
			f.videoHeader(2) // is lost with the rest, and told all the same
		}
		f.gop(5, 10_000)
		s.Wake()
	}
	if held := s.Info().RingBytes; held > 3<<20 {
		t.Errorf("the ring holds %d bytes", held)
	}
	got := c.until(s.Head() - 1)
	check(t, got, published(s, 1), 1, s.Head())
	gaps, headers := gapsOf(got), 0
	for _, p := range got {
		if p.seq > 0 && p.isConfig() && p.kind == media.Video && p.data[5] == 2 {
			headers++
		}
	}
	if len(gaps) == 0 || gaps[0].reason != slowReason || headers != 1 {
		t.Errorf("gaps %+v, %d new headers", gaps, headers)
	}
	if len(r.log.find("plugin misses frames")) != 1 || s.Counters().TapMissed.Load() == 0 {
		t.Error("it is not told to people")
	}
}

// TestTapGrace has the connection outlive its publisher.
func TestTapGrace(t *testing.T) {
	t.Parallel()
	r := newRig(t, withPlugins, func(_ *Options, so *stream.Options) { so.ReconnectGrace = time.Minute })
	f := r.start("live/cam")
	s := f.pub.Stream
	c := r.tap(r.plugins(), "/live/cam.flv?from="+s.Session+":1&merge=0s")
	f.pub.Close(false, "lost", r.engine.Now())
	back := r.publish("live/cam")
	if back.pub.Stream != s {
		t.Fatal("it is another stream")
	}
	back.headers(1)
	back.gop(3, 100)
	s.Wake()
	got := c.until(s.Head() - 1)
	check(t, got, published(s, 1), 1, s.Head())
	configs := 0
	for _, p := range got {
		if p.seq > 0 && p.kind != media.Data && p.isConfig() {
			configs++
		}
	}
	if configs != 4 {
		t.Errorf("%d headers counted", configs)
	}
}

// TestTapFilters leaves frames out, and keeps the numbers of the others.
func TestTapFilters(t *testing.T) {
	t.Parallel()
	r := newRig(t, withPlugins)
	f := r.start("live/cam")
	s := f.pub.Stream
	f.write(media.Data, []byte("\x02\x00\x05onGap\x05")) // a publisher cannot play our part
	f.gop(5, 100)
	want := published(s, 1)
	c := r.tap(r.plugins(), "/live/cam.flv?audio=0&merge=0s&from="+s.Session+":1")
	last := s.Head() - 1
	for want[last].kind != media.Video {
		last--
	}
	n := 0
	for _, p := range c.until(last) {
		if p.seq == 0 {
			continue
		}
		if p.to > 0 || p.unit != want[p.seq] {
			t.Fatalf("frame %d is %v", p.seq, p)
		}
		n++
	}
	for seq, u := range want {
		if u.kind == media.Video && seq <= last {
			n--
		}
	}
	if n != 0 {
		t.Errorf("%d frames too many", n)
	}
}

// TestTapDisturbsNobody stalls a plugin while viewers watch.
func TestTapDisturbsNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t, withPlugins, func(_ *Options, so *stream.Options) { so.RingBytes = 1 << 20 })
	f := r.start("live/cam")
	s := f.pub.Stream
	r.tap(r.plugins(), "/live/cam.flv?lag=4MiB&merge=0s&from="+s.Session+":1")
	for range 30 { // fills its socket
		f.gop(5, 20_000)
		s.Wake()
	}
	f.gop(3, 500)
	const viewers = 1000
	var all sync.WaitGroup
	for range viewers {
		_, in, _, _ := r.get(manner{}, chunked.request("live/cam"))
		all.Go(func() {
			src := &chunkSource{r: in}
			for {
				it, err := src.next()
				if err != nil {
					t.Errorf("a viewer: %v", err)
					return
				}
				if it.control == "last chunk" {
					return
				}
			}
		})
	}
	r.waitViewers(viewers)
	for range 8 {
		f.gop(5, 1000)
		s.Wake()
	}
	f.pub.Close(true, "done", r.engine.Now())
	s.Wake()
	all.Wait()
	if n := s.Counters().Dropped.Load(); n != 0 {
		t.Errorf("viewers lost %d frames", n)
	}
}

// TestTapTracks has every track, in the form that names them.
func TestTapTracks(t *testing.T) {
	t.Parallel()
	r := newRig(t, withPlugins)
	ln := r.plugins()
	r.publishing("live/a").sendAll(trackMessages)
	eventually(t, "all frames are in", func() bool {
		s := r.streams.Lookup(parseKey("live/a"))
		return s != nil && s.Counters().FramesIn.Load() == trackFrames
	})
	s := r.streams.Lookup(parseKey("live/a"))
	c := r.tap(ln, "/live/a.flv?tracks=all&merge=0s&from="+s.Session+":1")
	got := c.until(s.Head() - 1)
	want := map[uint64]unit{}
	for seq := uint64(1); seq < s.Head(); seq++ {
		f := s.At(seq).All(flv.AllHeader)
		want[seq] = unit{f.Kind, f.Timestamp(), string(f.Payload())}
	}
	check(t, got, want, 1, s.Head())
	if len(want) < trackFrames-2 {
		t.Errorf("%d frames", len(want))
	}
}
