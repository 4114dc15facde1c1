package object

import "net/http"

// Serve answers a GET or HEAD of an object through net/http, as an event loop
// would: with conditions, ranges, and waiting as long as the request's context
// allows.
func (s *Store) Serve(w http.ResponseWriter, r *http.Request, path string) {
	f := s.Await(r.Context(), path, ParseDirectives(r.URL.RawQuery))
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
