package hooks

import (
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
)

const slowScript = `function on_play(v)
  if v.name == "busy" then while not millrace.store.get("enough") do end end
  if v.name == "spin" then while true do end end
  if v.name == "long" then local n = 0 for i = 1, 3e4 do n = n + i end end
  if v.name == "both" then
    local t = {}
    for i = 1, 1e4 do t[i] = i end
    millrace.http.get("http://127.0.0.1:1/")
    for i = 1, 1e4 do t[i] = i end
  end
  return true
end`

// TestSlowBehind: calls that compute for long let others go first, and take
// turns among each other.
func TestSlowBehind(t *testing.T) {
	t.Parallel()
	r := start(t, slowScript, func(o *Options) {
		o.Processors, o.HTTPAllow = 1, []string{"127.0.0.1:1"}
	})
	var busy sync.WaitGroup
	for range 6 {
		busy.Go(func() {
			if v := ask(t, r, event.Event{Event: event.Play, Name: "busy"}); !v.Allow {
				t.Errorf("who computes: %s, %v", verdictText(v), v.Err)
			}
		})
	}
	eventually(t, "all of them run", func() bool { _, _, workers, _ := r.pool.load(); return workers >= 6 })
	for _, name := range []string{"quick", "long", "both"} {
		if v := ask(t, r, event.Event{Event: event.Play, Name: name}); !v.Allow || v.Err != nil {
			t.Errorf("%s: %s, %v", name, verdictText(v), v.Err)
		}
	}
	if _, err := r.services.store.set("enough", true, 0, false); err != nil {
		t.Fatal(err)
	}
	busy.Wait()
	eventually(t, "no worker stays on a thread that yields", func() bool {
		_, _, workers, waiting := r.pool.load()
		return workers <= 1 && waiting == 0
	})
}

// TestSlowDeadline: each is stopped at its own deadline, however many there are.
func TestSlowDeadline(t *testing.T) {
	t.Parallel()
	r := start(t, slowScript, func(o *Options) {
		// In turn, most of them would wait for too long.
		o.Processors, o.Timeout, o.QueueTimeout = 1, 5*time.Second, 30*time.Second
	})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if v := ask(t, r, event.Event{Event: event.Play, Name: "spin"}); !errors.Is(v.Err, ErrTimeout) {
				t.Errorf("who spins: %s, %v", verdictText(v), v.Err)
			}
		})
	}
	all.Wait()
}

// TestSlowRests: a slow call rests for what the process grew by, others do not.
func TestSlowRests(t *testing.T) {
	t.Parallel()
	held := make([]byte, 2*slowFree)
	var c call
	c.begin(time.Minute, 1<<40, newPool(1, func(job) lane { return quick }))
	c.watch()
	c.seen = 1 // what the process has is far above
	if c.slowDown(); c.seen != 0 || c.pace != 0 {
		t.Error("it rests though it is quick")
	}
	c.lane = slow
	if c.slowDown(); c.seen == 0 || c.pace != 0 {
		t.Error("it rests for what was there before")
	}
	c.seen = 1
	begun := time.Now()
	if c.slowDown(); c.pace < slowFree || c.seen == 1 || time.Since(begun) < maxRest {
		t.Errorf("it went on after %v, with %d bytes more", time.Since(begun), c.pace)
	}
	runtime.KeepAlive(held)
}

// TestSlowMemory: what calls hold that do not run is bounded in all.
func TestSlowMemory(t *testing.T) {
	t.Parallel()
	p := newPool(1, func(job) lane { return quick })
	p.limit(1, 1, 100)
	if !p.hold(200) || p.hold(1) || !p.hold(-1) {
		t.Error("two calls may hold all that each may, and no more")
	}
	var c call
	c.begin(time.Minute, 100, p)
	c.watching, c.baseline = true, 1 // what the process has is far above
	c.pause()
	if !errors.Is(c.err, ErrMemory) {
		t.Errorf("the call goes on: %v", c.err)
	}
	c.end()
	if p.held != 200 {
		t.Errorf("%d bytes are held after its end", p.held)
	}
}
