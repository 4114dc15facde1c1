package admin

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// loopTimeout is how long the loops may take to answer.
const loopTimeout = 5 * time.Second

func (a *api) getClients(w http.ResponseWriter, r *http.Request) {
	filter, err := parseFilter(r.URL.Query())
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), loopTimeout)
	defer cancel()
	all, err := a.server.Clients(ctx)
	if err != nil {
		writeError(w, http.StatusServiceUnavailable, fmt.Sprintf("list clients: %v", err))
		return
	}
	clients := list(slices.DeleteFunc(all, func(c ClientStatus) bool { return !filter.match(c) }))
	slices.SortFunc(clients, func(x, y ClientStatus) int {
		return cmp.Or(x.Since.Compare(y.Since), cmp.Compare(x.ID, y.ID))
	})
	writeJSON(w, http.StatusOK, struct {
		Clients []ClientStatus `json:"clients"`
	}{clients})
}

func (a *api) kickClient(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	reason, ok := kickReason(w, r)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), loopTimeout)
	defer cancel()
	found, err := a.server.KickClient(ctx, id, reason)
	switch {
	case err != nil:
		writeError(w, http.StatusServiceUnavailable, fmt.Sprintf("kick client: %v", err))
	case !found:
		writeError(w, http.StatusNotFound, "no such client: "+id)
	default:
		a.log.Info("client kicked", "client", id, "reason", reason, "by", r.RemoteAddr)
		w.WriteHeader(http.StatusNoContent)
	}
}

// clientFilter selects clients by equality; an empty field takes all.
type clientFilter struct{ role, app, name, protocol string }

// parseFilter refuses roles and protocols that do not exist: an empty list
// would look like an answer.
func parseFilter(q url.Values) (clientFilter, error) {
	f := clientFilter{q.Get("role"), q.Get("app"), q.Get("name"), q.Get("protocol")}
	if err := oneOf("role", f.role, RolePublisher, RolePlayer, RoleWaiting, RoleIdle, RolePlugin); err != nil {
		return f, err
	}
	return f, oneOf("protocol", f.protocol, ProtocolRTMP, ProtocolHTTPFLV, ProtocolWSFLV, ProtocolHTTP, ProtocolPlugin, ProtocolHLS, ProtocolMP4, ProtocolFLV)
}

func oneOf(key, value string, allowed ...string) error {
	if value == "" || slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%s %q is not one of %s", key, value, strings.Join(allowed, ", "))
}

func (f clientFilter) match(c ClientStatus) bool {
	return matches(f.role, c.Role) && matches(f.app, c.App) &&
		matches(f.name, c.Name) && matches(f.protocol, c.Protocol)
}

func matches(want, have string) bool { return want == "" || want == have }
