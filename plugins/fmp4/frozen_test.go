package fmp4

import (
	"log/slog"
	"testing"
	"time"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/fmp4/clip"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// Timestamps that stand still end no fragment, and a track that never comes
// begins no era: what is held back is bounded all the same, and all of it is
// recorded.
func TestFrozenTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	opt := DefaultOptions()
	opt.Sync, opt.Checksum, opt.Separate = record.Sync{}, false, false
	w := newWriter(opt, log, func(started time.Time) (*session, error) {
		s := &session{place: place{App: "a", Name: "b", Started: started, Dir: dir}, opt: opt, log: log, sets: setsOf(opt)}
		return s, s.create()
	})
	for _, h := range tiny(t, 25).Headers { // of audio, too
		if err := w.Write([]sdk.Item{{Type: sdk.Header, Frame: h}}); err != nil {
			t.Fatal(err)
		}
	}
	body := make([]byte, 1<<20)
	const frames = 50
	for i := range uint64(frames) {
		f := clip.Frame(media.Video, media.AVC, media.Keyframe, 40, 0, body)
		if err := w.Write([]sdk.Item{{Type: sdk.Frame, Seq: i + 1, Frame: f}}); err != nil {
			t.Fatal(err)
		}
		if w.size > maxPending+len(body) {
			t.Fatalf("%d bytes are held back after %d frames", w.size, i+1)
		}
	}
	if w.durable < frames/2 {
		t.Errorf("the next frame on disk is %d", w.durable)
	}
	if err := w.finish(true); err != nil {
		t.Fatal(err)
	}
	r, err := w.sess.merged(t.Context())
	if err != nil || r.Frames != frames {
		t.Errorf("%v: %v", r, err)
	}
}
