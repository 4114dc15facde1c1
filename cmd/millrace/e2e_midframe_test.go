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
	g := together(t)
	defer g.wait()
	g.run("rtmp", func(t *testing.T) {
		v := srv.watch(t, "rtmp", "live/x", slowly).(*rtmpViewer)
		talkWhileReading(t, v, v.askRTMP, func() [][]byte { return v.pongs })
	})
	g.run("ws-flv", func(t *testing.T) {
		v := srv.watch(t, "ws-flv", "live/x", slowly).(*wsViewer)
		ask := func(n uint32) error { return v.frames.send(wsPing, binary.BigEndian.AppendUint32(nil, n)) }
		talkWhileReading(t, v, ask, func() [][]byte { return v.frames.pongs })
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
// numbers, and then until all are answered.
func talkWhileReading(t *testing.T, v viewer, ask func(n uint32) error, answers func() [][]byte) {
	t.Helper()
	stop, asked := make(chan struct{}), make(chan uint32)
	go func() { asked <- askUntil(t, stop, ask) }()
	tags := readFor(t, v, 8*time.Second)
	close(stop)
	n := int(<-asked)
	nextThat(t, v, "all answers", func(g tag) bool {
		tags = append(tags, g)
		return len(answers()) >= n
	})
	if o := checkOrder(t, tags); o.video < 25 || o.audio < 25 {
		t.Errorf("%d video and %d audio frames came", o.video, o.audio)
	}
	checkAnswers(t, answers(), n)
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

// checkAnswers wants one answer to each question, in their order.
func checkAnswers(t *testing.T, answers [][]byte, asked int) {
	t.Helper()
	if len(answers) != asked {
		t.Errorf("%d answers to %d questions", len(answers), asked)
	}
	for i, a := range answers {
		if want := fmt.Sprintf("%08x", i); fmt.Sprintf("%x", a) != want {
			t.Fatalf("answer %d is %x", i, a)
		}
	}
}
