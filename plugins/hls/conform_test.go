package hls

import (
	"testing"

	"github.com/millrace/millrace/plugins/plugintest"
	"github.com/millrace/millrace/plugins/sdk"
)

// newSpy is New for the kit, which also kills what it makes.
func newSpy() sdk.Plugin { return &spy{Plugin: New().(*Plugin)} }

func TestConforms(t *testing.T) {
	t.Parallel()
	plugintest.Run(t, newSpy, map[string]any{"target": "1s", "min_free": "0"})
}

func TestConformsLowLatency(t *testing.T) {
	t.Parallel()
	plugintest.Run(t, newSpy, map[string]any{"target": "1s", "low_latency": true, "format": "fmp4", "min_free": "0"})
}
