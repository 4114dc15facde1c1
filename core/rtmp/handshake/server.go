package handshake

import "io"

// Server is the server's side of one handshake. Its zero value is not usable.
type Server struct {
	random io.Reader
	epoch  uint32
	c0c1   packet
	left   int // bytes of C2 still to come, once answered
	sent   bool
	form   Form
	err    error
}

// NewServer returns the server's side of a handshake. random yields the random
// data, 3 KiB at most, read within [Server.Feed]; nothing depends on its being
// hard to guess. epoch is the time in S1, in milliseconds; 0 will do.
func NewServer(random io.Reader, epoch uint32) *Server {
	return &Server{random: random, epoch: epoch}
}

// Feed takes the bytes that came and returns how many of them belong to the
// handshake, what to send now and whether the handshake is over; what is in b
// from n on is then the first chunk. b is not kept; out is the caller's. An
// error, which may wrap [ErrVersion], is final.
//
// S0, S1 and S2 leave together once C1 is complete: ffmpeg and librtmp send C2
// only after S1 or S2. What C2 says is not looked at, because clients exist
// that echo the wrong bytes and are otherwise fine. A C1 whose digest does not
// verify gets the simple handshake, as one without a digest does.
func (s *Server) Feed(b []byte) (n int, out []byte, done bool, err error) {
	if !s.sent {
		n, out = s.feedC1(b)
	}
	if s.err != nil || !s.sent {
		return n, nil, false, s.err
	}
	skip := min(s.left, len(b)-n)
	s.left -= skip
	return n + skip, out, s.left == 0, nil
}

// Form returns the form of the handshake; it is known once Feed had something
// to send.
func (s *Server) Form() Form { return s.form }

func (s *Server) feedC1(b []byte) (n int, out []byte) {
	if s.err != nil || len(b) == 0 {
		return 0, nil
	}
	if s.c0c1 == nil {
		if s.err = checkVersion(b[0]); s.err != nil {
			return 0, nil
		}
	}
	n, full := s.c0c1.fill(b, 1+Size)
	if !full {
		return n, nil
	}
	if out, s.err = s.answer(s.c0c1[1:]); s.err != nil {
		return 0, nil
	}
	s.c0c1, s.sent, s.left = nil, true, Size
	return n, out
}

// answer returns S0, S1 and S2.
func (s *Server) answer(c1 []byte) (out []byte, err error) {
	form, digest := findDigest(c1, clientText)
	s.form = form
	out = append(make([]byte, 0, 1+2*Size), Version)
	out, err = appendOpening(out, form, s.epoch, serverVersion, serverText, s.random)
	if err != nil {
		return nil, err
	}
	if form == Simple {
		return append(out, c1...), nil // librtmp wants all of C1 back, its time too
	}
	return appendAnswer(out, digest, serverText+keyTail, s.random)
}
