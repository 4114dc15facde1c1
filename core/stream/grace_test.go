package stream

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace/millrace/core/media"
)

// A publisher that comes back within the grace finds its stream: viewers go
// on, timestamps rise, headers come again and video starts at a keyframe.
func TestGraceBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(t, nil)
		f.pub.SetMetadata(describe("meta"), true, true, epoch)
		f.start()
		s, v := f.stream(), f.join()
		v.read(1000)
		last := v.got[len(v.got)-1]

		f.pub.Close(false, "reset", epoch+1000*ms)
		if i := s.Info(); !i.Lost || i.Publisher.Peer != "" || i.Session != s.Session || len(i.Session) != 26 {
			t.Errorf("lost: %+v", i)
		}
		if _, ended := s.Ended(); ended || v.read(1000) != Idle || f.r.Lookup(testKey) != s {
			t.Error("it has ended")
		}
		time.Sleep(9 * time.Second)
		f.publish(Publisher{Peer: "10.0.0.1"}, 10_000)
		if f.stream() != s || s.State().Session != 2 {
			t.Fatalf("it is another stream, or session %d", s.State().Session)
		}

		v.got = nil
		f.pub.SetMetadata(describe("meta"), true, true, epoch+10_000*ms)
		f.write(config(media.Video, "sps"), 10_000)
		f.write(config(media.Audio, "asc"), 10_000)
		if p := f.inter(10_000); p.Seq != 0 {
			t.Error("an inter frame before the keyframe is in the ring")
		}
		k := f.key(10_040)
		a := f.audio(10_030)
		v.read(10_040)
		if got, want := fmt.Sprint(kinds(v.got)), "[video+config audio+config video+key audio]"; got != want {
			t.Fatalf("the viewer got %s, want %s", got, want)
		}
		if k.DTS != last.DTS+40 || a.DTS != last.DTS+30 {
			t.Errorf("after %d it goes on at %d and %d", last.DTS, k.DTS, a.DTS)
		}
		time.Sleep(time.Hour) // the grace was over long ago
		if _, ended := s.Ended(); ended || !f.pub.Owns() {
			t.Error("the old grace ended it")
		}
		if f.noted(Started) != 1 || f.noted(Lost) != 1 || f.noted(Back) != 1 || f.noted(EndedNow) != 0 {
			t.Errorf("notices: %v", f.notices)
		}
	})
}

// kinds names frames.
func kinds(frames []*media.Frame) (all []string) {
	for _, f := range frames {
		s := f.Kind.String()
		if f.Is(media.Keyframe) {
			s += "+key"
		}
		if f.Is(media.Config) {
			s += "+config"
		}
		all = append(all, s)
	}
	return all
}

// Newcomers wait for the new session's first frames, not for the old's.
func TestGraceNewcomer(t *testing.T) {
	t.Parallel()
	f := newFeed(t, func(o *Options) { o.ReconnectGrace = time.Hour })
	old := f.start()
	f.pub.Close(false, "reset", epoch+1000*ms)
	lost := f.join()
	lost.read(1000)
	if len(lost.got) == 0 || lost.got[0] != old {
		t.Errorf("while lost a newcomer got %v", lost.seqs())
	}
	f.publish(Publisher{}, 2000)
	v := f.join()
	if p := v.read(2000); p != Idle || len(v.got) != 0 {
		t.Errorf("before the new session's media a newcomer got %v", v.seqs())
	}
	f.write(config(media.Video, "sps"), 2000)
	k := f.key(2000)
	v.read(2000)
	if len(v.got) != 1 || v.got[0] != k {
		t.Errorf("then it got %v, want %d", v.seqs(), k.Seq)
	}
	f.pub.Close(true, "done", epoch)
}

// Nobody comes back: the stream ends when the grace does.
func TestGraceExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(t, nil)
		f.start()
		s := f.stream()
		var w fakeWaker
		s.Subscribe(&w)
		v := f.join()
		f.pub.Close(false, "reset", epoch+1000*ms)
		if reason := endsAfter(t, s, 10*time.Second); !strings.HasPrefix(reason, "reset; nobody came back within 10s") {
			t.Errorf("it ended: %q", reason)
		}
		if f.r.Lookup(testKey) != nil || w.woken != 1 || f.noted(EndedNow) != 1 {
			t.Errorf("woken %d times, told %d times", w.woken, f.noted(EndedNow))
		}
		if p := v.read(1000); p != AtEnd || len(v.got) != 50 {
			t.Errorf("position %v after %d frames", p, len(v.got))
		}
	})
}

// A publisher that comes back and is lost again before it sent media does not
// end the stream, nor make the grace longer.
func TestGraceFlapping(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(t, nil)
		f.start()
		s := f.stream()
		at := int64(1000)
		f.pub.Close(false, "reset", epoch+at*ms)
		for range 4 {
			time.Sleep(2 * time.Second)
			at += 2000
			f.publish(Publisher{}, at)
			f.write(config(media.Video, "sps"), at)
			f.pub.Close(false, "reset again", epoch+at*ms)
			if _, ended := s.Ended(); ended {
				t.Fatalf("it ended at %d ms", at)
			}
		}
		endsAfter(t, s, 2*time.Second)
	})
}

// endsAfter holds that a stream ends in d from now, not earlier, and returns the
// reason. In a synctest bubble.
func endsAfter(t *testing.T, s *Stream, d time.Duration) string {
	t.Helper()
	time.Sleep(d - 1)
	synctest.Wait()
	if _, ended := s.Ended(); ended {
		t.Error("it ended too early")
	}
	time.Sleep(time.Nanosecond)
	synctest.Wait()
	reason, ended := s.Ended()
	if !ended {
		t.Error("the grace did not end")
	}
	return reason
}

// Who takes a live stream over and goes without media leaves it a grace.
func TestGraceAfterTakeover(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(t, nil)
		f.start()
		f.publish(Publisher{Peer: "10.0.0.1"}, 60_000)
		s := f.stream()
		f.pub.Close(false, "reset", epoch+61_000*ms)
		endsAfter(t, s, 9*time.Second)
	})
}

// What ends at once.
func TestEndsAtOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(*feed)
	}{
		{"clean", func(f *feed) { f.start(); f.pub.Close(true, "gone", epoch) }},
		{"lost, no media", func(f *feed) { f.pub.Close(false, "gone", epoch) }},
		{"lost, headers only", func(f *feed) { f.write(config(media.Video, "sps"), 0); f.pub.Close(false, "gone", epoch) }},
		{"lost, no media before or after a take-over", func(f *feed) {
			f.publish(Publisher{Peer: "10.0.0.1"}, 1000)
			f.pub.Close(false, "gone", epoch+2000*ms)
		}},
		{"lost, no grace", func(f *feed) {
			o := *f.r.Options()
			o.ReconnectGrace = 0
			f.r.SetOptions(o)
			f.start()
			f.pub.Close(false, "gone", epoch)
		}},
		{"kicked", func(f *feed) { f.start(); f.stream().Kick("gone") }},
		{"kicked while lost", func(f *feed) {
			f.start()
			f.pub.Close(false, "reset", epoch)
			f.stream().Kick("gone")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // a timer left over would hang it
				f := newFeed(t, nil)
				evicted := 0
				f.pub.Publisher.Evict = func(string) { evicted++ }
				s := f.stream()
				v := f.join()
				c.end(f)
				if reason, ended := s.Ended(); !ended || reason != "gone" {
					t.Errorf("ended %t: %q", ended, reason)
				}
				if f.r.Lookup(testKey) != nil || f.r.Bytes() != 0 || f.noted(EndedNow) != 1 {
					t.Errorf("it holds %d bytes; told %d times", f.r.Bytes(), f.noted(EndedNow))
				}
				if want := c.name == "kicked" || strings.HasSuffix(c.name, "take-over"); (evicted == 1) != want {
					t.Errorf("evicted %d times", evicted)
				}
				if f.pub.Write(audio(1), 0, epoch) || f.pub.SetMetadata(describe("x"), true, true, epoch) {
					t.Error("it still takes frames")
				}
				if v.read(1000) != AtEnd {
					t.Error("a viewer does not come to its end")
				}
				if s.Kick("again") {
					t.Error("it ended twice")
				}
				f.pub.Close(false, "again", epoch)
				if f.noted(EndedNow) != 1 || f.noted(Lost) > 1 {
					t.Errorf("told %d times", f.noted(EndedNow))
				}
				if f.publish(Publisher{}, 0); f.stream() == s || f.stream().ID == s.ID || f.noted(Started) != 2 {
					t.Error("the next publisher is given the ended stream")
				}
			})
		})
	}
}

// Whoever publishes, loses, kicks at the same time: a stream's life is told in
// order, and no publisher is left with an ended stream.
func TestLifeRace(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	lives := map[uint64][]What{}
	o := DefaultOptions()
	o.OnBusy, o.ReconnectGrace = BusyReplace, time.Microsecond
	r := NewRegistry(o, func(n Notice) {
		if n.What <= EndedNow {
			mu.Lock()
			defer mu.Unlock()
			lives[n.Stream.ID] = append(lives[n.Stream.ID], n.What)
		}
	})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 300 {
				p, err := r.Publish(testKey, Publisher{}, epoch+int64(n)*time.Hour.Nanoseconds())
				if err != nil {
					continue // fights are held
				}
				wrote := p.Write(keyframe(10), uint32(n), epoch)
				if _, ended := p.Stream.Ended(); ended && p.Owns() {
					t.Error("it owns an ended stream")
				}
				switch (n + i) % 3 {
				case 0:
					p.Close(wrote, "test", epoch)
				case 1:
					p.Close(false, "test", epoch)
				case 2:
					p.Stream.Kick("test")
				}
			}
		})
	}
	all.Wait()
	if s := r.Lookup(testKey); s != nil {
		s.Kick("test")
	}
	// The last grace may be ending at this moment, on the timer's goroutine.
	for until := time.Now().Add(time.Minute); r.Bytes() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d bytes are still held", r.Bytes())
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for id, life := range lives {
		if life[0] != Started || slices.Contains(life[1:], Started) || slices.Contains(life[:len(life)-1], EndedNow) {
			t.Fatalf("stream %d: %v", id, life)
		}
	}
}

func TestWakers(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	s := f.stream()
	var a, b fakeWaker
	s.Wake()
	s.Unsubscribe(&a)
	s.Subscribe(&a)
	s.Subscribe(&b)
	s.Wake()
	s.Unsubscribe(&a)
	s.Wake()
	s.Unsubscribe(&b)
	s.Wake()
	if a.woken != 1 || b.woken != 2 {
		t.Errorf("woken %d and %d times", a.woken, b.woken)
	}
}

func TestRegistryEach(t *testing.T) {
	t.Parallel()
	all := newCrowd(t, 3, nil)
	seen := map[string]bool{}
	all.r.Each(func(s *Stream) bool { seen[s.Key.String()] = true; return true })
	if fmt.Sprint(seen) != "map[live/0:true live/1:true live/2:true]" {
		t.Errorf("%v", seen)
	}
	n := 0
	all.r.Each(func(*Stream) bool { n++; return false })
	if n != 1 {
		t.Errorf("it went on to %d", n)
	}
}
