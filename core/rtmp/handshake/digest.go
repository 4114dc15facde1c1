package handshake

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
)

const digestSize = sha256.Size

// The keys are no secret: each is in every Flash Player. A C1 or S1 is signed
// with the text of the key alone, a C2 or S2 with a key made from all of it.
const (
	keyTail = "\xf0\xee\xc2\x4a\x80\x68\xbe\xe8\x2e\x00\xd0\xd1\x02\x9e\x7e\x57" +
		"\x6e\xec\x5d\x2d\x29\x80\x6f\xab\x93\xb8\xe6\x36\xcf\xeb\x31\xae"
	clientText = "Genuine Adobe Flash Player 001"
	serverText = "Genuine Adobe Flash Media Server 001"
)

// Versions that we put into C1 and S1. ffmpeg verifies the digests of a server
// whose version starts with 3 or more; 3.5.1.1 is a Flash Media Server, and
// 9.0.124.2 the Flash Player that ffmpeg says it is.
const (
	clientVersion = "\x09\x00\x7c\x02"
	serverVersion = "\x03\x05\x01\x01"
)

// digestAt returns the offset of the digest in a C1 or S1 of form f: the four
// bytes at the form's base add up to an offset behind them, modulo 728, which
// leaves room for the digest in the 764 bytes from the base on.
func digestAt(p []byte, f Form) int {
	base := 8
	if f == Digest772 {
		base = 772
	}
	sum := int(p[base]) + int(p[base+1]) + int(p[base+2]) + int(p[base+3])
	return base + 4 + sum%728
}

// digestOf returns the HMAC of p without the digest at offset at.
func digestOf(p []byte, at int, key string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write(p[:at])
	h.Write(p[at+digestSize:])
	return h.Sum(nil)
}

// findDigest returns the form of a C1 or S1 and its digest: Simple and nil if
// it has none that verifies.
func findDigest(p []byte, key string) (Form, []byte) {
	if bytes.Equal(p[versionField:versionField+4], make([]byte, 4)) {
		return Simple, nil
	}
	for _, f := range [...]Form{Digest8, Digest772} {
		at := digestAt(p, f)
		if d := p[at : at+digestSize]; hmac.Equal(d, digestOf(p, at, key)) {
			return f, d
		}
	}
	return Simple, nil
}

// appendOpening appends a C1 or S1: the time, the version if f has digests,
// random data and a digest in its place.
func appendOpening(dst []byte, f Form, epoch uint32, version, key string, random io.Reader) ([]byte, error) {
	at := len(dst)
	dst = append(dst, make([]byte, Size)...)
	p := dst[at:]
	if _, err := io.ReadFull(random, p[8:]); err != nil {
		return nil, fmt.Errorf("read random data: %w", err)
	}
	binary.BigEndian.PutUint32(p, epoch)
	if f == Simple {
		return dst, nil
	}
	copy(p[versionField:], version)
	d := digestAt(p, f)
	copy(p[d:], digestOf(p, d, key))
	return dst, nil
}

// appendAnswer appends a C2 or S2 that is signed: random data, then its HMAC
// with a key that only who knows key can make of the peer's digest.
func appendAnswer(dst, digest []byte, key string, random io.Reader) ([]byte, error) {
	at := len(dst)
	dst = append(dst, make([]byte, Size)...)
	p := dst[at:]
	if _, err := io.ReadFull(random, p[:Size-digestSize]); err != nil {
		return nil, fmt.Errorf("read random data: %w", err)
	}
	copy(p[Size-digestSize:], signature(p, digest, key))
	return dst, nil
}

// signature returns what the end of a C2 or S2 must be that answers digest.
func signature(p, digest []byte, key string) []byte {
	k := hmac.New(sha256.New, []byte(key))
	k.Write(digest)
	h := hmac.New(sha256.New, k.Sum(nil))
	h.Write(p[:Size-digestSize])
	return h.Sum(nil)
}
