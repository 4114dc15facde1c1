package gate

import (
	"net/http"
	"sync"
	"time"

	"github.com/millrace/millrace/core/event"
)

const (
	// listedAge is how long it is known what is in a client's lists.
	listedAge = time.Minute
	// maxListed bounds what is known.
	maxListed = 100_000
)

// listed is whether a client may know of a stream's files.
type listed struct {
	ok    bool
	until time.Time
}

// Lists tells which of some files, whose paths are those of their URLs, the
// client of r may know of: those that on_play and on_request would let it have.
// on_play is asked once for each stream and protocol, and on_request once for
// the first of its files, with the path of r as far as on_play is concerned; no
// session begins. It blocks until there are verdicts.
func (g *Gate) Lists(r *http.Request, paths []string) []bool {
	about := make([]string, len(paths)) // the key of each path
	known := make(map[string]listed)
	var all sync.WaitGroup
	var mu sync.Mutex // guards known once it is asked
	ev := g.event(r)
	for i, path := range paths {
		p, ok := placeOf(path)
		if !ok {
			continue
		}
		about[i] = identity(r, ev.RemoteAddr, p)
		mu.Lock()
		_, done := known[about[i]]
		if !done {
			known[about[i]] = listed{}
		}
		mu.Unlock()
		if done {
			continue
		}
		all.Go(func() {
			l := g.mayKnow(r, about[i], p, path, ev)
			mu.Lock()
			defer mu.Unlock()
			known[about[i]] = l
		})
	}
	all.Wait()
	may := make([]bool, len(paths))
	for i := range paths {
		may[i] = known[about[i]].ok
	}
	return may
}

// mayKnow is the answer for one stream and protocol.
func (g *Gate) mayKnow(r *http.Request, key string, p place, path string, ev event.Event) listed {
	now := g.options.Now()
	g.mu.Lock()
	l, ok := g.lists[key]
	g.mu.Unlock()
	if ok && now.Before(l.until) {
		return l
	}
	l = listed{ok: true, until: now.Add(listedAge)}
	p.describe(&ev)
	for _, name := range []string{event.Play, event.Request} {
		if !l.ok || !g.decides(name) {
			continue
		}
		about := ev
		if about.Event = name; name == event.Request {
			about.Path = path
		}
		v, answered := g.askFor(r.Context(), about)
		if !answered || v.Err != nil {
			return listed{} // not kept
		}
		l.ok = v.Allow && v.Redirect == ""
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.lists) < maxListed {
		g.lists[key] = l
	}
	return l
}
