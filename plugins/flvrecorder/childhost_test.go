package flvrecorder

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/sdk"
)

// childHost is a host whose folders outlive the process, which is what
// plugintest's cannot do. It has one session, S.
type childHost struct{ dir string }

func (childHost) Logger() *slog.Logger { return slog.New(slog.DiscardHandler) }
func (h childHost) DataDir() string    { return filepath.Join(h.dir, "data") }
func (h childHost) StateDir() string   { return filepath.Join(h.dir, "state") }

func (h childHost) OpenRecord(_ context.Context, r sdk.RecordRequest) (sdk.RecordPlace, error) {
	at := sdk.RecordPlace{Dir: filepath.Join(h.DataDir(), "flv", r.App, r.Name), Name: "s.flv"}
	if r.Part > 1 {
		at.Name = fmt.Sprintf("s_p%d.flv", r.Part)
	}
	if err := os.MkdirAll(at.Dir, 0o755); err != nil {
		return at, err
	}
	f, err := os.OpenFile(filepath.Join(at.Dir, at.Name), os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return at, err
	}
	return at, f.Close()
}

func (childHost) Announce(context.Context, event.Event) error        { return nil }
func (childHost) PutObject(context.Context, sdk.Object) error        { return nil }
func (childHost) DeleteObject(context.Context, string) error         { return nil }
func (childHost) Gauge(string, float64, ...string)                   {}
func (childHost) Count(string, float64, ...string)                   {}
func (childHost) Kick(context.Context, string, string) (bool, error) { return false, nil }
func (childHost) Streams(context.Context) ([]event.Event, error) {
	return []event.Event{{Session: "S"}}, nil
}
