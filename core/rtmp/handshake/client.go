package handshake

import (
	"crypto/hmac"
	"fmt"
	"io"
)

// Client is the client's side of one handshake. Its zero value is not usable.
type Client struct {
	random io.Reader
	epoch  uint32
	form   Form
	opened bool
	digest []byte // of C1
	signed bool   // S1 had a digest, so that S2 must have a signature
	s0s1   packet
	s2     packet
	gotS1  bool
	err    error
}

// NewClient returns the client's side of a handshake of form f. random yields
// the random data, 3 KiB at most, read within [Client.Feed]. epoch is the time
// in C1, in milliseconds; 0 will do.
func NewClient(random io.Reader, epoch uint32, f Form) *Client {
	return &Client{random: random, epoch: epoch, form: f}
}

// Feed takes the bytes that came and returns as [Server.Feed] does. The first
// call, which may be with no bytes, returns C0 and C1 to send; C2 is due as
// soon as S1 is complete. An error, which may wrap [ErrVersion] or
// [ErrDigest], is final.
//
// A server that does not know digests leaves the version in S1 zero and gets
// the simple C2. The echo in a simple S2 is not checked.
func (c *Client) Feed(b []byte) (n int, out []byte, done bool, err error) {
	if c.err == nil && !c.opened {
		out, c.err = c.open()
	}
	if c.err == nil && !c.gotS1 {
		n, out = c.feedS1(b, out)
	}
	if c.err == nil && c.gotS1 {
		var used int
		used, done = c.feedS2(b[n:])
		n += used
	}
	if c.err != nil {
		return 0, nil, false, c.err
	}
	return n, out, done, nil
}

// open returns C0 and C1.
func (c *Client) open() ([]byte, error) {
	out := append(make([]byte, 0, 1+Size), Version)
	out, err := appendOpening(out, c.form, c.epoch, clientVersion, clientText, c.random)
	if err != nil {
		return nil, err
	}
	c.opened = true
	if c.form != Simple {
		at := 1 + digestAt(out[1:], c.form)
		c.digest = append(c.digest, out[at:at+digestSize]...)
	}
	return out, nil
}

// feedS1 takes S0 and S1 and appends C2 to out when they are complete.
func (c *Client) feedS1(b, out []byte) (int, []byte) {
	if len(c.s0s1) == 0 && len(b) > 0 {
		if c.err = checkVersion(b[0]); c.err != nil {
			return 0, nil
		}
	}
	n, full := c.s0s1.fill(b, 1+Size)
	if full {
		out, c.err = c.appendC2(out, c.s0s1[1:])
		c.s0s1, c.gotS1 = nil, true
	}
	return n, out
}

func (c *Client) appendC2(out, s1 []byte) ([]byte, error) {
	version := string(s1[versionField : versionField+4])
	if c.form == Simple || version == "\x00\x00\x00\x00" {
		return append(out, s1...), nil
	}
	_, digest := findDigest(s1, serverText)
	if digest == nil {
		return nil, fmt.Errorf("verify S1: %w", ErrDigest)
	}
	c.signed = true
	return appendAnswer(out, digest, clientText+keyTail, c.random)
}

// feedS2 takes S2 and reports whether it is complete.
func (c *Client) feedS2(b []byte) (n int, done bool) {
	n, done = c.s2.fill(b, Size)
	if !done || !c.signed {
		return n, done
	}
	if !hmac.Equal(c.s2[Size-digestSize:], signature(c.s2, c.digest, serverText+keyTail)) {
		c.err = fmt.Errorf("verify S2: %w", ErrDigest)
	}
	return n, done
}
