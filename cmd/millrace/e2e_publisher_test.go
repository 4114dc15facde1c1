package main_test

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// splitPath splits app and name at the last slash before the query.
func splitPath(path string) (app, name string) {
	bare, _, _ := strings.Cut(path, "?")
	slash := strings.LastIndexByte(bare, '/')
	return path[:slash], path[slash+1:]
}

// publishOn asks to publish, and returns the first status.
func (c *rtmpConn) publishOn(name string) (status, error) {
	if _, err := c.command(c.stream, "publish", nil, name, "live"); err != nil {
		return status{}, err
	}
	values, err := c.await(0)
	s, _ := statusOf(values)
	return s, err
}

// publisher is a Go publisher of tags.
type publisher struct {
	*rtmpConn
	gone chan struct{} // closed when the server has closed
	said []status      // what it was told after the start, valid after gone
}

// tryPublish opens a publisher; a refusal is an error of type refused.
func tryPublish(addr, path string, preface ...byte) (*publisher, error) {
	app, name := splitPath(path)
	c, err := openRTMP(addr, app, nil, preface...)
	if err != nil {
		return nil, err
	}
	s, err := c.publishOn(name)
	if err == nil && s.code != "NetStream.Publish.Start" {
		err = refused(s)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	_ = c.SetReadDeadline(time.Time{})
	p := &publisher{rtmpConn: c, gone: make(chan struct{})}
	go p.drain()
	return p, nil
}

// drain reads until the server closes, so that acknowledgements do not pile up.
func (p *publisher) drain() {
	defer close(p.gone)
	for {
		m, err := p.read()
		if err != nil {
			return
		}
		if values, err := amfDecode(m.body); m.kind == command && err == nil {
			if s, is := statusOf(values); is {
				p.said = append(p.said, s)
			}
		}
	}
}

// isGone tells that the server has closed the connection.
func (p *publisher) isGone() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// publish opens a publisher that must be taken and is closed with the test.
func (s *server) publish(t *testing.T, path string) *publisher {
	t.Helper()
	p, err := tryPublish(s.rtmp[0], path)
	if err != nil {
		t.Fatalf("publish %s: %v", path, err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// put sends one tag.
func (p *publisher) put(g tag) error {
	id := map[byte]byte{audioTag: 4, videoTag: 6, scriptTag: 5}[g.kind]
	body := g.body
	if g.kind == scriptTag {
		body = append(amfEncode("@setDataFrame"), body...)
	}
	return p.rtmpConn.send(id, message{kind: g.kind, ts: g.ts, stream: p.stream, body: body})
}

// stopCleanly ends the session as encoders do.
func (p *publisher) stopCleanly(name string) error {
	_, first := p.command(0, "FCUnpublish", nil, name)
	_, second := p.command(0, "deleteStream", nil, float64(p.stream))
	return errors.Join(first, second)
}
