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
	// maxListed bounds what is known, maxListing how many verdicts lists wait
	// for at once: they are many, and viewers come first.
	maxListed  = 100_000
	maxListing = 32
)

// listed is whether a client may know of a stream's files.
type listed struct {
	ok    bool
	until time.Time
}

// Lists tells which of some files, whose paths are those of their URLs, the
// client of r may know of: those that on_play and on_request would let it have.
// on_play is asked once for each stream and protocol, with the path of r, and
// on_request once for the first of its files; no session begins. It blocks
// until there are verdicts.
func (g *Gate) Lists(r *http.Request, paths []string) []bool {
	ev := g.event(r)
	known := make(map[string]*bool) // by a stream's folder
	may := make([]*bool, len(paths))
	var all sync.WaitGroup
	for i, path := range paths {
		p, ok := placeOf(path)
		if ok && known[p.prefix] == nil {
			verdict := new(bool)
			known[p.prefix] = verdict
			all.Go(func() { *verdict = g.mayKnow(r, p, path, ev) })
		}
		may[i] = known[p.prefix]
	}
	all.Wait()
	list := make([]bool, len(paths))
	for i, verdict := range may {
		list[i] = verdict != nil && *verdict
	}
	return list
}

// mayKnow is the answer for one stream and protocol.
func (g *Gate) mayKnow(r *http.Request, p place, path string, ev event.Event) bool {
	key := identity(r, ev.RemoteAddr, p)
	now := g.options.Now()
	g.mu.Lock()
	l, ok := g.lists[key]
	g.mu.Unlock()
	if ok && now.Before(l.until) {
		return l.ok
	}
	select {
	case g.listing <- struct{}{}:
		defer func() { <-g.listing }()
	case <-r.Context().Done():
		return false
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
			return false // and asked again
		}
		l.ok = v.Allow && v.Redirect == ""
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.lists) < maxListed {
		g.lists[key] = l
	}
	return l.ok
}
