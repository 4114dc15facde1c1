package netloop

import "time"

const (
	// lingerTime and lingerBytes bound what is read and thrown away of a
	// peer that was told good-bye.
	lingerTime  = 2 * time.Second
	lingerBytes = 1 << 20
)

// linger handles a connection whose last words were sent, until the peer has
// read them and closes.
type linger struct {
	conn  *conn
	ended handler // what it was before
	read  int
}

func (h *linger) open() {}

func (h *linger) data(b []byte) {
	if h.read += len(b); h.read > lingerBytes {
		h.conn.kill(causeServer, "")
	}
}

func (h *linger) timeout(int64)            { h.conn.kill(causeServer, "") }
func (h *linger) drain()                   {} // it was told already, and goes soon
func (h *linger) closed()                  { h.ended.closed() }
func (h *linger) describe(s *ClientStatus) { h.ended.describe(s) }
