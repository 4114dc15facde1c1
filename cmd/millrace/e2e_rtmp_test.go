package main_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// Types of RTMP messages that the client handles.
const (
	setChunkSize = 1
	ackMessage   = 3
	userControl  = 4
	windowAck    = 5
	peerBand     = 6
	command      = 20
)

// User Control events.
const (
	streamEOF    = 1
	pingRequest  = 6
	pingResponse = 7
)

// rtmpConn is a small RTMP client. One goroutine reads; any may write.
type rtmpConn struct {
	net.Conn
	r   *chunkReader
	in  *countingReader
	out chunkWriter
	mu  sync.Mutex // guards writes

	window, acked int64
	transaction   float64
	stream        uint32   // message stream, from createStream
	control       []string // notable control messages and onStatus codes, in order
	pongs         [][]byte // payloads of ping responses
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// dialRTMP connects and does the simple handshake; wrap, if given, comes
// between the socket and the parser.
func dialRTMP(addr string, wrap func(net.Conn) io.Reader, preface ...byte) (*rtmpConn, error) {
	conn, err := dial(addr, wrap != nil)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(preface); err != nil {
		return nil, err
	}
	var r io.Reader = bufio.NewReaderSize(conn, 64<<10)
	if wrap != nil {
		r = wrap(conn)
	}
	c := &rtmpConn{Conn: conn, in: &countingReader{r: r}, out: chunkWriter{size: 128}}
	c.r = newChunkReader(c.in)
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if err := c.handshake(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("handshake: %w", err)
	}
	return c, nil
}

// dial connects; a narrow connection has the smallest receive buffer, and an
// address that begins with tlsAddr is spoken to over TLS.
func dial(addr string, narrow bool) (net.Conn, error) {
	d := &net.Dialer{Timeout: patience}
	if narrow {
		d.Control = smallBuffer
	}
	if addr, ok := strings.CutPrefix(addr, tlsAddr); ok {
		return tls.DialWithDialer(d, "tcp", addr, &tls.Config{InsecureSkipVerify: true})
	}
	return d.Dial("tcp", addr)
}

const tlsAddr = "tls:"

func (c *rtmpConn) handshake() error {
	c1 := make([]byte, 1536)
	_, _ = rand.Read(c1[8:])
	if _, err := c.Write(append([]byte{3}, c1...)); err != nil {
		return err
	}
	answer := make([]byte, 1+2*1536)
	if _, err := io.ReadFull(c.in, answer); err != nil {
		return err
	}
	if answer[0] != 3 || !bytes.Equal(answer[1+1536+8:], c1[8:]) {
		return errors.New("S0 or S2 is not the answer to C0 and C1")
	}
	_, err := c.Write(answer[1 : 1+1536])
	return err
}

// send writes one message on a chunk stream.
func (c *rtmpConn) send(id byte, m message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.Write(c.out.append(nil, id, m))
	return err
}

func (c *rtmpConn) sendControl(kind byte, values ...uint32) error {
	var body []byte
	for _, v := range values {
		body = binary.BigEndian.AppendUint32(body, v)
	}
	return c.send(2, message{kind: kind, body: body})
}

func (c *rtmpConn) chunkSize(n int) error {
	if err := c.sendControl(setChunkSize, uint32(n)); err != nil {
		return err
	}
	c.mu.Lock()
	c.out.size = n
	c.mu.Unlock()
	return nil
}

// ping sends a User Control ping request.
func (c *rtmpConn) ping(stamp uint32) error {
	body := binary.BigEndian.AppendUint32([]byte{0, pingRequest}, stamp)
	return c.send(2, message{kind: userControl, body: body})
}

func (c *rtmpConn) command(stream uint32, name string, args ...any) (float64, error) {
	c.mu.Lock()
	c.transaction++
	id := c.transaction
	c.mu.Unlock()
	body := amfEncode(append([]any{name, id}, args...)...)
	return id, c.send(3, message{kind: command, stream: stream, body: body})
}

// read returns the next message, after the protocol's own business is done.
func (c *rtmpConn) read() (message, error) {
	for {
		m, err := c.r.next()
		if err != nil {
			return m, err
		}
		if err := c.acknowledge(); err != nil {
			return m, err
		}
		own, err := c.handle(m)
		if !own || err != nil {
			return m, err
		}
	}
}

// acknowledge tells the bytes received, as often as the server's window asks.
func (c *rtmpConn) acknowledge() error {
	if c.window == 0 || c.in.n-c.acked < c.window {
		return nil
	}
	c.acked = c.in.n
	return c.sendControl(ackMessage, uint32(c.in.n))
}

// handle does what a protocol control message asks.
func (c *rtmpConn) handle(m message) (own bool, err error) {
	switch m.kind {
	case setChunkSize:
		c.r.size = int(binary.BigEndian.Uint32(m.body))
	case windowAck:
		c.window = int64(binary.BigEndian.Uint32(m.body))
	case ackMessage:
		c.control = append(c.control, "Acknowledgement")
	case peerBand:
	case userControl:
		return true, c.event(m.body)
	default:
		return false, nil
	}
	return true, nil
}

func (c *rtmpConn) event(body []byte) error {
	switch binary.BigEndian.Uint16(body) {
	case streamEOF:
		c.control = append(c.control, "StreamEOF")
	case pingRequest:
		return c.send(2, message{kind: userControl, body: append([]byte{0, pingResponse}, body[2:]...)})
	case pingResponse:
		c.pongs = append(c.pongs, body[2:])
	}
	return nil
}

// status is an onStatus or _error answer.
type status struct{ code, level, description string }

func (s status) ok() bool { return s.level == "status" }

// statusOf returns the status in a command message.
func statusOf(values []any) (status, bool) {
	if len(values) == 0 || values[0] != "onStatus" && values[0] != "_error" {
		return status{}, false
	}
	info, _ := values[len(values)-1].(amfObject)
	text := func(key string) string { s, _ := info[key].(string); return s }
	return status{text("code"), text("level"), text("description")}, true
}

// await reads until a command's _result or _error, or an onStatus if the
// transaction id is 0.
func (c *rtmpConn) await(id float64) ([]any, error) {
	for {
		m, err := c.read()
		if err != nil {
			return nil, err
		}
		if m.kind != command {
			continue
		}
		values, err := amfDecode(m.body)
		if err != nil {
			return nil, err
		}
		if c.answers(values, id) {
			return values, nil
		}
	}
}

func (c *rtmpConn) answers(values []any, id float64) bool {
	if id == 0 {
		_, is := statusOf(values)
		return is
	}
	return len(values) > 1 && (values[0] == "_result" || values[0] == "_error") && values[1] == id
}

// connect sends connect and waits for its _result.
func (c *rtmpConn) connect(app string, more amfObject) error {
	object := amfObject{"app": app, "tcUrl": "rtmp://" + c.RemoteAddr().String() + "/" + app, "flashVer": "e2e"}
	for key, value := range more {
		object[key] = value
	}
	id, err := c.command(0, "connect", object)
	if err != nil {
		return err
	}
	_, err = c.result("connect", id)
	return err
}

// result waits for a _result.
func (c *rtmpConn) result(what string, id float64) ([]any, error) {
	values, err := c.await(id)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if s, bad := statusOf(values); bad {
		return nil, fmt.Errorf("%s: %w", what, refused(s))
	}
	return values, nil
}

// refused is a refusal that came as a status.
type refused status

func (r refused) Error() string { return r.code + ": " + r.description }

// createStream asks for a message stream.
func (c *rtmpConn) createStream() error {
	id, err := c.command(0, "createStream", nil)
	if err != nil {
		return err
	}
	values, err := c.result("createStream", id)
	if err != nil {
		return err
	}
	number, _ := values[len(values)-1].(float64)
	c.stream = uint32(number)
	return nil
}

// openRTMP connects to an app on a fresh connection and creates a stream.
func openRTMP(addr, app string, wrap func(net.Conn) io.Reader, preface ...byte) (*rtmpConn, error) {
	c, err := dialRTMP(addr, wrap, preface...)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(c.connect(app, nil), c.chunkSize(4096), c.createStream()); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}
