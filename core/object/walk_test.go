package object

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fill stores n small objects hls/FOLDER/0 and so on, and returns their paths.
func fill(t testing.TB, s *Store, folder string, n int, ttl time.Duration) []string {
	t.Helper()
	paths := make([]string, n)
	for i := range paths {
		paths[i] = fmt.Sprintf("hls/%s/%d", folder, i)
		put(t, s, Put{Path: paths[i], TTL: ttl})
	}
	return paths
}

// TestManyBatches refreshes, sweeps and drives out more than one batch.
func TestManyBatches(t *testing.T) {
	t.Parallel()
	const n = 5*batch + 7
	s, clock := newStore(t, 1<<30)
	all := fill(t, s, "a", n, time.Minute)
	fill(t, s, "b", n, time.Minute)
	clock.advance(30 * time.Second)
	if got, err := s.Refresh("p", "hls/a/", time.Minute); err != nil || !slices.Equal(got, all) {
		t.Fatalf("%d refreshed of %d: %v", len(got), n, err)
	}
	clock.advance(45 * time.Second)
	s.Sweep()
	if got := s.paths(); !slices.Equal(got, all) {
		t.Fatalf("%d left of %d", len(got), n)
	}
	if err := s.Grant("p", []string{"hls/"}, s.Used()["p"]); err != nil {
		t.Fatal(err)
	}
	put(t, s, Put{Path: "hls/large", Body: make([]byte, (3*batch+1)*overhead)})
	got := s.paths()
	if young := all[n+1-len(got):]; !slices.Equal(got, append(slices.Clone(young), "hls/large")) {
		t.Errorf("not the oldest went: %q", got)
	}
	if used, most := s.Used()["p"], s.owners["p"].max; used > most || used < most-2*overhead {
		t.Errorf("%d bytes used of %d", used, most)
	}
	clock.advance(time.Hour)
	s.Sweep()
	if used := s.Used()["p"]; used != 0 || len(s.paths()) != 0 {
		t.Errorf("%d bytes are used by nothing", used)
	}
}

// paths are those of all objects, oldest first.
func (s *Store) paths() (all []string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for o := s.owners["p"].oldest; o != nil; o = o.newer {
		all = append(all, o.Path)
	}
	return all
}

// TestStep holds that a walk lets go of the lock after each batch, and that it
// goes on behind what is removed meanwhile.
func TestStep(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t, 1<<30)
	all := fill(t, s, "a", batch+4, time.Minute)
	o := s.owners["p"]
	o.hand = o.oldest
	visit := func(o *Object, paths []string) []string { return append(paths, o.Path) }
	got, more := s.step(o, visit, nil)
	if !more || !slices.Equal(got, all[:batch]) {
		t.Fatalf("%d visited: %q", len(got), got)
	}
	for _, path := range []string{all[0], all[batch], all[batch+1]} {
		if had, err := s.Delete("p", path); !had || err != nil {
			t.Fatal(had, err)
		}
	}
	put(t, s, Put{Path: all[batch+2]})
	put(t, s, Put{Path: "hls/new"})
	got, more = s.step(o, visit, nil)
	if want := []string{all[batch+3], all[batch+2], "hls/new"}; more || !slices.Equal(got, want) {
		t.Errorf("%q, more %v", got, more)
	}
}

// TestConcurrent has all that changes a store run at once. Those below hls/stay
// are stored again and again, and never removed: each Refresh has each once.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	s, clock := newStore(t, 1<<30)
	stay := fill(t, s, "stay", 3*batch, time.Hour)
	fill(t, s, "parts", batch, time.Hour)
	done := make(chan struct{})
	var work sync.WaitGroup
	repeat := func(f func() error) {
		work.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := f(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	part := func() string { return fmt.Sprintf("hls/parts/%d", rand.IntN(batch)) }
	repeat(func() error {
		return s.Put("p", Put{Path: stay[rand.IntN(len(stay))], Body: []byte("x"), TTL: time.Hour})
	})
	repeat(func() error { return s.Put("p", Put{Path: part(), Body: []byte("xyz"), TTL: time.Second}) })
	repeat(func() error {
		err := s.Put("p", Put{Path: "hls/whole/" + part(), Parts: []string{part(), part()}, Blocking: true, TTL: time.Second})
		if errors.Is(err, ErrPart) {
			return nil
		}
		return err
	})
	repeat(func() error { _, err := s.Delete("p", part()); return err })
	repeat(func() error { clock.advance(time.Millisecond); s.Sweep(); return nil })
	repeat(func() error {
		if f := s.Find(stay[rand.IntN(len(stay))], none); f.State != Ready {
			return fmt.Errorf("state %d", f.State)
		}
		return nil
	})
	want := slices.Sorted(slices.Values(stay))
	for range 30 {
		got, err := s.Refresh("p", "hls/stay/", time.Hour)
		if err != nil {
			t.Error(err)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%d refreshed of %d", len(got), len(want))
		}
	}
	close(done)
	work.Wait()
	clock.advance(2 * time.Hour)
	s.Sweep()
	if used := s.Used()["p"]; used != 0 || len(s.paths()) != 0 {
		t.Errorf("%d bytes are used by %d objects", used, len(s.paths()))
	}
}

// TestPartsAreHeld has parts go while a segment is made of them.
func TestPartsAreHeld(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t, 1<<20)
	put(t, s, Put{Path: "hls/part", Body: make([]byte, 1000)})
	owner, blobs, err := s.hold("p", Put{Path: "hls/a", Parts: []string{"hls/part", "hls/part"}})
	if err != nil || len(blobs) != 2 || owner != s.owners["p"] {
		t.Fatal(len(blobs), err)
	}
	if _, err := s.Delete("p", "hls/part"); err != nil {
		t.Fatal(err)
	}
	if used := s.Used()["p"]; used != 1000 {
		t.Errorf("%d bytes used by what is held", used)
	}
	s.release(blobs)
	if used := s.Used()["p"]; used != 0 {
		t.Errorf("%d bytes used by nothing", used)
	}
	put(t, s, Put{Path: "hls/part"})
	many := strings.Split(strings.Repeat("hls/part,", maxParts)+"hls/part", ",")
	if err := s.Put("p", Put{Path: "hls/a", Parts: many}); !errors.Is(err, ErrInvalid) {
		t.Errorf("%d parts: %v", len(many), err)
	}
	put(t, s, Put{Path: "hls/a", Parts: many[1:]})
}

// BenchmarkWalk tells for how long a walk holds the lock at a time, which is
// what an event loop waits for: half of the times, and all but one in a hundred.
// The longest would be the machine's other work.
func BenchmarkWalk(b *testing.B) {
	for _, w := range []struct {
		name  string
		visit func(*Store) visit
	}{
		{"look", func(*Store) visit { return func(_ *Object, paths []string) []string { return paths } }},
		{"refresh", func(*Store) visit {
			return func(o *Object, paths []string) []string {
				o.owner.pull(o)
				o.owner.push(o)
				return append(paths, o.Path)
			}
		}},
		{"remove", func(s *Store) visit {
			return func(o *Object, paths []string) []string {
				return append(append(paths, o.Path), s.remove(o)...)
			}
		}},
	} {
		for _, n := range []int{1_000, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", w.name, n), func(b *testing.B) {
				s, _ := newStore(b, 1<<30)
				benchmarkWalk(b, s, n, w.visit(s))
			})
		}
	}
}

func benchmarkWalk(b *testing.B, s *Store, n int, v visit) {
	o := s.owners["p"]
	var holds []time.Duration
	paths := make([]string, 0, 2*batch)
	for range b.N {
		if o.oldest == nil {
			fill(b, s, "a", n, time.Hour)
		}
		o.hand = o.oldest
		for range (n + batch - 1) / batch {
			begin := time.Now()
			s.step(o, v, paths)
			holds = append(holds, time.Since(begin))
		}
	}
	slices.Sort(holds)
	b.ReportMetric(float64(holds[len(holds)/2])/1e3, "µs/hold")
	b.ReportMetric(float64(holds[len(holds)*99/100])/1e3, "µs/hold-p99")
}
