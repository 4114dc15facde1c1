package admin

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
)

func (a *api) getStreams(w http.ResponseWriter, _ *http.Request) {
	streams := list(a.server.Streams())
	slices.SortFunc(streams, func(x, y StreamStatus) int {
		return cmp.Or(cmp.Compare(x.App, y.App), cmp.Compare(x.Name, y.Name))
	})
	writeJSON(w, http.StatusOK, struct {
		Streams []StreamStatus `json:"streams"`
	}{streams})
}

func (a *api) getStream(w http.ResponseWriter, r *http.Request) {
	app, name := StreamOf(r)
	status, ok := a.server.Stream(app, name)
	if !ok {
		noStream(w, app, name)
		return
	}
	writeJSON(w, http.StatusOK, status)
}

func (a *api) kickStream(w http.ResponseWriter, r *http.Request) {
	app, name := StreamOf(r)
	reason, ok := kickReason(w, r)
	if !ok {
		return
	}
	if !a.server.KickStream(app, name, reason) {
		noStream(w, app, name)
		return
	}
	a.log.Info("publisher kicked", "app", app, "name", name, "reason", reason, "by", r.RemoteAddr)
	w.WriteHeader(http.StatusNoContent)
}

// StreamOf returns the stream that a request's path names by "{stream...}": the
// name is the last segment, the app all before.
func StreamOf(r *http.Request) (app, name string) {
	app, name, _ = cutLast(r.PathValue("stream"))
	return app, name
}

func noStream(w http.ResponseWriter, app, name string) {
	writeError(w, http.StatusNotFound, fmt.Sprintf("no such stream: %s/%s", app, name))
}
