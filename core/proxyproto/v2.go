package proxyproto

import (
	"encoding/binary"
	"net/netip"
)

// fixed2 is the part of a version 2 header whose size does not vary:
// signature, version and command, family and protocol, length.
const fixed2 = 16

// MaxLen is the longest header that Parse takes, in bytes: version 2 with the
// largest pair of addresses (AF_UNIX) and 4 KiB of further values (TLVs),
// which are skipped.
const MaxLen = fixed2 + unixLen + 4096

// Lengths of the address blocks of version 2 in bytes.
const (
	inetLen  = 4 + 4 + 2 + 2
	inet6Len = 16 + 16 + 2 + 2
	unixLen  = 108 + 108
)

// parse2 parses the binary header, specification section 2.2. What the fixed
// part tells is judged before the rest has come.
func parse2(b []byte) (Header, int, error) {
	if len(b) < fixed2 {
		return Header{}, 0, ErrShort
	}
	local, err := command(b[12])
	if err != nil {
		return Header{}, 0, err
	}
	n := fixed2 + int(binary.BigEndian.Uint16(b[14:]))
	if n > MaxLen {
		return Header{}, 0, &SyntaxError{"header is longer than its limit", 14}
	}
	if !local {
		if err := checkFamily(b[13], n-fixed2); err != nil {
			return Header{}, 0, err
		}
	}
	if len(b) < n {
		return Header{}, 0, ErrShort
	}
	if local {
		// "the receiver must use the real connection endpoints and discard
		// the protocol block including the family which is ignored".
		return Header{Local: true}, n, nil
	}
	return addresses(b[13], b[fixed2:n]), n, nil
}

// command reads the byte of version and command: "receivers must drop
// connections presenting unexpected values here".
func command(v byte) (local bool, err error) {
	switch v {
	case 0x20:
		return true, nil
	case 0x21:
		return false, nil
	}
	return false, &SyntaxError{"unknown version or command", 12}
}

// The byte of address family and transport protocol.
const (
	unspec     = 0x00
	tcp4       = 0x11
	tcp6       = 0x21
	unixStream = 0x31
)

// checkFamily refuses what cannot be the origin of a TCP connection, datagrams
// included, and lengths that do not hold the family's addresses.
func checkFamily(family byte, length int) error {
	need := 0
	switch family {
	case unspec:
	case tcp4:
		need = inetLen
	case tcp6:
		need = inet6Len
	case unixStream:
		need = unixLen
	default:
		return &SyntaxError{"unsupported family or protocol", 13}
	}
	if length < need {
		return &SyntaxError{"length is too small for the addresses", 14}
	}
	return nil
}

// addresses reads the address block, whose length checkFamily has seen.
func addresses(family byte, b []byte) Header {
	switch family {
	case tcp4:
		return Header{
			Source:      netip.AddrPortFrom(netip.AddrFrom4([4]byte(b)), binary.BigEndian.Uint16(b[8:])),
			Destination: netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:])), binary.BigEndian.Uint16(b[10:])),
		}
	case tcp6:
		return Header{
			Source:      netip.AddrPortFrom(netip.AddrFrom16([16]byte(b)).Unmap(), binary.BigEndian.Uint16(b[32:])),
			Destination: netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[16:])).Unmap(), binary.BigEndian.Uint16(b[34:])),
		}
	}
	return Header{}
}
