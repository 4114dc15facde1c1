package rtmp

// request is what a verdict may be awaited on.
type request uint8

const (
	connecting request = iota
	publishing
	playing
)

// waiting is a call whose answer is up to the session's user.
type waiting struct {
	event          request
	call           call
	reset          bool    // play
	objectEncoding float64 // connect
}

// await stops the parsing until a verdict.
func (s *Session) await(w *waiting) {
	s.wait = w
	s.keep()
}

// decide ends the wait for a verdict.
func (s *Session) decide(event request, streamID uint32) (*waiting, error) {
	w := s.wait
	if w == nil || w.event != event || event != connecting && w.call.streamID != streamID {
		return nil, ErrNoVerdict
	}
	s.wait = nil
	return w, nil
}
