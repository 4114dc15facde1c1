package main_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// httpViewer watches a stream over HTTP-FLV.
type httpViewer struct {
	net.Conn
	*flvReader
	header textproto.MIMEHeader
}

// refusedHTTP is an HTTP answer that is no stream.
type refusedHTTP struct {
	status int
	header textproto.MIMEHeader
}

func (r refusedHTTP) Error() string { return "status " + strconv.Itoa(r.status) }

// watchHTTP returns when the answer's header has come.
func watchHTTP(addr, path string, wrap wrapper) (*httpViewer, error) {
	conn, err := dial(addr, wrap != nil)
	if err != nil {
		return nil, err
	}
	r := wrap.reader(conn)
	request := "GET " + path + " HTTP/1.1\r\nHost: " + conn.RemoteAddr().String() + "\r\n\r\n"
	header, err := exchange(conn, r, request, http.StatusOK)
	if err == nil && header.Get("Transfer-Encoding") != "chunked" {
		err = fmt.Errorf("header %v is not of a chunked answer", header)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &httpViewer{conn, &flvReader{r: &dechunker{r: r}}, header}, nil
}

// reader is the buffered input of a connection; the buffer of a wrapped one
// does not read ahead of what the wrapper gives.
func (w wrapper) reader(conn net.Conn) *bufio.Reader {
	if w == nil {
		return bufio.NewReaderSize(conn, 64<<10)
	}
	return bufio.NewReaderSize(w(conn), 16)
}

// exchange sends a request and reads status line and header of the answer.
func exchange(conn net.Conn, r *bufio.Reader, request string, want int) (textproto.MIMEHeader, error) {
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, request); err != nil {
		return nil, err
	}
	text := textproto.NewReader(r)
	line, err := text.ReadLine()
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(line)
	if len(fields) < 2 || !strings.HasPrefix(fields[0], "HTTP/1.") {
		return nil, fmt.Errorf("bad status line %q", line)
	}
	header, err := text.ReadMIMEHeader()
	if err != nil {
		return nil, err
	}
	if status, _ := strconv.Atoi(fields[1]); status != want {
		return nil, refusedHTTP{status, header}
	}
	return header, nil
}

// dechunker undoes Transfer-Encoding: chunked, strictly. It gives io.EOF after
// the terminating chunk only.
type dechunker struct {
	r    *bufio.Reader
	left int
	done bool
}

func (d *dechunker) Read(p []byte) (int, error) {
	if d.left == 0 && !d.done {
		if err := d.chunk(); err != nil {
			return 0, err
		}
	}
	if d.done {
		return 0, io.EOF
	}
	n, err := d.r.Read(p[:min(len(p), d.left)])
	if d.left -= n; d.left == 0 && err == nil {
		err = d.newline()
	}
	return n, cutShort(err)
}

// chunk reads a size line; the last chunk has the size 0 and no trailer here.
func (d *dechunker) chunk() error {
	line, err := d.r.ReadString('\n')
	if err != nil {
		return cutShort(err)
	}
	digits, ok := strings.CutSuffix(line, "\r\n")
	size, err := strconv.ParseUint(digits, 16, 31)
	if !ok || err != nil {
		return fmt.Errorf("bad chunk size line %q", line)
	}
	d.left, d.done = int(size), size == 0
	if d.done {
		return d.newline()
	}
	return nil
}

func (d *dechunker) newline() error {
	var b [2]byte
	if _, err := io.ReadFull(d.r, b[:]); err != nil {
		return cutShort(err)
	}
	if string(b[:]) != "\r\n" {
		return errors.New("no CRLF after a chunk")
	}
	return nil
}
