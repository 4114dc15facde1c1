package stream

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace/millrace/core/media"
)

// small has rings that hold next to nothing by themselves.
func small(o *Options) { o.RingBytes, o.GOPMaxBytes = 2000, 2000 }

// newTap reads stream i of the crowd from its first frame.
func (c *crowd) newTap(i int, bytes int64, age time.Duration) *Tap {
	b := c.r.Budget("rec")
	b.Allow(Limits{bytes, age})
	return NewTap(c.pubs[i].Stream, 1, b)
}

func heldBy(s *Stream) int64 { return s.Info().RingBytes }

// TestClaim keeps what is not read yet, up to the budget, and no longer.
func TestClaim(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 1, small)
	tap := c.newTap(0, 100_000, 0)
	s := tap.Stream
	c.fill(0, 100, 10)
	if n := heldBy(s); n < 30_000 || s.At(1) == nil || c.r.Budget("rec").Held() == 0 {
		t.Fatalf("the ring holds %d bytes", n)
	}
	c.fill(0, 1000, 10)
	if n := heldBy(s); n > 101_000 || n < 95_000 || s.At(1) != nil {
		t.Errorf("the ring holds %d bytes of 100,000", n)
	}
	tap.Move(s.Head())
	c.fill(0, 1, 1)
	if n := heldBy(s); n > 3000 || c.r.Budget("rec").Held() != 0 {
		t.Errorf("read, it holds %d bytes", n)
	}
	tap.Close()
	c.fill(0, 100, 10)
	if n := heldBy(s); n > 6000 {
		t.Errorf("without a tap it holds %d bytes", n)
	}
}

// TestClaimAge lets go of what is too old.
func TestClaimAge(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 1, small)
	tap := c.newTap(0, 1<<30, 50*time.Millisecond)
	c.fill(0, 200, 10) // a frame per ms
	oldest := tap.Stream.ring.tail.Load()
	if f := tap.Stream.At(oldest); f.Arrived < epoch+155*ms || f.Arrived > epoch+165*ms {
		t.Errorf("the oldest arrived at %d ms", (f.Arrived-epoch)/ms)
	}
}

// TestBudgetIsShared has the largest of an owner's backlogs give way.
func TestBudgetIsShared(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 2, small)
	large, little := c.newTap(0, 100_000, 0), c.newTap(1, 100_000, 0)
	c.fill(1, 100, 2)
	c.fill(0, 1000, 2)
	c.fill(1, 2, 2)
	if little.Stream.At(1) == nil || large.Stream.At(1) != nil {
		t.Errorf("the large one holds %d bytes, the little one %d", heldBy(large.Stream), heldBy(little.Stream))
	}
	if n := c.r.Budget("rec").Held(); n > 110_000 {
		t.Errorf("they hold %d bytes", n)
	}
}

// TestMemoryRecordersLast has viewers' backlogs and GOPs go first at the
// process's cap.
func TestMemoryRecordersLast(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 3, func(o *Options) { o.Memory = 200_000 })
	tap := c.newTap(0, 1<<30, 0)
	c.fill(0, 100, 10)
	c.fill(1, 300, 100)
	c.fill(2, 300, 100)
	if tap.Stream.At(1) == nil {
		t.Error("a recorder lost frames while viewers' were there to go")
	}
	for range 10 {
		c.fill(0, 100, 10)
	}
	if n := c.r.Bytes(); n > 205_000 {
		t.Errorf("%d bytes in all", n)
	}
	if tap.Stream.At(1) != nil {
		t.Error("the cap does not hold for recorders")
	}
}

// TestSessionStays lets a recorder have the rest of a stream that has ended.
func TestSessionStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 3, func(o *Options) { o.RingTime = 200 * time.Millisecond })
		recorded, other, missed := c.pubs[0].Stream, c.pubs[1].Stream, c.pubs[2].Stream
		c.r.Await(func(session string) bool { return session == missed.Session })
		if c.r.Session(recorded.Session) != recorded || len(recorded.Session) != 26 || recorded.Session == other.Session {
			t.Fatalf("sessions %q, %q", recorded.Session, other.Session)
		}
		c.newTap(0, 1000, 0).Close()
		for i := range c.pubs {
			c.fill(i, 3, 3)
			c.pubs[i].Close(true, "done", epoch)
		}
		if c.r.Session(other.Session) != nil {
			t.Error("a session that nobody recorded stays")
		}
		if c.r.Session(missed.Session) != missed {
			t.Error("a session that a recorder may come for is gone at once")
		}
		if c.r.Lookup(recorded.Key) != nil {
			t.Error("viewers find a stream that has ended")
		}
		s := c.r.Session(recorded.Session)
		if s == nil || c.r.Bytes() == 0 {
			t.Fatal("the rest is gone at once")
		}
		tap := NewTap(s, 2, c.r.Budget("rec"))
		if end, p := tap.Next(); end != s.Head() || p != Sending {
			t.Errorf("up to %d, %v", end, p)
		}
		tap.Close()
		time.Sleep(time.Minute)
		if n := c.r.Bytes(); n != 0 {
			t.Errorf("%d bytes stay for ever", n)
		}
		if c.r.Session(recorded.Session) != nil {
			t.Error("its name stays")
		}
	})
}

// TestEntrance is where late comers start.
func TestEntrance(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		options func(*Options)
		publish func(*feed)
		want    func(*Stream) uint64
	}{
		{"cached GOP", nil, func(f *feed) { f.start(); f.gop(1000) }, (*Stream).newestKey},
		{"no cache", func(o *Options) { o.GOPCache = false }, func(f *feed) { f.start(); f.gop(1000) }, (*Stream).newestKey},
		{"audio only", nil, func(f *feed) { f.audio(0); f.audio(1000) }, func(*Stream) uint64 { return 1 }},
		{"keyframe gone", func(o *Options) { o.GOPCache, o.RingBytes = false, 1000 },
			func(f *feed) { f.start() }, (*Stream).Head},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFeed(t, tt.options)
			tap := NewTap(f.stream(), 0, &Budget{})
			if _, p := tap.Next(); p != Idle || tap.Seq != 0 {
				t.Errorf("before any media: %v at %d", p, tap.Seq)
			}
			tt.publish(f)
			tap.Next()
			if want := tt.want(f.stream()); tap.Seq != want {
				t.Errorf("at %d, want %d", tap.Seq, want)
			}
		})
	}
}

func (s *Stream) newestKey() uint64 { return s.At(s.Head() - 1).Key }

// TestMissed are the headers among frames that were left out.
func TestMissed(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	f.start()
	from := f.stream().Head()
	audio := f.write(config(media.Audio, "asc2"), 1000)
	f.write(config(media.Video, "lost"), 1000)
	video := f.write(config(media.Video, "sps2"), 1000)
	key := f.gop(1040)
	if got := Missed(key, from, key.Seq); len(got) != 2 || got[0] != audio || got[1] != video {
		t.Errorf("%v", got)
	}
	if got := Missed(key, video.Seq+1, key.Seq); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
