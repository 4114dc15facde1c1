package sdk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	pluginv1 "github.com/millrace/millrace/plugins/proto/v1"
	"github.com/millrace/millrace/plugins/sdk/demux"
)

// errGone means that the server does not have the session any more.
var errGone = errors.New("the session is over")

// transportUnix is the only transport so far.
const transportUnix = "http+unix"

// plane is the server's socket for media and objects. Any goroutine may use
// it.
type plane struct {
	token string
	// Streams and all else have connections of their own: one that asked for
	// anything else has gone from the server's event loop to net/http, where
	// there are no streams.
	media, other *http.Client
}

func newPlane(d *pluginv1.DataPlane) *plane {
	return &plane{token: d.GetToken(), media: unixClient(d.GetSocket()), other: unixClient(d.GetSocket())}
}

func unixClient(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", socket)
		},
		DisableCompression:  true,
		ReadBufferSize:      64 << 10,
		MaxIdleConnsPerHost: 4,
	}}
}

func (p *plane) close() {
	p.media.CloseIdleConnections()
	p.other.CloseIdleConnections()
}

// do asks for anything but a stream.
func (p *plane) do(ctx context.Context, method, target string, header http.Header, body []byte) (*http.Response, error) {
	return p.send(ctx, p.other, method, target, header, body)
}

func (p *plane) send(ctx context.Context, by *http.Client, method, target string, header http.Header, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://millrace"+target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if header != nil {
		r.Header = header
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	return by.Do(r)
}

// open begins to read a session; from 0 is the cached GOP.
func (p *plane) open(ctx context.Context, target, session string, from uint64) (*feed, error) {
	sep := "?"
	if strings.Contains(target, "?") {
		sep = "&"
	}
	target += sep + "from=" + url.QueryEscape(session) + ":" + strconv.FormatUint(from, 10)
	r, err := p.send(ctx, p.media, http.MethodGet, target, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("open media: %w", err)
	}
	switch r.StatusCode {
	case http.StatusOK:
		return &feed{body: r.Body, buf: make([]byte, 0, feedBuffer)}, nil
	case http.StatusNotFound, http.StatusConflict, http.StatusGone:
		r.Body.Close()
		return nil, errGone
	}
	defer r.Body.Close()
	return nil, fmt.Errorf("open media: %s", answerText(r))
}

// answerText is the status of a refusal, with the first line of its body.
func answerText(r *http.Response) string {
	b, _ := io.ReadAll(io.LimitReader(r.Body, 512))
	line, _, _ := strings.Cut(string(b), "\n")
	return strings.TrimSpace(r.Status + ": " + line)
}

// feedBuffer is what a feed reads at most at a time, in bytes, unless a tag
// is larger.
const feedBuffer = 64 << 10

// feed is one connection that media comes over. One goroutine may use it.
type feed struct {
	body    io.ReadCloser
	decoder demux.Decoder
	buf     []byte // read but not decoded
	units   []demux.Unit
	queue   []demux.Unit // decoded but not taken by next
}

func (f *feed) close() { f.body.Close() }

// next returns a single unit.
func (f *feed) next() (demux.Unit, error) {
	for len(f.queue) == 0 {
		units, err := f.read()
		f.queue = append(f.queue, units...)
		if err != nil && len(f.queue) == 0 {
			return demux.Unit{}, err
		}
	}
	u := f.queue[0]
	f.queue = f.queue[1:]
	return u, nil
}

// read returns what there is, at least one unit unless there is an error: io.EOF
// is the end that the server meant. The slice holds until the next call.
func (f *feed) read() ([]demux.Unit, error) {
	if len(f.queue) > 0 {
		units := f.queue
		f.queue = nil
		return units, nil
	}
	clear(f.units)
	f.units = f.units[:0]
	for len(f.units) == 0 {
		f.makeRoom()
		n, err := f.body.Read(f.buf[len(f.buf):cap(f.buf)])
		f.buf = f.buf[:len(f.buf)+n]
		if derr := f.decode(); derr != nil {
			return f.units, derr
		}
		if errors.Is(err, io.EOF) && len(f.buf) > 0 {
			err = io.ErrUnexpectedEOF // within a tag
		}
		if err != nil {
			return f.units, err
		}
	}
	return f.units, nil
}

// makeRoom lets the buffer take the rest of the tag at its start, growing to
// twice what has come so that no length is believed before its bytes are
// there.
func (f *feed) makeRoom() {
	need := f.decoder.Need(f.buf)
	switch {
	case len(f.buf) == 0 && cap(f.buf) > feedBuffer:
		f.buf = make([]byte, 0, feedBuffer) // a large keyframe has passed
	case need > cap(f.buf) && len(f.buf) == cap(f.buf):
		f.buf = append(make([]byte, 0, min(need, 2*cap(f.buf))), f.buf...)
	}
}

// decode takes all whole units out of the buffer.
func (f *feed) decode() error {
	at := 0
	defer func() { f.buf = f.buf[:copy(f.buf, f.buf[at:])] }()
	for {
		u, n, err := f.decoder.Next(f.buf[at:])
		if errors.Is(err, demux.ErrShort) {
			return nil
		}
		at += n
		if err != nil {
			return err
		}
		if u.Type != 0 {
			f.units = append(f.units, u)
		}
	}
}
