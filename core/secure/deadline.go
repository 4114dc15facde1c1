package secure

import "time"

// errDry is the error of a read that would have to wait. That it is temporary
// keeps crypto/tls from taking it for the connection's end.
var errDry dry

type dry struct{}

// Error says what it is; nobody but Open meets it.
func (dry) Error() string { return "no more bytes for now" }

// Timeout is net.Error's.
func (dry) Timeout() bool { return true }

// Temporary is net.Error's.
func (dry) Temporary() bool { return true }

// SetDeadline sets the socket's, if there is one: crypto/tls asks for a
// deadline of its own when it says good-bye.
func (w *wire) SetDeadline(t time.Time) error {
	if w.Conn == nil {
		return nil
	}
	return w.Conn.SetDeadline(t)
}

// SetWriteDeadline is as SetDeadline.
func (w *wire) SetWriteDeadline(t time.Time) error {
	if w.Conn == nil {
		return nil
	}
	return w.Conn.SetWriteDeadline(t)
}
