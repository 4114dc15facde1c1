package hls

import (
	"slices"
	"testing"
	"time"

	"github.com/millrace/millrace/plugins/sdk"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		values map[string]any
		wrong  []string // keys
	}{
		{"none", nil, nil},
		{"all", map[string]any{"target": "4s", "low_latency": true, "part": "500ms", "window": int64(6), "disk": true, "memory": true,
			"format": "fmp4", "encrypt": false, "key_rotation": int64(0), "checksum": false, "sync": "fragment", "keep_age": "72h",
			"keep_bytes": "10GiB", "min_free": "1GiB"}, nil},
		{"memory only", map[string]any{"disk": false, "window": int64(5)}, nil},
		{"keys", map[string]any{"encrypt": true, "key_rotation": int64(10)}, nil},
		{"unknown", map[string]any{"targets": "4s"}, []string{"targets"}},
		{"types", map[string]any{"target": int64(4), "window": "3", "disk": "yes", "format": "mkv", "checksum": "no"}, []string{"target", "window", "disk", "format", "checksum"}},
		{"a window too short", map[string]any{"window": int64(2)}, []string{"window"}},
		{"nowhere", map[string]any{"disk": false, "memory": false, "window": int64(5)}, []string{"memory"}},
		{"no disk, no window", map[string]any{"disk": false}, []string{"window"}},
		{"parts without memory", map[string]any{"low_latency": true, "memory": false}, []string{"memory"}},
		{"encrypted parts", map[string]any{"low_latency": true, "encrypt": true}, []string{"encrypt"}},
		{"long parts", map[string]any{"low_latency": true, "part": "1s", "target": "1s"}, []string{"part"}},
		{"keys for nothing", map[string]any{"key_rotation": int64(5)}, []string{"key_rotation"}},
	} {
		p := New()
		var wrong []string
		for _, problem := range p.Configure(sdk.Config{Values: c.values}) {
			wrong = append(wrong, problem.Key)
		}
		slices.Sort(wrong)
		slices.Sort(c.wrong)
		if !slices.Equal(wrong, c.wrong) {
			t.Errorf("%s: wrong are %v", c.name, wrong)
		}
	}
}

// With low latency frames are wanted at once.
func TestInfo(t *testing.T) {
	t.Parallel()
	p := New()
	if i := p.Info(); i.Name != "hls" || i.Media.Merge != 300*time.Millisecond || !i.Handover || i.Objects[0] != "hls/" {
		t.Errorf("%+v", i)
	}
	p.Configure(sdk.Config{Values: map[string]any{"low_latency": true}})
	if i := p.Info(); i.Media.Merge > 10*time.Millisecond {
		t.Errorf("%+v", i.Media)
	}
}
