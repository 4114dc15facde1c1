package main

import (
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/plugintest"
)

func TestConforms(t *testing.T) {
	plugintest.Run(t, newThumbnail, map[string]any{"width": int64(64)})
}

func TestDraws(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	p := newThumbnail()
	h.Start(p, map[string]any{"width": int64(32)})
	s := h.Attach(p, "live", "cam")
	headers, frames := plugintest.Clip(t, 2)
	for _, f := range headers {
		s.Feed(plugintest.Header(f))
	}
	for i, n := 0, 0; i < len(frames); i++ {
		s.FeedFrames(frames[i])
		if i+1 < len(frames) && !frames[i+1].Is(media.Keyframe) {
			continue
		}
		n++
		for end := time.Now().Add(time.Minute); len(h.Announced(event.Segment)) < n && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
	}
	s.End()
	all := h.Announced(event.Segment)
	if len(all) < 4 {
		t.Fatalf("%d pictures", len(all))
	}
	for _, e := range all {
		f, err := os.Open(filepath.Join(h.DataDir(), e.File))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		c, err := jpeg.DecodeConfig(f)
		if err != nil || c.Width != 32 || c.Height != 32 {
			t.Errorf("%s: %+v, %v", e.File, c, err)
		}
	}
}
