package netloop

import (
	"log/slog"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/stream"
)

// bare is a loop without goroutines: the test is the loop.
type bare struct {
	*loop
	streams *stream.Registry
}

func newBare(t testing.TB, change func(*Settings)) *bare {
	t.Helper()
	so := stream.DefaultOptions()
	so.ReconnectGrace = 0
	b := &bare{streams: stream.NewRegistry(so, nil)}
	s := testSettings()
	s.Viewers.MergeWindow = 0
	if change != nil {
		change(&s)
	}
	e := &Engine{log: slog.New(&logBook{}), options: Options{ChunkSize: 4096, Streams: b.streams}}
	e.settings.Store(&s)
	b.loop = &loop{engine: e, conns: map[uint64]*conn{}, subs: map[*stream.Stream]*sub{}, writev: writev}
	b.clock = &clock{now: e.Now, due: never, fd: -1}
	b.wheel.due, b.fanout.scanDue = never, never
	b.waiting.init(b.loop)
	b.window.init(&s)
	e.loops = []*loop{b.loop}
	b.waking.Store(true) // so that nothing is posted
	return b
}

// publish starts a stream on the bare loop.
func (b *bare) publish(t testing.TB, key string) *feed {
	t.Helper()
	p, err := b.streams.Publish(parseKey(key), stream.Publisher{Metadata: flv.Metadata{}.Live}, b.now())
	if err != nil {
		t.Fatal(err)
	}
	return &feed{t: t, engine: b.engine, pub: p, n: feeds.Add(1) << 32}
}

// silent is a player without a protocol.
type silent struct{}

func (silent) greet(dst []byte, _, _ bool) []byte   { return dst }
func (silent) farewell(dst []byte, _ string) []byte { return dst }
func (silent) afterwards() bool                     { return false }
func (silent) open()                                {}
func (silent) data([]byte)                          {}
func (silent) timeout(int64)                        {}
func (silent) drain()                               {}
func (silent) closed()                              {}
func (silent) describe(*ClientStatus)               {}

// attach makes fd a viewer of f.
func (b *bare) view(fd int, f *feed, key groupKey) *viewer {
	c := newConn(b.engine, protocolHTTP, ticket{})
	c.loop, c.fd, c.handler = b.loop, fd, silent{}
	c.since, c.progress = b.now(), b.now()
	return b.attach(c, f.pub.Stream, key, false, silent{})
}

var allForms = []form{{formRTMP, 1}, {formRTMP, 5}, {kind: formChunked}, {kind: formPlain}, {kind: formWS}}

func both(f form) groupKey { return groupKey{form: f, video: true, audio: true} }

// bytesOf is what iov holds.
func bytesOf(iov []unix.Iovec) (b []byte) {
	for _, v := range iov {
		b = append(b, unsafe.Slice(v.Base, v.Len)...)
	}
	return b
}

// sealed is a frame as it is in a ring.
func sealed(kind media.Kind, dts int64, payload []byte) *media.Frame {
	room := media.NewRoom(len(payload))
	copy(media.Payload(room), payload)
	f := media.NewFrame(kind, room, 0)
	f.DTS = dts
	f.Seal()
	return f
}
