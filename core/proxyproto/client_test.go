package proxyproto

import (
	"net/netip"
	"testing"
)

func TestClientAddr(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("127.0.0.1/32"),
		netip.MustParsePrefix("2001:db8:ffff::/48"),
	}
	type fields struct{ xff, real, fwd string }
	for _, c := range []struct {
		name string
		peer string
		fields
		want string
	}{
		{"direct", "203.0.113.9", fields{}, "203.0.113.9"},
		{"proxy without fields", "10.0.0.1", fields{}, "10.0.0.1"},
		{"X-Forwarded-For", "10.0.0.1", fields{xff: "203.0.113.9"}, "203.0.113.9"},
		{"X-Real-IP", "10.0.0.1", fields{real: "203.0.113.9"}, "203.0.113.9"},
		{"Forwarded", "10.0.0.1", fields{fwd: "for=203.0.113.9;proto=http;by=10.0.0.1"}, "203.0.113.9"},
		{"all three agree", "10.0.0.1", fields{"203.0.113.9", "203.0.113.9", "for=203.0.113.9"}, "203.0.113.9"},
		{"two trusted hops", "10.0.0.1", fields{xff: "203.0.113.9, 10.0.0.7"}, "203.0.113.9"},
		{"two trusted hops, X-Real-IP of the first", "10.0.0.1", fields{xff: "203.0.113.9, 10.0.0.7", real: "10.0.0.7"}, "203.0.113.9"},
		{"a line of its own per proxy", "10.0.0.1", fields{xff: "203.0.113.9,10.0.0.7"}, "203.0.113.9"},
		{"client inside", "10.0.0.1", fields{xff: "10.1.2.3, 10.0.0.7"}, "10.1.2.3"},
		{"client inside, X-Real-IP only", "10.0.0.1", fields{real: "10.1.2.3"}, "10.1.2.3"},
		{"IPv6 client", "2001:db8:ffff::1", fields{xff: "2001:db8::9"}, "2001:db8::9"},
		{"mapped peer", "::ffff:10.0.0.1", fields{xff: "203.0.113.9"}, "203.0.113.9"},
		{"mapped peer, not trusted", "::ffff:203.0.113.1", fields{xff: "198.51.100.1"}, "203.0.113.1"},
		{"mapped hop", "10.0.0.1", fields{xff: "::ffff:203.0.113.9"}, "203.0.113.9"},
		{"peer with a zone", "fe80::1%eth0", fields{}, "fe80::1"},
		{"port", "10.0.0.1", fields{xff: "203.0.113.9:4711"}, "203.0.113.9"},
		{"IPv6 with port", "10.0.0.1", fields{xff: "[2001:db8::9]:4711"}, "2001:db8::9"},
		{"IPv6 in brackets", "10.0.0.1", fields{real: "[2001:db8::9]"}, "2001:db8::9"},
		{"Forwarded, quoted IPv6 with port", "10.0.0.1", fields{fwd: `For="[2001:db8::9]:4711"`}, "2001:db8::9"},
		{"Forwarded, several hops", "10.0.0.1", fields{fwd: `for=203.0.113.9, for="10.0.0.7:80";by=10.0.0.1`}, "203.0.113.9"},
		{"Forwarded, hidden", "10.0.0.1", fields{fwd: "for=_secret"}, "10.0.0.1"},
		{"Forwarded, unknown behind a hop", "10.0.0.1", fields{fwd: "for=unknown, for=10.0.0.7"}, "10.0.0.7"},
		{"Forwarded without for", "10.0.0.1", fields{fwd: "by=203.0.113.9;proto=http"}, "10.0.0.1"},
		{"tabs and spaces", "10.0.0.1", fields{xff: " \t203.0.113.9\t "}, "203.0.113.9"},

		{"spoof: untrusted peer", "203.0.113.9", fields{"127.0.0.1", "127.0.0.1", "for=127.0.0.1"}, "203.0.113.9"},
		{"spoof: client wrote a hop before the proxy", "10.0.0.1", fields{xff: "127.0.0.1, 203.0.113.9"}, "203.0.113.9"},
		{"spoof: client wrote an outside hop", "10.0.0.1", fields{xff: "198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		{"spoof: client wrote hops like ours", "10.0.0.1", fields{xff: "198.51.100.1, 10.0.0.7, 203.0.113.9"}, "203.0.113.9"},
		{"spoof: client wrote nonsense", "10.0.0.1", fields{xff: "<script>, , 203.0.113.9"}, "203.0.113.9"},
		{"spoof: X-Real-IP past a proxy that sets X-Forwarded-For", "10.0.0.1", fields{xff: "203.0.113.9", real: "198.51.100.1"}, "10.0.0.1"},
		{"spoof: X-Real-IP inside", "10.0.0.1", fields{xff: "203.0.113.9", real: "127.0.0.1"}, "203.0.113.9"},
		{"spoof: X-Forwarded-For past a proxy that sets X-Real-IP", "10.0.0.1", fields{xff: "198.51.100.1", real: "203.0.113.9"}, "10.0.0.1"},
		{"spoof: X-Forwarded-For inside", "10.0.0.1", fields{xff: "127.0.0.1", real: "203.0.113.9"}, "203.0.113.9"},
		{"spoof: Forwarded past a proxy that sets X-Forwarded-For", "10.0.0.1", fields{xff: "203.0.113.9", fwd: "for=198.51.100.1"}, "10.0.0.1"},
		{"spoof: open quote before the proxy's element", "10.0.0.1", fields{fwd: `for="198.51.100.1, for=203.0.113.9`}, "203.0.113.9"},
		{"nonsense only", "10.0.0.1", fields{"unknown", "-", "=;=,;"}, "10.0.0.1"},
		{"nonsense from a hop", "10.0.0.1", fields{xff: "unknown, 10.0.0.7"}, "10.0.0.7"},
		{"address with a mask", "10.0.0.1", fields{real: "203.0.113.9/8"}, "10.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			header := map[string]string{"X-Forwarded-For": c.xff, "X-Real-IP": c.real, "Forwarded": c.fwd}
			got := ClientAddr(netip.MustParseAddr(c.peer), trusted, func(name string) string { return header[name] })
			if got != netip.MustParseAddr(c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestClientAddrTrustsNobody(t *testing.T) {
	t.Parallel()
	get := func(string) string {
		t.Error("a header field of an untrusted peer was read")
		return "127.0.0.1"
	}
	peer := netip.MustParseAddr("203.0.113.9")
	if got := ClientAddr(peer, nil, get); got != peer {
		t.Errorf("got %v, want %v", got, peer)
	}
	if got := ClientAddr(netip.Addr{}, nil, get); got.IsValid() {
		t.Errorf("no peer (a unix socket) gives %v", got)
	}
}

// FuzzClientAddr holds that a client can put nothing before a proxy's own
// entry that changes the answer.
func FuzzClientAddr(f *testing.F) {
	for _, s := range []string{"", "127.0.0.1", "198.51.100.1, 10.0.0.7", `for="`, "[::1]:80", "fe80::1%eth0"} {
		f.Add(s)
	}
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	peer, client := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("203.0.113.9")
	f.Fuzz(func(t *testing.T, s string) {
		for name, added := range map[string]string{"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"} {
			got := ClientAddr(peer, trusted, func(field string) string {
				if field != name {
					return ""
				}
				return s + ", " + added
			})
			if got != client {
				t.Fatalf("%s %q gives %v", name, s, got)
			}
		}
	})
}
