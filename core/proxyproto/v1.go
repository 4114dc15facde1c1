package proxyproto

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
)

// maxLen1 is the longest version 1 header: "a 108-byte buffer is always enough
// to store all the line and a trailing zero".
const maxLen1 = 107

// parse1 parses the line of text, specification section 2.1.
func parse1(b []byte) (Header, int, error) {
	line := b[:min(len(b), maxLen1)]
	end := bytes.IndexByte(line, '\n')
	switch {
	case end < 0 && len(line) < maxLen1:
		return Header{}, 0, ErrShort
	case end < 0:
		return Header{}, 0, &SyntaxError{"line is longer than 107 bytes", maxLen1}
	case line[end-1] != '\r':
		return Header{}, 0, &SyntaxError{"line ends without CR", end}
	}
	h, err := parseLine(string(line[len(signature1) : end-1]))
	if err != nil {
		return Header{}, 0, err
	}
	return h, end + 1, nil
}

// parseLine parses what follows "PROXY ": the family, and for TCP the four
// fields that belong to it, with a single space between each.
func parseLine(s string) (Header, error) {
	family, rest, _ := strings.Cut(s, " ")
	if family == "UNKNOWN" {
		// "the receiver must ignore anything presented before the CRLF is
		// found".
		return Header{}, nil
	}
	if family != "TCP4" && family != "TCP6" {
		return Header{}, &SyntaxError{"family is not TCP4, TCP6 or UNKNOWN", len(signature1)}
	}
	wrong := &SyntaxError{Offset: len(signature1) + len(family) + 1}
	f := strings.Split(rest, " ")
	if len(f) != 4 {
		wrong.Reason = "not two addresses and two ports"
		return Header{}, wrong
	}
	source, ok1 := addrPort(f[0], f[2], family == "TCP4")
	destination, ok2 := addrPort(f[1], f[3], family == "TCP4")
	if !ok1 || !ok2 {
		wrong.Reason = "bad address or port for " + family
		return Header{}, wrong
	}
	return Header{Source: source, Destination: destination}, nil
}

func addrPort(addr, port string, four bool) (netip.AddrPort, bool) {
	a, err := netip.ParseAddr(addr)
	if err != nil || a.Is4() != four || a.Zone() != "" {
		return netip.AddrPort{}, false
	}
	p, ok := parsePort(port)
	return netip.AddrPortFrom(a.Unmap(), p), ok
}

// parsePort takes decimal digits only: "Heading zeroes are not permitted in
// front of numbers in order to avoid any possible confusion with octal
// numbers."
func parsePort(s string) (uint16, bool) {
	p, err := strconv.ParseUint(s, 10, 16)
	return uint16(p), err == nil && (s[0] != '0' || s == "0")
}
