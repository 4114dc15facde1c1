package bench

import (
	"fmt"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp"
)

// rtmpFeed is a viewer of RTMP.
type rtmpFeed struct{ client *rtmp.Client }

func newRTMPFeed(t target) *rtmpFeed { return &rtmpFeed{newRTMPClient(t, false, 0)} }

// newRTMPClient returns a client of t that publishes or plays, with chunks of
// a size in bytes.
func newRTMPClient(t target, publish bool, chunkSize int) *rtmp.Client {
	return rtmp.NewClient(rtmp.ClientOptions{
		App: t.app, TcURL: "rtmp://" + t.host + "/" + t.app, FlashVer: "LNX 9,0,124,2",
		Name: t.name + t.query, Publish: publish, ChunkSize: chunkSize, BufferLength: bufferLength,
		Rand: &noise{},
	})
}

// bufferLength is what a player says that it holds, in ms.
const bufferLength = 3000

func (f *rtmpFeed) playing() bool { return f.client.Started() }

func (f *rtmpFeed) open() []byte {
	_ = f.client.Feed(nil) // an error is final: take returns it
	return f.client.TakeOutput()
}

func (f *rtmpFeed) take(b []byte, sink func(tag)) ([]byte, error) {
	if err := f.client.Feed(b); err != nil {
		return nil, err
	}
	for {
		ev, err := f.client.Next()
		if err != nil {
			return nil, err
		}
		switch ev := ev.(type) {
		case rtmp.EventNone:
			return f.client.TakeOutput(), nil
		case *rtmp.EventMedia:
			sink(tag{kind: ev.Kind, timestamp: ev.Timestamp, data: media.Payload(ev.Room)})
		default:
			if err := rtmpEnd(ev); err != nil {
				return nil, err
			}
		}
	}
}

// rtmpEnd is what an event says of the stream's end, nil if it goes on.
func rtmpEnd(ev rtmp.Event) error {
	switch ev := ev.(type) {
	case rtmp.EventStatus:
		switch {
		case ev.Level == "error":
			return refusal(fmt.Sprintf("%s %s", ev.Code, ev.Description))
		case ev.Code == rtmp.CodePlayUnpublish, ev.Code == rtmp.CodePlayStop, ev.Code == rtmp.CodeUnpublishSuccess:
			return errEnded
		}
	case rtmp.EventStreamEOF, rtmp.EventClose:
		return errEnded
	}
	return nil
}

// noise fills handshakes: nothing depends on it.
type noise struct{ state uint32 }

// Read fills b with a sequence that repeats.
func (n *noise) Read(b []byte) (int, error) {
	for i := range b {
		n.state = n.state*1664525 + 1013904223
		b[i] = byte(n.state >> 24)
	}
	return len(b), nil
}
