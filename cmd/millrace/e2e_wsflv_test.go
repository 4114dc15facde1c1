package main_test

import (
	"bufio"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
)

// Opcodes of WebSocket frames (RFC 6455 section 5.2).
const (
	wsContinue = 0
	wsBinary   = 2
	wsClose    = 8
	wsPing     = 9
	wsPong     = 10
)

// wsViewer watches a stream over WebSocket-FLV.
type wsViewer struct {
	net.Conn
	*flvReader
	frames *wsReader
}

// watchWS returns when the connection is upgraded.
func watchWS(addr, path string, wrap wrapper) (*wsViewer, error) {
	conn, err := dial(addr, wrap != nil)
	if err != nil {
		return nil, err
	}
	r := wrap.reader(conn)
	if err := upgrade(conn, r, path); err != nil {
		conn.Close()
		return nil, err
	}
	frames := &wsReader{r: r, conn: conn}
	return &wsViewer{conn, &flvReader{r: frames}, frames}, nil
}

func upgrade(conn net.Conn, r *bufio.Reader, path string) error {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:])
	key := base64.StdEncoding.EncodeToString(nonce[:])
	header, err := exchange(conn, r, "GET "+path+" HTTP/1.1\r\nHost: "+conn.RemoteAddr().String()+
		"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "+
		key+"\r\n\r\n", http.StatusSwitchingProtocols)
	if err != nil {
		return err
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	if header.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(sum[:]) {
		return fmt.Errorf("wrong Sec-WebSocket-Accept in %v", header)
	}
	return nil
}

// wsReader gives the payload of binary messages, strictly read. It gives
// io.EOF after a close frame.
type wsReader struct {
	r      *bufio.Reader
	conn   net.Conn
	mu     sync.Mutex // guards writes
	left   int        // of the data frame that is being read
	inside bool       // a message is unfinished
	pongs  [][]byte
	code   int // of the close frame
}

func (w *wsReader) Read(p []byte) (int, error) {
	for w.left == 0 {
		if err := w.frame(); err != nil {
			return 0, err
		}
	}
	n, err := w.r.Read(p[:min(len(p), w.left)])
	w.left -= n
	return n, cutShort(err)
}

// frame reads a frame's header, and all of a control frame.
func (w *wsReader) frame() error {
	var head [2]byte
	if _, err := io.ReadFull(w.r, head[:]); err != nil {
		return cutShort(err)
	}
	final, opcode := head[0]&0x80 != 0, head[0]&0x0F
	if head[0]&0x70 != 0 || head[1]&0x80 != 0 {
		return fmt.Errorf("frame header % x has reserved bits or a mask", head)
	}
	size, err := w.size(head[1])
	if err != nil {
		return err
	}
	if opcode >= wsClose {
		return w.controlFrame(final, opcode, size)
	}
	if opcode != wsBinary && opcode != wsContinue || w.inside != (opcode == wsContinue) {
		return fmt.Errorf("opcode %d, inside a message %v", opcode, w.inside)
	}
	w.left, w.inside = size, !final
	return nil
}

func (w *wsReader) size(short byte) (int, error) {
	var long [8]byte
	n := map[byte]int{126: 2, 127: 8}[short]
	if n == 0 {
		return int(short), nil
	}
	if _, err := io.ReadFull(w.r, long[8-n:]); err != nil {
		return 0, cutShort(err)
	}
	return int(binary.BigEndian.Uint64(long[:])), nil
}

func (w *wsReader) controlFrame(final bool, opcode byte, size int) error {
	if !final || size > 125 {
		return fmt.Errorf("control frame of %d bytes, final %v", size, final)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(w.r, body); err != nil {
		return cutShort(err)
	}
	switch opcode {
	case wsClose:
		if size >= 2 {
			w.code = int(binary.BigEndian.Uint16(body))
		}
		_ = w.send(wsClose, body)
		return io.EOF
	case wsPing:
		return w.send(wsPong, body)
	}
	w.pongs = append(w.pongs, body)
	return nil
}

// send writes a masked frame of at most 125 bytes.
func (w *wsReader) send(opcode byte, body []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	frame := []byte{0x80 | opcode, 0x80 | byte(len(body)), 1, 2, 3, 4}
	for i, b := range body {
		frame = append(frame, b^frame[2+i%4])
	}
	_, err := w.conn.Write(frame)
	return err
}
