package fmp4

import (
	"context"
	"sync"
	"testing"

	"github.com/millrace/millrace/plugins/plugintest"
	"github.com/millrace/millrace/plugins/sdk"
)

// mortal is the plugin in a process that the kit may kill.
type mortal struct {
	*Plugin
	mu      sync.Mutex
	streams []*stream
}

func (m *mortal) Attach(ctx context.Context, a sdk.Attach) (sdk.Stream, error) {
	s, err := m.Plugin.Attach(ctx, a)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.streams = append(m.streams, s.(*stream))
	return s, nil
}

// Crash lets go of files and locks, as the kernel does.
func (m *mortal) Crash() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.streams {
		_ = s.letGo() // nothing more can go wrong for a dead process
	}
}

func TestContract(t *testing.T) {
	plugintest.Run(t, func() sdk.Plugin { return &mortal{Plugin: New().(*Plugin)} }, map[string]any{"segment": "1s", "min_free": "0"})
}
