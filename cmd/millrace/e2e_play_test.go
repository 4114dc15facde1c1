package main_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
)

// rtmpViewer plays a stream over RTMP.
type rtmpViewer struct{ *rtmpConn }

// playRTMP returns after the server has said NetStream.Play.Start.
func playRTMP(addr, path string, wrap wrapper) (*rtmpViewer, error) {
	app, name := splitPath(path)
	c, err := openRTMP(addr, app, wrap)
	if err != nil {
		return nil, err
	}
	if _, err = c.command(c.stream, "play", nil, name, -2000.0); err == nil {
		err = c.awaitStart()
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return &rtmpViewer{c}, nil
}

// awaitStart reads statuses up to Play.Start.
func (c *rtmpConn) awaitStart() error {
	for {
		values, err := c.await(0)
		if err != nil {
			return fmt.Errorf("play: %w", err)
		}
		s, _ := statusOf(values)
		if !s.ok() {
			return fmt.Errorf("play: %w", refused(s))
		}
		if s.code == "NetStream.Play.Start" {
			return nil
		}
	}
}

// next returns the next audio, video or data message. The end is clean after
// StreamEOF and UnpublishNotify.
func (v *rtmpViewer) next() (tag, error) {
	for {
		m, err := v.step()
		if err != nil {
			return tag{}, v.end(err)
		}
		if m.kind != command {
			return tag{kind: m.kind, ts: m.ts, body: m.body}, nil
		}
	}
}

// step reads one message, and notes commands.
func (v *rtmpViewer) step() (message, error) {
	for {
		m, err := v.read()
		switch {
		case err != nil:
			return m, err
		case m.kind == command:
			v.noteCommand(m.body)
			return m, nil
		case m.kind == audioTag || m.kind == videoTag || m.kind == scriptTag:
			return m, nil
		}
	}
}

func (v *rtmpViewer) noteCommand(body []byte) {
	values, err := amfDecode(body)
	if err != nil || len(values) == 0 {
		return
	}
	name, _ := values[0].(string)
	if s, is := statusOf(values); is {
		name = s.code
	}
	v.control = append(v.control, name)
}

// end says whether an end of input is a clean one.
func (v *rtmpViewer) end(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		return err
	}
	for _, sign := range []string{"StreamEOF", "NetStream.Play.UnpublishNotify"} {
		if !slices.Contains(v.control, sign) {
			return fmt.Errorf("%w: closed without %s, after %v", io.ErrUnexpectedEOF, sign, v.control)
		}
	}
	return io.EOF
}
