package fmp4

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/fmp4/clip"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// BenchmarkWriter records a second of 30 frames of video and 47 of audio, of
// 2 Mbit, each time: into the muxed set, and into both.
func BenchmarkWriter(b *testing.B) {
	for name, separate := range map[string]bool{"muxed": false, "muxed and separate": true} {
		b.Run(name, func(b *testing.B) {
			opt := DefaultOptions()
			opt.Separate, opt.Sync = separate, record.Sync{}
			dir, log := filepath.Join(b.TempDir(), "session"), slog.New(slog.DiscardHandler)
			w := newWriter(opt, log, func(started time.Time) (*session, error) {
				s := &session{place: place{App: "a", Name: "b", Started: started, Dir: dir}, opt: opt, log: log, sets: setsOf(opt)}
				return s, s.create()
			})
			second, bytes := secondOfItems(b, w)
			b.SetBytes(bytes)
			b.ReportAllocs()
			for n := int64(0); b.Loop(); n++ {
				for i := range second {
					// The frames are shared with nobody here.
					second[i].Seq = uint64(n)*uint64(len(second)) + uint64(i) + 1
					second[i].Frame.DTS += 1000
				}
				// Frames that are held back would change under the writer.
				if err := w.Write(second); err != nil {
					b.Fatal(err)
				}
				if err := w.flush(true); err != nil {
					b.Fatal(err)
				}
			}
			if err := w.finish(true); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// secondOfItems gives the writer its headers, and returns a second of frames.
func secondOfItems(b *testing.B, w *writer) (second []sdk.Item, bytes int64) {
	b.Helper()
	for _, h := range tiny(b, 1).Headers {
		if err := w.Write([]sdk.Item{{Type: sdk.Header, Frame: h}}); err != nil {
			b.Fatal(err)
		}
	}
	add := func(kind media.Kind, codec media.FourCC, flags media.Flags, dts int64, size int) {
		second = append(second, sdk.Item{Type: sdk.Frame, Frame: clip.Frame(kind, codec, flags, dts-1000, 0, make([]byte, size))})
		bytes += int64(size)
	}
	for i, next := 0, 0; i < 30; i++ {
		flags := media.Flags(0)
		if i == 0 {
			flags = media.Keyframe
		}
		add(media.Video, media.AVC, flags, int64(i)*1000/30, 7800)
		for ; next*30 < (i+1)*47; next++ {
			add(media.Audio, media.AAC, 0, int64(next)*1000/47, 340)
		}
	}
	return second, bytes
}
