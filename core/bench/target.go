package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// Protocol is how a stream travels.
type Protocol string

// The protocols of viewers; publishers speak RTMP.
const (
	RTMP    Protocol = "rtmp"
	HTTPFLV Protocol = "httpflv"
	WSFLV   Protocol = "wsflv"
	// The same over TLS, as [Compare] names them.
	RTMPS    Protocol = "rtmps"
	HTTPSFLV Protocol = "httpsflv"
	WSSFLV   Protocol = "wssflv"
	// raw is RTMP media without any RTMP before it, for a peer that only
	// reads.
	raw Protocol = "raw"
)

// secure reports whether p has TLS.
func (p Protocol) secure() bool { return p == RTMPS || p == HTTPSFLV || p == WSSFLV }

// ErrURL is returned for a URL that is no live stream's.
var ErrURL = errors.New("not rtmp://HOST/APP/NAME, http://HOST/APP/NAME.flv or ws://HOST/APP/NAME.flv, nor one of these with TLS")

// target is where a stream is.
type target struct {
	protocol Protocol
	host     string // as in the URL
	addr     netip.AddrPort
	app      string // of RTMP
	name     string // of RTMP; the path of HTTP
	query    string // with its question mark
	tls      bool
}

var schemes = map[string]struct {
	protocol Protocol
	port     string
	tls      bool
}{
	"rtmp":  {RTMP, "1935", false},
	"http":  {HTTPFLV, "80", false},
	"ws":    {WSFLV, "80", false},
	"rtmps": {RTMP, "1936", true},
	"https": {HTTPFLV, "443", true},
	"wss":   {WSFLV, "443", true},
}

// parseTarget reads a URL and finds the host's address.
func parseTarget(ctx context.Context, s string) (target, error) {
	u, err := url.Parse(s)
	if err != nil {
		return target{}, fmt.Errorf("parse URL: %w", err)
	}
	scheme, ok := schemes[u.Scheme]
	path := strings.TrimPrefix(u.EscapedPath(), "/")
	if !ok || path == "" || u.Hostname() == "" {
		return target{}, fmt.Errorf("%q: %w", s, ErrURL)
	}
	t := target{protocol: scheme.protocol, host: u.Host, name: "/" + path, tls: scheme.tls}
	if u.RawQuery != "" {
		t.query = "?" + u.RawQuery
	}
	if t.protocol == RTMP {
		cut := strings.LastIndexByte(path, '/')
		if cut <= 0 || cut == len(path)-1 {
			return target{}, fmt.Errorf("%q: %w", s, ErrURL)
		}
		t.app, t.name = path[:cut], path[cut+1:]
	}
	port := u.Port()
	if port == "" {
		port = scheme.port
	}
	t.addr, err = resolve(ctx, net.JoinHostPort(u.Hostname(), port))
	return t, err
}

func resolve(ctx context.Context, address string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("parse address: %w", err)
	}
	n, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("parse port: %w", err)
	}
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("resolve %s: %w", host, err)
	}
	return netip.AddrPortFrom(all[0].Unmap(), uint16(n)), nil
}

// of is the n-th of several streams: its name has a number at its end, counted
// from 1.
func (t target) of(n, streams int) target {
	if streams <= 1 {
		return t
	}
	base, flv := strings.CutSuffix(t.name, ".flv")
	t.name = fmt.Sprintf("%s%d", base, n+1)
	if flv {
		t.name += ".flv"
	}
	return t
}
