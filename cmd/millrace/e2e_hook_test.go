package main_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// hooked is a server with a script.
type hooked struct {
	*server
	script string // its file
	calls  string // the file of the log of calls
	data   string // data_dir
}

// startHooked starts a server with a script.
func startHooked(t *testing.T, script string, overrides conf) *hooked {
	t.Helper()
	return startHookedBy(t, func(t *testing.T, c conf) *server { return startServer(t, c) }, script, overrides)
}

// startHookedBy is startHooked with another way to start. A call of a hook has
// the time that a busy machine takes.
func startHookedBy(t *testing.T, start func(*testing.T, conf) *server, script string, overrides conf) *hooked {
	t.Helper()
	dir := t.TempDir()
	h := &hooked{script: filepath.Join(dir, "rules.lua"), calls: filepath.Join(dir, "calls.jsonl"), data: filepath.Join(dir, "data")}
	writeFile(t, h.script, script)
	c := conf{
		"hooks.scripts": strconv.Quote(h.script), "hooks.call_log": strconv.Quote(h.calls),
		"server.data_dir": strconv.Quote(h.data), "server.state_dir": strconv.Quote(filepath.Join(dir, "state")),
		"hooks.timeout": `"30s"`, "hooks.queue_timeout": `"30s"`,
	}
	c["hooks.scripts"] = "[" + c["hooks.scripts"] + "]"
	for k, v := range overrides {
		c[k] = v
	}
	h.server = start(t, c)
	return h
}

// example is one of examples/hooks, with some of its text replaced.
func example(t *testing.T, name string, replace ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../examples/hooks", name))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(string(text), replace[i]) {
			t.Fatalf("%s has no %q", name, replace[i])
		}
	}
	return strings.NewReplacer(replace...).Replace(string(text))
}

// hookCall is one of the log of calls.
type hookCall struct {
	Hook  string
	Event map[string]any
}

// called waits for a call of a hook that ok takes.
func (h *hooked) called(t *testing.T, hook string, ok func(e map[string]any) bool) map[string]any {
	t.Helper()
	var found map[string]any
	if err := poll(patience, func() bool {
		found = nil
		f, err := os.Open(h.calls)
		if err != nil {
			return false
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var c hookCall
			if json.Unmarshal(lines.Bytes(), &c) == nil && c.Hook == hook && ok(c.Event) {
				found = c.Event
				return true
			}
		}
		return false
	}); err != nil {
		log, _ := os.ReadFile(h.calls)
		t.Fatalf("no such call of %s:\n%s", hook, tail(string(log), 20))
	}
	return found
}

func anyEvent(map[string]any) bool { return true }

// refusedPublish checks that a stream is refused, with that reason.
func (h *hooked) refusedPublish(t *testing.T, path, reason string) {
	t.Helper()
	p, err := tryPublish(h.rtmp[0], path)
	var r refused
	if err == nil {
		p.Close()
	}
	if !errors.As(err, &r) || !strings.Contains(r.description, reason) {
		t.Errorf("publish %s: %v, want a refusal with %q", path, err, reason)
	}
}

// refusedWatch checks that a viewer is refused, by each protocol.
func (h *hooked) refusedWatch(t *testing.T, path string, via ...string) {
	t.Helper()
	for _, protocol := range via {
		v, err := h.tryWatch(protocol, path, nil)
		if err == nil {
			v.Close()
			t.Errorf("%s over %s is served", path, protocol)
		}
	}
}

// deniedWatch checks that a viewer is refused with a reason, as RTMP and HTTP
// have it.
func (h *hooked) deniedWatch(t *testing.T, protocol, path, reason string) {
	t.Helper()
	if protocol != "rtmp" {
		res := answer(t, http.MethodGet, h.flvURL(path))
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode != http.StatusForbidden || !strings.Contains(string(body), reason) {
			t.Errorf("%s over HTTP: %d %s, want 403 with %q", path, res.StatusCode, body, reason)
		}
		return
	}
	v, err := h.tryWatch(protocol, path, nil)
	if err == nil {
		v.Close()
	}
	var r refused
	if !errors.As(err, &r) || !strings.Contains(r.description, reason) {
		t.Errorf("%s over RTMP: %v, want a refusal with %q", path, err, reason)
	}
}

// withPlugin is the configuration of a server with a plugin, of those that lie
// beside it.
func withPlugin(t *testing.T, table, program string, more conf) conf {
	t.Helper()
	command := filepath.Join(filepath.Dir(world.bin), program)
	c := conf{"plugins." + table + ".enabled": "true", "plugins." + table + ".command": strconv.Quote(command)}
	for k, v := range more {
		c[k] = v
	}
	return c
}

// files are the regular files below a folder, but for what is hidden.
func files(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.HasPrefix(d.Name(), ".") {
			rel, _ := filepath.Rel(dir, path)
			all = append(all, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestHookRefuses has nothing of a refused stream reach a viewer, a plugin or
// the disk; the encoder is told why.
func TestHookRefuses(t *testing.T) {
	t.Parallel()
	socketDir, err := os.MkdirTemp("", "mr")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(socketDir) })
	socket := filepath.Join(socketDir, "s")
	srv := startHooked(t, `function on_publish(s)
  if s.params.key ~= "good" then return false, "no key, no stream" end
  return true
end`, withPlugin(t, "flv", "millrace-flv-recorder", conf{"plugin_socket.path": strconv.Quote(socket), "plugin_socket.token": `"sesame"`, "stream.play_wait": `"2s"`}))
	srv.waitLog(t, map[string]string{"msg": "plugin is running"})
	lines := socketEvents(t, socket, "on_stream_start,on_unpublish,on_codec")

	waits := srv.capturing(t, "http-flv", "live/x")
	srv.refusedPublish(t, "live/x?key=bad", "no key, no stream")
	pub := publishOnce(t, srv.rtmpURL("live/x"), source(t, "av"), nil, nil)
	if code := pub.wait(t); code == 0 || !strings.Contains(pub.out.String(), "no key, no stream") {
		t.Errorf("ffmpeg ended with %d and said %s", code, pub.out.String())
	}
	for _, line := range srv.log.lines() {
		if strings.Contains(line, "publish refused") && !strings.Contains(line, "connection closed") {
			t.Errorf("a refusal is told of twice: %s", line)
		}
	}
	<-waits.done
	if len(waits.tags) > 0 {
		t.Errorf("a viewer got %d tags", len(waits.tags))
	}
	srv.feed(t, "live/y?key=good", sourceTags(t, "av"))
	if e := nextEvent(t, lines); e["stream_id"] != "live/y" {
		t.Errorf("a plugin heard of %v", e)
	}
	eventually(t, "a recording of what is allowed", func() bool { return len(files(t, srv.data)) > 0 })
	for _, f := range files(t, srv.data) {
		if strings.Contains(f, "live/x") {
			t.Errorf("the disk has %s", f)
		}
	}
	if n := srv.metric(t, "millrace_hook_calls_total"); n < 3 {
		t.Errorf("%v calls", n)
	}
}

// TestHookEvents looks at what hooks are told, by each protocol, over TLS too.
func TestHookEvents(t *testing.T) {
	t.Parallel()
	script := `
function on_connect(c) return true end
function on_publish(s) return { labels = { user = "ann" } } end
function on_play(v) return true end
function on_stop(v) end
function on_unpublish(s) end
function on_close(c) end`
	srv := startHookedBy(t, startSecure, script, nil)
	f := srv.feed(t, "live/x?key=k", sourceTags(t, "av"))
	srv.waitStream(t, "live/x")
	named := map[string]string{"rtmp": "rtmps", "http2": "http-flv"}
	for _, protocol := range []string{"rtmp", "http-flv", "ws-flv", "http2"} {
		v := srv.watch(t, protocol, "live/x?user="+protocol, nil)
		nextThat(t, v, "a keyframe", tag.isKeyframe)
		v.Close()
		want := protocol
		if named[protocol] != "" {
			want = named[protocol]
		}
		mine := func(e map[string]any) bool {
			params, _ := e["params"].(map[string]any)
			return params["user"] == protocol
		}
		for _, hook := range []string{"on_play", "on_stop"} {
			e := srv.called(t, hook, mine)
			if e["protocol"] != want || !strings.HasPrefix(fmt.Sprint(e["remote_addr"]), "127.0.0.1:") || e["client_id"] == nil || e["stream_id"] != "live/x" {
				t.Errorf("%s over %s was told %v", hook, protocol, e)
			}
			if hook == "on_stop" && (e["bytes_out"] == nil || e["reason"] == nil) {
				t.Errorf("on_stop over %s was told %v", protocol, e)
			}
		}
	}
	if err := f.stopCleanly("x"); err != nil {
		t.Fatal(err)
	}
	e := srv.called(t, "on_unpublish", anyEvent)
	for _, field := range []string{"bytes_in", "duration", "reason", "video_codec", "audio_codec", "width", "labels", "params", "session"} {
		if e[field] == nil {
			t.Errorf("on_unpublish has no %s: %v", field, e)
		}
	}
	if e := srv.called(t, "on_publish", anyEvent); e["protocol"] != "rtmps" || e["tc_url"] == nil {
		t.Errorf("on_publish: %v", e)
	}
	srv.called(t, "on_close", anyEvent)
}
