package proxyproto

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	oracle "github.com/pires/go-proxyproto"
)

// v2 builds a version 2 header from the bytes after the signature up to the
// length, and the block that the length counts.
func v2(versionCommand, family byte, block string) string {
	return fmt.Sprintf("%s%c%c%s%s", signature2, versionCommand, rune(family), []byte{byte(len(block) >> 8), byte(len(block))}, block)
}

const (
	block4 = "\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb" // 192.0.2.1:56324 to 198.51.100.2:443
	block6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x04\x00\x07\x8f"
	mapped6 = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04" +
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x05\x06\x07\x08\x00\x01\x00\x02"
)

func header(source, destination string) Header {
	return Header{Source: netip.MustParseAddrPort(source), Destination: netip.MustParseAddrPort(destination)}
}

var (
	tcpv4 = header("192.0.2.1:56324", "198.51.100.2:443")
	tcpv6 = header("[2001:db8::1]:1024", "[2001:db8::2]:1935")
)

// parseCases serve the test of Parse, the same byte by byte, the comparison
// with the oracle, and the corpus of the fuzz target. Each good input stands
// alone; tests add bytes behind it.
var parseCases = []struct {
	name string
	in   string
	want Header
	err  string // "", "short", "none", or part of a SyntaxError
}{
	{name: "v1 TCP4", in: "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", want: tcpv4},
	{name: "v1 TCP4, the longest", in: "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", want: header("255.255.255.255:65535", "255.255.255.255:65535")},
	{name: "v1 TCP4, port 0", in: "PROXY TCP4 192.0.2.1 198.51.100.2 0 443\r\n", want: header("192.0.2.1:0", "198.51.100.2:443")},
	{name: "v1 TCP6", in: "PROXY TCP6 2001:db8::1 2001:db8::2 1024 1935\r\n", want: tcpv6},
	{name: "v1 TCP6, the longest", in: "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", want: header("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")},
	{name: "v1 TCP6, mapped", in: "PROXY TCP6 ::ffff:1.2.3.4 ::ffff:5.6.7.8 1 2\r\n", want: header("1.2.3.4:1", "5.6.7.8:2")},
	{name: "v1 UNKNOWN", in: "PROXY UNKNOWN\r\n"},
	{name: "v1 UNKNOWN with addresses, 107 bytes", in: "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"},
	{name: "v1 half", in: "PROXY TCP4 192.0.2.1 198.51.1", err: "short"},
	{name: "v1 without LF", in: "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r", err: "short"},
	{name: "nothing", in: "", err: "short"},
	{name: "P", in: "P", err: "short"},

	{name: "v1 bare LF", in: "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\n", err: "without CR"},
	{name: "v1 only the signature", in: "PROXY \n", err: "without CR"},
	{name: "v1 empty", in: "PROXY \r\n", err: "family"},
	{name: "v1 of 108 bytes", in: "PROXY UNKNOWN " + strings.Repeat("x", 92) + "\r\n", err: "longer than 107"},
	{name: "v1 without end", in: "PROXY UNKNOWN " + strings.Repeat("x", 4000), err: "longer than 107"},
	{name: "v1 UDP4", in: "PROXY UDP4 192.0.2.1 198.51.100.2 56324 443\r\n", err: "family"},
	{name: "v1 lower case", in: "PROXY tcp4 192.0.2.1 198.51.100.2 56324 443\r\n", err: "family"},
	{name: "v1 UNKNOWNX", in: "PROXY UNKNOWNX\r\n", err: "family"},
	{name: "v1 two spaces", in: "PROXY TCP4 192.0.2.1  198.51.100.2 56324 443\r\n", err: "two addresses"},
	{name: "v1 space at the end", in: "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 \r\n", err: "two addresses"},
	{name: "v1 three fields", in: "PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n", err: "two addresses"},
	{name: "v1 without fields", in: "PROXY TCP4\r\n", err: "two addresses"},
	{name: "v1 TCP4 with IPv6", in: "PROXY TCP4 2001:db8::1 2001:db8::2 1024 1935\r\n", err: "bad address"},
	{name: "v1 TCP6 with IPv4", in: "PROXY TCP6 192.0.2.1 198.51.100.2 56324 443\r\n", err: "bad address"},
	{name: "v1 TCP6 with a zone", in: "PROXY TCP6 fe80::1%eth0 fe80::2 1024 1935\r\n", err: "bad address"},
	{name: "v1 leading zero in the address", in: "PROXY TCP4 192.0.02.1 198.51.100.2 56324 443\r\n", err: "bad address"},
	{name: "v1 leading zero in the port", in: "PROXY TCP4 192.0.2.1 198.51.100.2 056324 443\r\n", err: "bad address"},
	{name: "v1 sign in the port", in: "PROXY TCP4 192.0.2.1 198.51.100.2 +1 443\r\n", err: "bad address"},
	{name: "v1 empty port", in: "PROXY TCP4 192.0.2.1 198.51.100.2  443\r\n", err: "bad address"},
	{name: "v1 port 65536", in: "PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n", err: "bad address"},
	{name: "v1 CR inside", in: "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\rX\r\n", err: "bad address"},
	{name: "v1 NUL inside", in: "PROXY TCP4 192.0.2.1\x00 198.51.100.2 56324 443\r\n", err: "bad address"},

	{name: "v2 TCP4", in: v2(0x21, 0x11, block4), want: tcpv4},
	{name: "v2 TCP4 with TLVs", in: v2(0x21, 0x11, block4+"\x04\x00\x03abc"), want: tcpv4},
	{name: "v2 TCP4 with 4 KiB of TLVs", in: v2(0x21, 0x11, block4+strings.Repeat("t", 4096)), want: tcpv4},
	{name: "v2 TCP6", in: v2(0x21, 0x21, block6), want: tcpv6},
	{name: "v2 TCP6, mapped", in: v2(0x21, 0x21, mapped6), want: header("1.2.3.4:1", "5.6.7.8:2")},
	{name: "v2 UNIX", in: v2(0x21, 0x31, strings.Repeat("/", unixLen))},
	{name: "v2 UNSPEC", in: v2(0x21, 0x00, "")},
	{name: "v2 UNSPEC with a block", in: v2(0x21, 0x00, "whatever")},
	{name: "v2 LOCAL", in: v2(0x20, 0x00, ""), want: Header{Local: true}},
	{name: "v2 LOCAL, family ignored", in: v2(0x20, 0x7F, "some"), want: Header{Local: true}},
	{name: "v2 longest", in: v2(0x21, 0x31, strings.Repeat("u", MaxLen-fixed2))},
	{name: "v2 half a signature", in: signature2[:7], err: "short"},
	{name: "v2 half", in: v2(0x21, 0x11, block4)[:20], err: "short"},

	{name: "v2 version 1", in: v2(0x11, 0x11, block4), err: "version or command"},
	{name: "v2 command 2", in: v2(0x22, 0x11, block4), err: "version or command"},
	{name: "v2 UDP4", in: v2(0x21, 0x12, block4), err: "unsupported family"},
	{name: "v2 unknown family", in: v2(0x21, 0x41, block4), err: "unsupported family"},
	{name: "v2 UNIX datagram", in: v2(0x21, 0x32, strings.Repeat("/", unixLen)), err: "unsupported family"},
	{name: "v2 TCP4 too short", in: v2(0x21, 0x11, block4[:11]), err: "too small"},
	{name: "v2 TCP6 too short", in: v2(0x21, 0x21, block6[:35]), err: "too small"},
	{name: "v2 UNIX too short", in: v2(0x21, 0x31, block6), err: "too small"},
	{name: "v2 over the limit", in: v2(0x21, 0x11, strings.Repeat("t", MaxLen-fixed2+1)), err: "longer than its limit"},
	{name: "v2 LOCAL of 64 KiB", in: v2(0x20, 0x00, strings.Repeat("t", 0xFFFF)), err: "longer than its limit"},

	{name: "HTTP", in: "GET / HTTP/1.1\r\n\r\n", err: "none"},
	{name: "POST", in: "POST / HTTP/1.1\r\n\r\n", err: "none"},
	{name: "RTMP", in: "\x03\x00\x00", err: "none"},
	{name: "TLS", in: "\x16\x03\x01\x02\x00", err: "none"},
	{name: "proxy in lower case", in: "proxy TCP4", err: "none"},
	{name: "PROXYTCP4", in: "PROXYTCP4 ", err: "none"},
	{name: "two empty lines", in: "\r\n\r\nGET", err: "none"},
}

// kind is the err of a case that an error answers to.
func kind(err error) string {
	var syntax *SyntaxError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrShort):
		return "short"
	case errors.Is(err, ErrNone):
		return "none"
	case errors.As(err, &syntax):
		return syntax.Reason
	}
	return "unknown error " + err.Error()
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range parseCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, more := range []string{"", "GET / HTTP/1.1\r\n", "\x03"} {
				if c.err == "short" && more != "" {
					continue
				}
				got, n, err := Parse([]byte(c.in + more))
				if got != c.want || !strings.Contains(kind(err), c.err) || (err == nil) != (c.err == "") {
					t.Errorf("Parse = %+v, %v\nwant %+v, %q", got, err, c.want, c.err)
				}
				if err == nil && n != len(c.in) || err != nil && n != 0 {
					t.Errorf("n = %d of %d with error %v", n, len(c.in), err)
				}
			}
		})
	}
}

// bytewise feeds in one byte more at a time, until the answer is not ErrShort.
func bytewise(in []byte) (Header, int, error) {
	for n := range in {
		h, used, err := Parse(in[:n])
		if !errors.Is(err, ErrShort) {
			return h, used, err
		}
	}
	return Parse(in)
}

func TestParseBytewise(t *testing.T) {
	t.Parallel()
	for _, c := range parseCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h1, n1, err1 := Parse([]byte(c.in))
			h2, n2, err2 := bytewise([]byte(c.in))
			if h1 != h2 || n1 != n2 || kind(err1) != kind(err2) {
				t.Errorf("whole: %+v, %d, %v\nbyte by byte: %+v, %d, %v", h1, n1, err1, h2, n2, err2)
			}
		})
	}
}

// TestOracleWrites parses what go-proxyproto writes.
func TestOracleWrites(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"192.0.2.1:56324", "198.51.100.2:443"},
		{"[2001:db8::1]:1024", "[2001:db8::2]:1935"},
		{"[::1]:1", "[::1]:65535"},
	} {
		source, destination := netip.MustParseAddrPort(pair[0]), netip.MustParseAddrPort(pair[1])
		for version := byte(1); version <= 2; version++ {
			h := oracle.HeaderProxyFromAddrs(version, net.TCPAddrFromAddrPort(source), net.TCPAddrFromAddrPort(destination))
			b, err := h.Format()
			if err != nil {
				t.Fatal(err)
			}
			got, n, err := Parse(b)
			if want := (Header{Source: source, Destination: destination}); got != want || n != len(b) || err != nil {
				t.Errorf("Parse(%q) = %+v, %d, %v", b, got, n, err)
			}
		}
	}
	b, err := (&oracle.Header{Version: 2, Command: oracle.LOCAL, TransportProtocol: oracle.UNSPEC}).Format()
	if err != nil {
		t.Fatal(err)
	}
	if got, n, err := Parse(b); got != (Header{Local: true}) || n != len(b) || err != nil {
		t.Errorf("Parse(%q) = %+v, %d, %v", b, got, n, err)
	}
}

// FuzzParse holds that Parse says the same byte by byte, never takes more than
// there is or than MaxLen, and that the addresses which it accepts are those
// which go-proxyproto reads.
func FuzzParse(f *testing.F) {
	for _, c := range parseCases {
		f.Add([]byte(c.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		h, n, err := Parse(in)
		h1, n1, err1 := bytewise(in)
		if h != h1 || n != n1 || kind(err) != kind(err1) {
			t.Fatalf("whole: %+v, %d, %v\nbyte by byte: %+v, %d, %v", h, n, err, h1, n1, err1)
		}
		if n > len(in) || n > MaxLen || err != nil && n != 0 {
			t.Fatalf("n = %d of %d, error %v", n, len(in), err)
		}
		if err == nil && h.Source.IsValid() {
			compare(t, h, in[:n])
		}
	})
}

func compare(t *testing.T, h Header, in []byte) {
	t.Helper()
	want, err := oracle.Read(bufio.NewReaderSize(bytes.NewReader(in), MaxLen))
	if err != nil {
		t.Fatalf("the oracle says %v to %q", err, in)
	}
	source, destination, ok := want.TCPAddrs()
	if !ok {
		t.Fatalf("the oracle sees no TCP addresses in %q", in)
	}
	for _, a := range []struct {
		got  netip.AddrPort
		want *net.TCPAddr
	}{{h.Source, source}, {h.Destination, destination}} {
		addr, _ := netip.AddrFromSlice(a.want.IP)
		if a.got.Addr() != addr.Unmap() || int(a.got.Port()) != a.want.Port {
			t.Fatalf("%v, the oracle says %v in %q", a.got, a.want, in)
		}
	}
}
