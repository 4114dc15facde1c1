package hls

import (
	"testing"

	"github.com/millrace/millrace/plugins/plugintest"
)

// Every frame that was published is decoded from the playlist.
func TestDecode(t *testing.T) {
	t.Parallel()
	src := sample(t)
	for name, values := range map[string]map[string]any{
		"disk":                {"target": "4s"},
		"memory":              {"target": "4s", "memory": true},
		"no disk":             {"target": "4s", "disk": false, "window": int64(100)},
		"encrypted":           {"target": "4s", "encrypt": true, "key_rotation": int64(2)},
		"encrypted in memory": {"target": "4s", "encrypt": true, "memory": true},
		"low latency":         {"target": "4s", "low_latency": true},
		"fmp4":                {"target": "4s", "format": "fmp4"},
		"fmp4 low latency":    {"target": "4s", "format": "fmp4", "low_latency": true},
		"fmp4 encrypted":      {"target": "4s", "format": "fmp4", "encrypt": true, "key_rotation": int64(1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := plugintest.NewHost(t)
			p := start(t, h, nil, values)
			s := h.Attach(p, "live", "cam")
			s.FeedFLV(src)
			s.End()
			url := web(t, h) + "/hls/live/cam/index.m3u8"
			same(t, "video", decode(t, url, "v"), decode(t, src, "v"))
			same(t, "audio", decode(t, url, "a"), decode(t, src, "a"))
			if t.Failed() {
				t.Log(list(t, h, "live/cam"))
			}
		})
	}
}
