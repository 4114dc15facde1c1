package netloop

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/ws"
)

// errForm is why a viewer's bytes are wrong.
var errForm = errors.New("malformed")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errForm, fmt.Sprintf(format, args...))
}

// parseTag wants b to be one FLV tag with its PreviousTagSize.
func parseTag(b []byte) (unit, error) {
	if len(b) < 15 {
		return unit{}, malformed("tag of %d bytes", len(b))
	}
	n := int(b[1])<<16 | int(b[2])<<8 | int(b[3])
	ts := uint32(b[7])<<24 | uint32(b[4])<<16 | uint32(b[5])<<8 | uint32(b[6])
	switch {
	case len(b) != 11+n+4:
		return unit{}, malformed("tag with a size of %d in %d bytes", n, len(b))
	case b[8]|b[9]|b[10] != 0:
		return unit{}, malformed("stream id % x", b[8:11])
	case int(binary.BigEndian.Uint32(b[11+n:])) != 11+n:
		return unit{}, malformed("PreviousTagSize % x of a tag of %d bytes", b[11+n:], 11+n)
	}
	kind := media.Kind(b[0])
	if kind != media.Audio && kind != media.Video && kind != media.Data {
		return unit{}, malformed("tag type %d", kind)
	}
	return unit{kind, ts, string(b[11 : 11+n])}, nil
}

// flvEvent takes one unit of FLV: the file header first, then tags.
func flvEvent(b []byte, started *bool) (item, error) {
	if *started {
		u, err := parseTag(b)
		return item{unit: u}, err
	}
	*started = true
	if len(b) != 13 || !bytes.Equal(b[:4], []byte("FLV\x01")) || !bytes.Equal(b[5:], []byte{0, 0, 0, 9, 0, 0, 0, 0}) {
		return item{}, malformed("file header % x", b)
	}
	return item{control: fmt.Sprintf("flv %d", b[4])}, nil
}

// chunkSource reads HTTP chunks, each of which must be one unit.
type chunkSource struct {
	r       io.Reader
	started bool
}

func (s *chunkSource) next() (item, error) {
	line, err := readLine(s.r)
	if err != nil {
		return item{}, err
	}
	n, err := strconv.ParseUint(line, 16, 31)
	if err != nil || strings.HasPrefix(line, "0") && line != "0" {
		return item{}, malformed("chunk size %q", line)
	}
	b, err := inside(s.r, int(n)+2)
	if err != nil {
		return item{}, err
	}
	if string(b[n:]) != "\r\n" {
		return item{}, malformed("chunk ends with %q", b[n:])
	}
	if n == 0 {
		return item{control: "last chunk"}, s.nothing()
	}
	return flvEvent(b[:n], &s.started)
}

// nothing wants no byte after the last chunk; next reports the end.
func (s *chunkSource) nothing() error {
	if b, err := read(s.r, 1); err == nil {
		return malformed("%q after the last chunk", b)
	}
	s.r = strings.NewReader("")
	return nil
}

func readLine(r io.Reader) (string, error) {
	var line []byte
	for {
		b, err := read(r, 1)
		if err != nil {
			if len(line) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return "", err
		}
		if line = append(line, b...); bytes.HasSuffix(line, []byte("\r\n")) {
			return string(line[:len(line)-2]), nil
		}
	}
}

// plainSource reads bare FLV.
type plainSource struct {
	r       io.Reader
	started bool
}

func (s *plainSource) next() (item, error) {
	n := 13
	var head []byte
	if s.started {
		var err error
		if head, err = read(s.r, 11); err != nil {
			return item{}, err
		}
		n = int(head[1])<<16 | int(head[2])<<8 | int(head[3]) + 4
	}
	more := inside
	if !s.started {
		more = read // a stream that ends before its first frame has no header
	}
	rest, err := more(s.r, n)
	if err != nil {
		return item{}, err
	}
	return flvEvent(append(head, rest...), &s.started)
}

// wsSource reads WebSocket frames.
type wsSource struct {
	r       io.Reader
	started bool
	closed  bool
}

func (s *wsSource) next() (item, error) {
	head, err := read(s.r, 2)
	if err != nil {
		return item{}, err
	}
	if s.closed {
		return item{}, malformed("frame % x after the close frame", head)
	}
	n, err := s.length(head[1])
	if err != nil {
		return item{}, err
	}
	b, err := inside(s.r, n)
	if err != nil {
		return item{}, err
	}
	switch head[0] {
	case 0x82:
		return flvEvent(b, &s.started)
	case 0x8A:
		return item{control: "pong " + string(b)}, nil
	case 0x88:
		s.closed = true
		if len(b) < 2 {
			return item{control: "close"}, nil
		}
		return item{control: fmt.Sprintf("close %d %s", binary.BigEndian.Uint16(b), b[2:])}, nil
	}
	return item{}, malformed("frame % x", head)
}

// length reads a payload length in its shortest form.
func (s *wsSource) length(short byte) (int, error) {
	switch {
	case short < 126:
		return int(short), nil
	case short == 126:
		b, err := inside(s.r, 2)
		n := int(binary.BigEndian.Uint16(b))
		if err == nil && n < 126 {
			err = malformed("length of %d in two bytes", n)
		}
		return n, err
	case short == 127:
		b, err := inside(s.r, 8)
		n := int(binary.BigEndian.Uint64(b))
		if err == nil && n <= 0xFFFF {
			err = malformed("length of %d in eight bytes", n)
		}
		return n, err
	}
	return 0, malformed("masked frame")
}

// readHead reads an HTTP answer's head.
func readHead(r io.Reader) (status string, head []string, err error) {
	if status, err = readLine(r); err != nil {
		return "", nil, err
	}
	for {
		line, err := readLine(r)
		if err != nil || line == "" {
			return status, head, err
		}
		head = append(head, line)
	}
}

// manner is how a viewer connects and reads.
type manner struct {
	receive int // SO_RCVBUF
	wrap    func(io.Reader) io.Reader
}

func (m manner) reader(c net.Conn) io.Reader {
	if m.wrap != nil {
		return m.wrap(c)
	}
	return bufio.NewReaderSize(c, 64<<10)
}

// slowly reads byte by byte through a small buffer.
var slowly = manner{receive: 4096, wrap: bytewise}

const wsHandshake = "Host: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// get sends a request and returns the answer's head and the rest.
func (r *rig) get(m manner, request string) (net.Conn, io.Reader, string, []string) {
	r.t.Helper()
	c := dial(r.t, r.http.Addr(), m.receive)
	if _, err := io.WriteString(c, request); err != nil {
		r.t.Fatal(err)
	}
	in := m.reader(c)
	status, head, err := readHead(in)
	if err != nil {
		r.t.Fatalf("%q is answered by %v", request, err)
	}
	return c, in, status, head
}

// transport is a way to watch.
type transport string

const (
	chunked transport = "http/1.1"
	plain   transport = "http/1.0"
	socket  transport = "websocket"
	rtmpIn  transport = "rtmp"
)

var transports = []transport{chunked, plain, socket, rtmpIn}

func (how transport) request(path string) string {
	switch how {
	case plain:
		return "GET /" + path + ".flv HTTP/1.0\r\n\r\n"
	case socket:
		return "GET /" + path + ".flv HTTP/1.1\r\n" + wsHandshake
	}
	return "GET /" + path + ".flv HTTP/1.1\r\nHost: h\r\n\r\n"
}

func (how transport) source(r io.Reader) source {
	switch how {
	case plain:
		return &plainSource{r: r}
	case socket:
		return &wsSource{r: r}
	}
	return &chunkSource{r: r}
}

// watch starts a viewer of path.
func (r *rig) watch(how transport, m manner, path string) *tape {
	r.t.Helper()
	if how == rtmpIn {
		return r.play(m, path, 1)
	}
	c, in, status, _ := r.get(m, how.request(path))
	if want := map[transport]string{socket: "101"}[how]; !strings.Contains(status, want+" ") || want == "" && !strings.Contains(status, " 200 ") {
		r.t.Fatalf("answer %q", status)
	}
	return record(r.t, c, how.source(in))
}

// ping asks for a sign of life that n can be told by.
func (how transport) ping(n int) []byte {
	switch how {
	case socket:
		return ws.AppendMasked(nil, ws.OpPing, true, []byte(strconv.Itoa(n)), [4]byte{1, 2, 3, byte(n)})
	case rtmpIn:
		return rtmpPing(uint32(n))
	}
	return nil
}

func (how transport) pong(n int) string { return "pong " + strconv.Itoa(n) }

// testEach runs f for all ways to watch, plain and over TLS.
func testEach(t *testing.T, f func(t *testing.T, how transport)) {
	for _, how := range transports {
		for _, suffix := range []string{"", overTLS} {
			t.Run(string(how)+suffix, func(t *testing.T) {
				t.Parallel()
				f(t, how)
			})
		}
	}
}
