package netloop

import (
	"errors"

	"github.com/millrace/millrace/core/ws"
)

// wsInput handles what a WebSocket viewer sends: pings are answered, a close
// is answered, anything else is let go.
type wsInput struct {
	conn   *conn
	reader ws.Reader
	code   ws.Code // to say good-bye with
	reason string
	closed bool // its close frame came
}

func newWSInput(c *conn) *wsInput {
	return &wsInput{conn: c, code: ws.CloseNormal,
		reader: ws.NewReader(int64(c.engine.Settings().Limits.CommandSize))}
}

func (w *wsInput) data(b []byte) {
	for len(b) > 0 && !w.conn.dead && !w.closed {
		ev, n, err := w.reader.Next(b)
		b = b[n:]
		if errors.Is(err, ws.ErrShort) {
			return
		}
		var broken *ws.ProtocolError
		if errors.As(err, &broken) {
			w.end(broken.Code, broken.Reason)
			return
		}
		switch ev.Op {
		case ws.OpPing:
			w.conn.send(ws.AppendPong(nil, ev.Payload))
		case ws.OpClose:
			w.end(ev.Code, "closed by peer")
		}
	}
}

// end says good-bye with code at the next frame boundary.
func (w *wsInput) end(code ws.Code, reason string) {
	w.closed = true
	w.code, w.reason = code, reason
	if v := w.conn.viewer; v != nil {
		w.conn.loop.end(v, reason)
	}
}

// farewell appends the close frame.
func (w *wsInput) farewell(dst []byte, reason string) []byte {
	code := w.code
	switch {
	case w.reason != "":
		reason = w.reason
	case reason == shuttingDown:
		code = ws.CloseGoingAway // so that players come back after a restart
	}
	return ws.AppendClose(dst, code, reason)
}
