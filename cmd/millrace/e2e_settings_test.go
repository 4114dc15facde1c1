package main_test

import (
	"testing"
	"time"
)

// TestSettings plays the same seconds under settings that change the way of a
// frame, and wants the same tags each time.
func TestSettings(t *testing.T) {
	t.Parallel()
	tags := firstSeconds(sourceTags(t, "av"), 6)
	for name, c := range map[string]conf{
		"no merging":         {"stream.merge_window": `"0s"`},
		"merging":            {"stream.merge_window": `"300ms"`},
		"long merging":       {"stream.merge_window": `"2s"`, "stream.merge_window_max": `"2s"`},
		"one loop":           {"server.loops": "1"},
		"five loops":         {"server.loops": "5"},
		"small chunks":       {"rtmp.chunk_size": "128"},
		"large chunks":       {"rtmp.chunk_size": "1000000"},
		"no low-water mark":  {"limits.notsent_lowat": `"0"`},
		"smallest watermark": {"limits.notsent_lowat": `"1KiB"`},
		"short ring":         {"stream.ring_time": `"4s"`, "stream.max_lag": `"4s"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t, c)
			p := srv.publish(t, "live/x")
			captures := srv.awaitingAll(t, protocols, "live/x")
			startFeedOnce(p, tags, 0)()
			for _, c := range captures {
				sameTags(t, c.end(t), tags)
			}
		})
	}
}

// TestGOPCaps gives newcomers nothing from the cache: each starts at the next
// keyframe, and nobody else notices.
func TestGOPCaps(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]conf{
		"switched off": {"stream.gop_cache": "false"},
		"bytes":        {"stream.gop_max_bytes": `"16KiB"`},
		"age":          {"stream.gop_max_age": `"500ms"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t, c)
			srv.feed(t, "live/x", sourceTags(t, "av"))
			first := srv.watch(t, "rtmp", "live/x", nil)
			nextThat(t, first, "a keyframe", tag.isKeyframe)
			now := nextThat(t, first, "the middle of the GOP", func(g tag) bool { return g.ts%2000 > 1500 })
			for _, protocol := range protocols {
				v := srv.watch(t, protocol, "live/x", nil)
				if g := nextThat(t, v, "video", tag.isVideo); !g.isKeyframe() || g.ts < now.ts {
					t.Errorf("%s starts at %d ms (keyframe: %v), asked for at %d ms", protocol, g.ts, g.isKeyframe(), now.ts)
				}
			}
			readFor(t, first, 2*time.Second)
			if info := srv.stream(t, "live/x"); info.DroppedFrames != 0 {
				t.Errorf("%d frames dropped", info.DroppedFrames)
			}
		})
	}
}
