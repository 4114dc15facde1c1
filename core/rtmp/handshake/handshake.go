// Package handshake is the opening of an RTMP connection: C0, C1 and C2 from
// the client, S0, S1 and S2 from the server (RTMP 1.0, section 5.2), plain or
// with the digests that Flash Player 9 brought and ffmpeg still sends.
//
// [Server] and [Client] take bytes in and give bytes out. They know no socket
// and no clock, and belong to one goroutine, that of the connection's event
// loop.
package handshake

import (
	"errors"
	"fmt"
)

// Version is the only protocol version in C0 and S0 that is spoken here.
const Version = 3

// Size is the length in bytes of C1, C2, S1 and S2: a time, a field of four
// bytes that is zero or the version of a peer with digests, and random data.
const Size = 1536

// versionField is where C1 and S1 say whether they carry a digest.
const versionField = 4

// ErrVersion says that the peer asks for another protocol than plain RTMP: 6
// and 8 are RTMPE; 'G' is somebody who speaks HTTP, 22 TLS.
var ErrVersion = errors.New("not plain RTMP")

// ErrDigest says that a server claims to use digests and sent a wrong one.
var ErrDigest = errors.New("digest does not verify")

// Form is the form of a handshake.
type Form uint8

const (
	// Simple has random data only, and each side echoes the other's.
	Simple Form = iota
	// Digest8 has a digest placed by the four bytes at offset 8.
	Digest8
	// Digest772 has a digest placed by the four bytes at offset 772.
	Digest772
)

// String returns the name of f as the log has it.
func (f Form) String() string {
	switch f {
	case Simple:
		return "simple"
	case Digest8:
		return "digest8"
	case Digest772:
		return "digest772"
	}
	return fmt.Sprintf("form %d", uint8(f))
}

// packet gathers the bytes of one or more handshake packets.
type packet []byte

// fill takes from b what is missing to size bytes and reports how many that
// were and whether the packet is complete.
func (p *packet) fill(b []byte, size int) (n int, full bool) {
	n = min(len(b), size-len(*p))
	if *p == nil && n > 0 {
		*p = make(packet, 0, size)
	}
	*p = append(*p, b[:n]...)
	return n, len(*p) == size
}

func checkVersion(v byte) error {
	if v != Version {
		return fmt.Errorf("read handshake version %d: %w", v, ErrVersion)
	}
	return nil
}
