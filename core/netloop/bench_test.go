package netloop

import (
	"fmt"
	"net"
	"testing"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/stream"
)

// BenchmarkFanout is a frame's way from the ring to all its viewers' sockets.
func BenchmarkFanout(b *testing.B) {
	for _, viewers := range []int{1, 100, 1000} {
		for _, form := range []form{{kind: formChunked}, {kind: formWS}, {formRTMP, 1}, {formRTMP, 5}} {
			b.Run(fmt.Sprintf("%d/%s", viewers, formName(form)), func(b *testing.B) {
				const size = 5000
				x := newFanOut(b, viewers, both(form), size)
				b.SetBytes(int64(size * viewers))
				b.ReportAllocs()
				for b.Loop() {
					x.step(b)
				}
			})
		}
	}
}

func formName(f form) string {
	if f.kind == formRTMP {
		return fmt.Sprintf("rtmp-%d", f.streamID)
	}
	return []string{"", "http-1.1", "http-1.0", "websocket"}[f.kind]
}

// BenchmarkJoin is a viewer's way from its request to the answer's head, with
// nobody to decide, with somebody who has no hook for it, and with one whose
// hook lets everybody in.
func BenchmarkJoin(b *testing.B) {
	for name, decider := range map[string]event.Decider{
		"nobody": nil, "no hook": rule("on_none", nil), "hook": rule(event.Play, func(event.Event) event.Verdict { return allowed }),
	} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, func(o *Options, _ *stream.Options) { o.Decider = decider })
			r.start("live/a")
			answer := make([]byte, 512)
			for b.Loop() {
				c, err := net.Dial("tcp", r.http.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.Write([]byte("GET /live/a.flv HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
					b.Fatal(err)
				}
				if _, err := c.Read(answer); err != nil {
					b.Fatal(err)
				}
				_ = c.(*net.TCPConn).SetLinger(0) // or the ports run out
				c.Close()
			}
		})
	}
}

// BenchmarkVisit is a visit to a viewer that has nothing to get.
func BenchmarkVisit(b *testing.B) {
	x := newFanOut(b, 100, both(form{kind: formChunked}), 100)
	s := x.subs[x.feed.pub.Stream]
	b.ReportAllocs()
	for b.Loop() {
		s.enqueueAll(x.loop)
		for len(x.fanout.todo) > 0 {
			x.serve()
		}
	}
}

// BenchmarkBatch builds a run of frames.
func BenchmarkBatch(b *testing.B) {
	for _, form := range allForms {
		b.Run(formName(form), func(b *testing.B) {
			l := newBare(b, nil)
			f := l.publish(b, "live/a")
			f.headers(1)
			f.key(5000)
			for range 20 {
				f.inter(5000)
				f.audio(200)
			}
			v := l.view(-1, f, both(form))
			end, _ := v.cursor.Next(l.now(), never)
			b.ReportAllocs()
			for b.Loop() {
				l.fanout.batches.find(v.group, end, v)
				l.fanout.batches.reset()
			}
		})
	}
}
