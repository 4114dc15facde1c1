package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// recorders are the plugins that record.
var recorders = []string{"flv", "hls", "mp4"}

// recording is a server that records.
type recording struct {
	*subject
	data string // its files, removed at the end
	// plugins are those that have to be there.
	plugins []string
}

// stop ends the server and removes its files. A nil recording is none.
func (s *recording) stop() {
	if s == nil {
		return
	}
	s.subject.stop()
	_ = os.RemoveAll(s.data)
}

func newRecording(ports int, root string, plugins []string) (*recording, error) {
	s, err := newSubject(ports)
	if err != nil {
		return nil, err
	}
	r := &recording{subject: s, plugins: plugins}
	if r.data, err = os.MkdirTemp(root, "millrace-bench-"); err != nil {
		return r, fmt.Errorf("make folder for records: %w", err)
	}
	return r, nil
}

const recordConfig = `[server]
data_dir = %q
state_dir = %q
[log]
level = "warn"
[rtmp]
listen = ["127.0.0.1:%d"]
[http]
listen = ["127.0.0.1:%d"]
[admin]
listen = "127.0.0.1:%d"
`

// startRecording starts a Millrace with some of its plugins, each with its
// defaults and what the environment says (MILLRACE_PLUGINS_NAME_KEY).
func startRecording(ctx context.Context, program, root string, plugins []string) (*recording, error) {
	s, err := newRecording(3, root, plugins)
	if err != nil {
		return s, err
	}
	var config strings.Builder
	fmt.Fprintf(&config, recordConfig, filepath.Join(s.data, "data"), filepath.Join(s.data, "state"), s.ports.rtmp, s.ports.http, s.ports.admin)
	for _, name := range recorders {
		fmt.Fprintf(&config, "[plugins.%s]\nenabled = %t\n", name, slices.Contains(plugins, name))
	}
	command := func(file string) []string { return []string{program, "serve", "-c", file} }
	return s, s.launch(ctx, config.String(), command, func() bool {
		all, err := s.state(ctx)
		return err == nil && !slices.ContainsFunc(all, func(p pluginState) bool { return p.State != "running" })
	})
}

// pluginState is what the API says of a plugin, as far as it is of use here.
type pluginState struct {
	Name    string
	State   string
	PID     int
	Streams []struct{ Missed uint64 }
}

// state asks a Millrace for its plugins.
func (s *recording) state(ctx context.Context) ([]pluginState, error) {
	if s.ports.admin == 0 {
		return nil, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/api/v1/plugins", s.ports.admin), nil)
	if err != nil {
		return nil, fmt.Errorf("ask for plugins: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask for plugins: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	var all struct{ Plugins []pluginState }
	if err := json.NewDecoder(res.Body).Decode(&all); err != nil {
		return nil, fmt.Errorf("ask for plugins: %w", err)
	}
	return all.Plugins, nil
}

// startNginxRecording starts an nginx that does by itself what plugins do,
// with segments as long as theirs.
func startNginxRecording(ctx context.Context, root string, plugins []string) (*recording, error) {
	s, err := newRecording(1, root, plugins)
	if err != nil {
		return s, err
	}
	directives := map[string]string{
		"flv": fmt.Sprintf("record all; record_unique on; record_path %s;", s.data),
		"hls": fmt.Sprintf("hls on; hls_path %s; hls_nested on; hls_fragment 6s; hls_type event; hls_cleanup off;", s.data),
	}
	var wanted []string
	for _, name := range plugins {
		wanted = append(wanted, directives[name])
	}
	return s, s.launchNginx(ctx, strings.Join(wanted, " "))
}
