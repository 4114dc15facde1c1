package netloop

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/stream"
)

const tapToken = "secret of the recorder"

// withPlugins has the rig know a token.
func withPlugins(o *Options, _ *stream.Options) {
	o.Grant = func(token string) (Grant, bool) {
		switch token {
		case tapToken:
			return Grant{Plugin: "rec", Media: true}, true
		case "events only":
			return Grant{Plugin: "ev"}, true
		}
		return Grant{}, false
	}
}

// plugins is a listener for them.
func (r *rig) plugins() *Listener {
	r.t.Helper()
	ln, err := r.engine.ListenPlugins(filepath.Join(r.t.TempDir(), "s"), 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { ln.Close() })
	return ln
}

// piped is what a plugin gets: a header before the count, a numbered frame, or
// a gap.
type piped struct {
	unit
	seq      uint64 // 0: not counted
	from, to uint64 // a gap
	reason   string
}

// tapClient reads a stream as a plugin does.
type tapClient struct {
	t       testing.TB
	conn    net.Conn
	in      *bufio.Reader
	body    io.Reader
	status  int
	session string
	begun   bool
	next    uint64
}

func (r *rig) tapRaw(ln *Listener, path, token string) *tapClient {
	r.t.Helper()
	c, err := net.Dial("unix", ln.path)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: unix\r\nAuthorization: Bearer %s\r\n\r\n", path, token)
	in := bufio.NewReaderSize(c, 4096)
	c.SetReadDeadline(time.Now().Add(patience))
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		r.t.Fatalf("GET %s: %v", path, err)
	}
	return &tapClient{t: r.t, conn: c, in: in, body: answer.Body, status: answer.StatusCode}
}

// tap reads a stream from the plugins' socket.
func (r *rig) tap(ln *Listener, path string) *tapClient {
	r.t.Helper()
	c := r.tapRaw(ln, path, tapToken)
	if c.status != http.StatusOK {
		r.t.Fatalf("GET %s: %d", path, c.status)
	}
	return c
}

// read returns the next piece; io.EOF is the clean end.
func (c *tapClient) read() (piped, error) {
	if c.conn != nil {
		c.conn.SetReadDeadline(time.Now().Add(patience))
	}
	if !c.begun {
		if _, err := inside(c.body, 13); err != nil {
			return piped{}, err
		}
		c.begun = true
	}
	head := make([]byte, 11)
	if _, err := io.ReadFull(c.body, head); err != nil {
		return piped{}, err
	}
	n := int(head[1])<<16 | int(head[2])<<8 | int(head[3])
	rest, err := inside(c.body, n+4)
	if err != nil {
		return piped{}, err
	}
	u, err := parseTag(append(head, rest...))
	if err != nil {
		return piped{}, err
	}
	return c.understand(u)
}

func (c *tapClient) understand(u unit) (piped, error) {
	if u.kind == media.Data {
		name, n, err := amf.Decode0([]byte(u.data), amf.Limits{})
		if err != nil {
			return piped{}, err
		}
		if name == onSequence || name == onGap {
			v, _, err := amf.Decode0([]byte(u.data)[n:], amf.Limits{})
			if err != nil {
				return piped{}, err
			}
			if p, news := c.script(name.(string), v); news {
				return p, nil
			}
			return c.read()
		}
	}
	p := piped{unit: u, seq: c.next}
	if c.next > 0 {
		c.next++
	}
	return p, nil
}

func (c *tapClient) script(name string, v any) (p piped, news bool) {
	number := func(name string) uint64 {
		v, _ := amf.Lookup(v, name)
		f, _ := v.(float64)
		return uint64(f)
	}
	text := func(name string) string {
		v, _ := amf.Lookup(v, name)
		s, _ := v.(string)
		return s
	}
	if name == onSequence {
		c.session, c.next = text("session"), number("seq")
		return piped{}, false
	}
	c.next = number("to")
	return piped{from: number("from"), to: number("to"), reason: text("reason")}, true
}

// until reads up to frame seq, or to the end if it is 0.
func (c *tapClient) until(seq uint64) (all []piped) {
	c.t.Helper()
	for {
		p, err := c.read()
		if errors.Is(err, io.EOF) && seq == 0 {
			return all
		}
		if err != nil {
			c.t.Fatalf("after %d pieces: %v", len(all), err)
		}
		all = append(all, p)
		if seq > 0 && p.seq == seq {
			return all
		}
	}
}

// published are the frames of a stream that its ring holds, from seq on.
func published(s *stream.Stream, seq uint64) map[uint64]unit {
	all := map[uint64]unit{}
	for ; seq < s.Head(); seq++ {
		if f := s.At(seq); f != nil {
			all[seq] = unit{f.Kind, f.Timestamp(), string(f.Payload())}
		}
	}
	return all
}

// check wants the counted frames to be those that were published, without a
// hole or a repetition from first up to, not including, end, but for gaps.
func check(t testing.TB, got []piped, want map[uint64]unit, first, end uint64) {
	t.Helper()
	next := first
	for _, p := range got {
		switch {
		case p.to > 0:
			if p.from != next || p.to <= p.from {
				t.Fatalf("gap from %d to %d, %d is next", p.from, p.to, next)
			}
			next = p.to
		case p.seq > 0:
			if p.seq != next {
				t.Fatalf("frame %d, want %d", p.seq, next)
			}
			if u, ok := want[p.seq]; ok && u != p.unit {
				t.Fatalf("frame %d is %.20q at %d, want %.20q at %d", p.seq, p.data, p.ts, u.data, u.ts)
			}
			next++
		}
	}
	if next != end {
		t.Fatalf("it ends before frame %d, want %d", next, end)
	}
}

func gapsOf(got []piped) (gaps []piped) {
	return slices.DeleteFunc(slices.Clone(got), func(p piped) bool { return p.to == 0 })
}

func uncounted(got []piped) (kinds string) {
	var all []string
	for _, p := range got {
		if p.seq == 0 && p.to == 0 {
			all = append(all, p.kind.String())
		}
	}
	return strings.Join(all, " ")
}
