package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// guard decides who may use the API. With a token: who knows it. Without:
// programs on this machine, but not the pages that a browser on this machine
// has open, which reach loopback too.
type guard struct {
	token    func() string
	loopback bool     // the listener is
	names    []string // our own, as a Host header may give them
}

// newGuard protects a listener bound to addr; other names of it are believed
// in a Host header.
func newGuard(token func() string, addr string, others ...string) *guard {
	g := &guard{token: token, loopback: isLoopback(hostname(addr))}
	for _, a := range append(others, addr) {
		if name := hostname(a); name != "" {
			g.names = append(g.names, name)
		}
	}
	return g
}

// refusal is why a request is not served.
type refusal struct {
	status int
	reason string
}

// check returns nil if the request may pass.
func (g *guard) check(r *http.Request) *refusal {
	if r.URL.Path == "/healthz" {
		return nil // says nothing that is worth guarding, to load balancers that hold no token
	}
	if token := g.token(); token != "" {
		return checkToken(r, token)
	}
	return g.checkBrowser(r)
}

// checkToken compares digests, whose equal length keeps the token's own
// length out of the timing.
func checkToken(r *http.Request, token string) *refusal {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	want, got := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(strings.TrimSpace(given)))
	same := subtle.ConstantTimeCompare(want[:], got[:]) == 1
	if !strings.EqualFold(scheme, "Bearer") || !same {
		return &refusal{http.StatusUnauthorized, "a bearer token is required"}
	}
	return nil
}

func (g *guard) checkBrowser(r *http.Request) *refusal {
	switch {
	case !g.loopback:
		return &refusal{http.StatusForbidden, "this listener is not on loopback, so admin.token must be set"}
	case !g.isOurs(r.Host):
		// DNS rebinding: a page's own name was made to point here.
		return &refusal{http.StatusForbidden, fmt.Sprintf("host %q is not an address of this listener; set admin.token to allow other names", r.Host)}
	case costs(r) && isCrossOrigin(r):
		return &refusal{http.StatusForbidden, "cross-origin request; set admin.token and send it"}
	}
	return nil
}

// isOurs tells a Host header that no foreign page can cause. It must be a
// host and a port in the form of a URL and nothing else, so that no two
// readings of it can differ.
func (g *guard) isOurs(hostport string) bool {
	u, err := url.Parse("http://" + hostport)
	if err != nil || u.Host != hostport {
		return false
	}
	host := u.Hostname()
	if isLoopback(host) {
		return true
	}
	for _, name := range g.names {
		if strings.EqualFold(host, name) {
			return true
		}
	}
	return false
}

// costs tells requests that a foreign page must not even cause, although it
// cannot read the answer: those that change something, and profiles, which
// slow the server down.
func costs(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return strings.HasPrefix(r.URL.Path, "/debug/")
	}
	return true
}

// isCrossOrigin believes Sec-Fetch-Site, which browsers send to loopback and
// pages cannot forge; older browsers send Origin. Programs send neither.
func isCrossOrigin(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "":
	case "same-origin", "none":
		return false
	default:
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host != r.Host
}

// hostname is the host of host:port, or of a host alone.
func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
