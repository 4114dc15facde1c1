package proxyproto

import (
	"net/netip"
	"slices"
	"strings"
)

// ClientAddr returns the address of the client behind an HTTP proxy. Header
// fields are read only when peer, the connection's other end, is in trusted;
// otherwise anyone could write them, and peer is the answer.
//
// X-Forwarded-For and Forwarded (RFC 7239) list the hops, each added on the
// right by the proxy that saw it, so that the client is the right-most address
// that is not a trusted proxy; X-Real-IP is one address. A proxy replaces or
// extends one of them and passes the others on as the client sent them.
// Nothing tells which, so when they name different untrusted addresses none is
// believed and the peer's stands. When all hops are trusted, the client is one
// of the trusted, and the left-most is the answer.
//
// get returns the value of a header field, "" when it is absent; the lines of
// a repeated field must be joined by commas, since some proxies add a line of
// their own. IPv4-mapped addresses count as IPv4. The answer has no zone.
func ClientAddr(peer netip.Addr, trusted []netip.Prefix, get func(header string) string) netip.Addr {
	peer = peer.Unmap().WithZone("")
	if !contains(trusted, peer) {
		return peer
	}
	var outside, inside netip.Addr
	for _, hops := range [][]string{
		strings.Split(get("X-Forwarded-For"), ","),
		forwardedFor(get("Forwarded")),
		{get("X-Real-IP")},
	} {
		addr, ok := client(hops, trusted)
		switch {
		case !ok:
		case contains(trusted, addr):
			if !inside.IsValid() {
				inside = addr
			}
		case outside.IsValid() && outside != addr:
			return peer
		default:
			outside = addr
		}
	}
	switch {
	case outside.IsValid():
		return outside
	case inside.IsValid():
		return inside
	}
	return peer
}

// client walks the hops from the right to the first that is not trusted, or to
// what is no address: the hop to the right of that is then all we know.
func client(hops []string, trusted []netip.Prefix) (last netip.Addr, ok bool) {
	for _, hop := range slices.Backward(hops) {
		addr, err := hopAddr(hop)
		if err != nil {
			break
		}
		last, ok = addr, true
		if !contains(trusted, addr) {
			break
		}
	}
	return last, ok
}

// hopAddr parses an address as proxies write it: bare, in brackets, or either
// with a port.
func hopAddr(s string) (netip.Addr, error) {
	s = strings.Trim(s, " \t")
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), nil
	}
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s = s[1 : len(s)-1]
	}
	addr, err := netip.ParseAddr(s)
	return addr.Unmap().WithZone(""), err
}

// forwardedFor returns the for parameter of each element of a Forwarded field,
// in order; an element without one, or with an obfuscated name ("unknown",
// "_hidden"), gives a text that is no address. Commas split even inside quotes:
// an address holds none, and a quote that a client left open must not swallow
// what the proxy added behind it.
func forwardedFor(field string) []string {
	elements := strings.Split(field, ",")
	for i, element := range elements {
		elements[i] = forParameter(element)
	}
	return elements
}

func forParameter(element string) string {
	for pair := range strings.SplitSeq(element, ";") {
		name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
		if strings.EqualFold(name, "for") {
			return unquote(value)
		}
	}
	return ""
}

// unquote strips the quotes that RFC 7239 section 6 wants around IPv6
// addresses and ports.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}
