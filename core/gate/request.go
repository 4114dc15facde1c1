package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/proxyproto"
)

// idParameter is the name of the query parameter with a session's signed id.
const idParameter = "viewer"

// event is one about a request.
func (g *Gate) event(r *http.Request) event.Event {
	ev := event.Event{
		Time: g.options.Now(), Protocol: "http", RemoteAddr: g.client(r),
		Method: r.Method, Host: r.Host, Path: r.URL.Path,
		UserAgent: r.UserAgent(), PageURL: r.Referer(),
		Params: event.Params(r.URL.RawQuery), Headers: make(map[string]string, len(r.Header)),
	}
	delete(ev.Params, idParameter)
	for name, values := range r.Header {
		ev.Headers[strings.ToLower(name)] = values[0]
	}
	return ev
}

// client is the address of who sends a request, perhaps by a proxy.
func (g *Gate) client(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	ip := proxyproto.ClientAddr(peer.Addr(), g.options.Trusted(), func(name string) string {
		return strings.Join(r.Header.Values(name), ",")
	})
	if ip == peer.Addr().Unmap().WithZone("") {
		return netip.AddrPortFrom(ip, peer.Port()).String()
	}
	return netip.AddrPortFrom(ip, 0).String()
}

// passing are fields that differ between the requests of one viewer.
var passing = []string{
	"Accept", "Accept-Encoding", "Cache-Control", "Connection", "If-Match", "If-Modified-Since", "If-None-Match",
	"If-Range", "If-Unmodified-Since", "Pragma", "Priority", "Range", "Referer", "Sec-Fetch-Dest",
	"Sec-Fetch-Mode", "Te", "X-Playback-Session-Id",
}

// identity tells who sends a request for a place by all that a script could
// tell viewers apart by: two who differ in it are two, and one who has no
// session yet is still one in the next request.
func identity(r *http.Request, client string, p place) string {
	if at, err := netip.ParseAddrPort(client); err == nil {
		client = at.Addr().String() // the port is another for each connection
	}
	sum := sha256.New()
	put := func(s string) {
		sum.Write([]byte(s))
		sum.Write([]byte{0})
	}
	put(p.prefix)
	put(client)
	put(r.Host)
	put(withoutDirectives(r.URL.Query()).Encode())
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if !slices.Contains(passing, name) {
			put(name)
			put(strings.Join(r.Header[name], "\x00"))
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// withoutDirectives takes out what differs between the requests of one viewer:
// the directives of HLS (RFC 8216bis, 6.2.5) and the session's id.
func withoutDirectives(q url.Values) url.Values {
	maps.DeleteFunc(q, func(name string, _ []string) bool {
		return name == idParameter || strings.HasPrefix(name, "_HLS_")
	})
	return q
}
