package main_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/iotest"
	"time"
)

// TestRepliesInMidFrame sends what needs an answer while the server is inside
// a frame: the viewer's socket takes little, and is read a byte at a time.
func TestRepliesInMidFrame(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	srv.feed(t, "live/x", sourceTags(t, "av"))
	srv.waitStream(t, "live/x")
	t.Run("rtmp", func(t *testing.T) {
		t.Parallel()
		v := srv.watch(t, "rtmp", "live/x", slowly).(*rtmpViewer)
		asked := talkWhileReading(t, v, v.askRTMP)
		checkPongs(t, v.pongs, asked)
	})
	t.Run("ws-flv", func(t *testing.T) {
		t.Parallel()
		v := srv.watch(t, "ws-flv", "live/x", slowly).(*wsViewer)
		asked := talkWhileReading(t, v, func(n uint32) error {
			return v.frames.send(wsPing, binary.BigEndian.AppendUint32(nil, n))
		})
		var pongs [][]byte
		for _, p := range v.frames.pongs {
			pongs = append(pongs, []byte(p))
		}
		checkPongs(t, pongs, asked)
	})
}

// slowly reads a byte at a time, and now and then not at all, so that the
// server's socket is full in the middle of a frame.
func slowly(conn net.Conn) io.Reader { return iotest.OneByteReader(&pausing{r: conn}) }

type pausing struct {
	r io.Reader
	n int
}

func (p *pausing) Read(b []byte) (int, error) {
	if p.n++; p.n%(64<<10) == 1 {
		time.Sleep(500 * time.Millisecond)
	}
	return p.r.Read(b)
}

// talkWhileReading reads for some seconds while ask is called with rising
// numbers; it returns how many were asked.
func talkWhileReading(t *testing.T, v viewer, ask func(n uint32) error) uint32 {
	t.Helper()
	stop, asked := make(chan struct{}), make(chan uint32)
	go func() { asked <- askUntil(t, stop, ask) }()
	tags := readFor(t, v, 8*time.Second)
	close(stop)
	n := <-asked
	tags = append(tags, readFor(t, v, time.Second)...)
	o := checkOrder(t, tags)
	if o.video < 100 || o.audio < 100 {
		t.Errorf("%d video and %d audio frames came", o.video, o.audio)
	}
	return n
}

func askUntil(t *testing.T, stop chan struct{}, ask func(n uint32) error) uint32 {
	for n := uint32(0); ; n++ {
		select {
		case <-stop:
			return n
		case <-time.After(7 * time.Millisecond):
		}
		if err := ask(n); err != nil {
			t.Errorf("ask: %v", err)
			return n
		}
	}
}

// askRTMP asks in every way that RTMP has: a ping, an acknowledgement that
// needs none, a window so small that the server must acknowledge, a command
// with a result.
func (v *rtmpViewer) askRTMP(n uint32) error {
	switch n % 16 {
	case 3:
		if err := v.sendControl(windowAck, 200); err != nil {
			return err
		}
	case 7:
		if err := v.sendControl(ackMessage, n); err != nil {
			return err
		}
	case 11:
		if _, err := v.command(0, "getStreamLength", nil, "x"); err != nil {
			return err
		}
	}
	return v.ping(n)
}

// checkPongs wants all answers but those that may still be on their way, in
// the order of the questions.
func checkPongs(t *testing.T, pongs [][]byte, asked uint32) {
	t.Helper()
	if len(pongs) == 0 || uint32(len(pongs)) > asked {
		t.Fatalf("%d answers to %d questions", len(pongs), asked)
	}
	if missing := asked - uint32(len(pongs)); missing > asked/4 {
		t.Errorf("%d of %d questions have no answer", missing, asked)
	}
	for i, p := range pongs {
		if want := fmt.Sprintf("%08x", i); fmt.Sprintf("%x", p) != want {
			t.Fatalf("answer %d is %x", i, p)
		}
	}
}
