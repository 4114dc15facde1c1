package conf

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

const (
	addressWant = `an address such as ":1935", "127.0.0.1:0", "[::1]:1935" or "localhost:1935"`
	listenWant  = `an address such as ":1935", or a table such as {addr = ":1935", proxy_protocol = true}`
)

// Listen is one listener of a front.
type Listen struct {
	Addr          string // as net.Listen takes it; the host is empty, an IP address or "localhost"
	TLS           bool   // RTMPS, or HTTPS
	ProxyProtocol bool   // each connection begins with a PROXY protocol header, v1 or v2
}

// String returns l as TOML writes it.
func (l Listen) String() string {
	if !l.TLS && !l.ProxyProtocol {
		return strconv.Quote(l.Addr)
	}
	table := fmt.Sprintf("{addr = %q", l.Addr)
	if l.TLS {
		table += ", tls = true"
	}
	if l.ProxyProtocol {
		table += ", proxy_protocol = true"
	}
	return table + "}"
}

// listenElement reads one entry of a listen list.
func listenElement(v any) (Listen, mismatches) {
	switch v := v.(type) {
	case string:
		if _, ok := parseEndpoint(v); !ok {
			return Listen{}, wrong(v, addressWant)
		}
		return Listen{Addr: v}, nil
	case map[string]any:
		return listenTable(v)
	}
	return Listen{}, wrong(v, listenWant)
}

// listenTable reads {addr = …, tls = …, proxy_protocol = …}.
func listenTable(table map[string]any) (l Listen, all mismatches) {
	for _, name := range sortedKeys(table) {
		var ms mismatches
		switch name {
		case "addr":
			ms = str(&l.Addr, addressWant, isAddress).setTOML(table[name]).in(name)
		case "tls":
			ms = boolean(&l.TLS).setTOML(table[name]).in(name)
		case "proxy_protocol":
			ms = boolean(&l.ProxyProtocol).setTOML(table[name]).in(name)
		default:
			ms = unknownIn(name, "addr", "tls", "proxy_protocol")
		}
		all = append(all, ms...)
	}
	if _, ok := table["addr"]; !ok {
		all = append(all, wrong(nil, addressWant).in("addr")...)
	}
	return l, all
}

// endpoint is an address that was taken apart.
type endpoint struct {
	host  netip.Addr // the zero Addr: every address
	local bool       // host was "localhost": 127.0.0.1, ::1 or both
	port  uint16
}

func parseEndpoint(addr string) (endpoint, bool) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return endpoint{}, false
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return endpoint{}, false
	}
	e := endpoint{port: uint16(number), local: host == "localhost"}
	if host == "" || e.local {
		return e, true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return endpoint{}, false
	}
	if !ip.IsUnspecified() {
		e.host = ip.Unmap()
	}
	return e, true
}

func isAddress(s string) bool {
	_, ok := parseEndpoint(s)
	return ok
}

func (e endpoint) loopback() bool { return e.local || e.host.IsLoopback() }

func (e endpoint) everywhere() bool { return !e.local && !e.host.IsValid() }

// clashes reports whether the second of two listeners could not bind. Go binds
// 0.0.0.0 and [::] alike to both families, so both mean every address. Port 0
// is another port each time.
func (e endpoint) clashes(other endpoint) bool {
	switch {
	case e.port != other.port || e.port == 0:
		return false
	case e.everywhere() || other.everywhere():
		return true
	case e.local || other.local:
		return e.loopback() && other.loopback()
	}
	return e.host == other.host
}
