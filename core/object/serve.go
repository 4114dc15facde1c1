package object

import "net/http"

// Serve answers a GET or HEAD of an object through net/http, as an event loop
// would: with conditions, ranges, and waiting as long as the request's context
// allows. A HEAD never waits.
func (s *Store) Serve(w http.ResponseWriter, r *http.Request, path string) {
	f := s.found(r, path)
	h := w.Header()
	switch f.State {
	case Absent:
		h.Set("Cache-Control", "no-store")
		http.Error(w, "no such object", http.StatusNotFound)
	case Bad:
		h.Set("Cache-Control", "no-store")
		http.Error(w, "the playlist does not go that far", http.StatusBadRequest)
	case Wait:
		h.Set("Cache-Control", "no-store")
		http.Error(w, "waited in vain for three target durations", http.StatusServiceUnavailable)
	default:
		h.Set("Content-Type", f.Object.ContentType)
		h.Set("Cache-Control", f.Object.CacheControl)
		h.Set("ETag", f.Content.ETag)
		http.ServeContent(w, r, "", f.Object.Modified, f.Content.Reader())
	}
}

func (s *Store) found(r *http.Request, path string) Found {
	if r.Method != http.MethodHead {
		return s.Await(r.Context(), path, ParseDirectives(r.URL.RawQuery))
	}
	if f := s.Find(path, Unasked); f.State != Wait {
		return f
	}
	return Found{State: Absent}
}
