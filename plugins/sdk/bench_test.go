package sdk

import (
	"net/http"
	"testing"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
)

// BenchmarkFeed reads frames of 5 kB, an HTTP chunk each, over a unix socket.
// The server's share is in it.
func BenchmarkFeed(b *testing.B) {
	room := media.NewRoom(5000)
	copy(media.Payload(room), []byte{0x27, 1, 0, 0, 0})
	f := media.NewFrame(media.Video, room, 5)
	f.Seal()
	script := amf.Append0(amf.Append0(nil, "onSequence"), amf.ECMAArray{{Name: "session", Value: "S"}, {Name: "seq", Value: 1.0}})
	room = media.NewRoom(len(script))
	copy(media.Payload(room), script)
	s := media.NewFrame(media.Data, room, 0)
	s.Seal()
	h := serve(b, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(append(flv.AppendFileHeader(nil, true, true), s.Tag()...))
		for r.Context().Err() == nil {
			if _, err := w.Write(f.Tag()); err != nil {
				return
			}
		}
	})
	in, err := h.plane.open(b.Context(), "/a/b.flv", "S", 1)
	if err != nil {
		b.Fatal(err)
	}
	defer in.close()
	b.SetBytes(int64(len(f.Tag())))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := in.next(); err != nil {
			b.Fatal(err)
		}
	}
}
