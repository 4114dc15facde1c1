package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// cli runs millrace in dir, and returns its exit status, stdout and stderr.
func cli(t *testing.T, dir string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	cmd := serverCommand(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Dir = &out, &errs, dir
	status = startCommand(t, 2*patience, cmd).wait(t)
	return status, out.String(), errs.String()
}

// operator is somebody with a configuration file that leads to a server.
type operator struct {
	t    *testing.T
	srv  *server
	file string
}

// startOperated runs a server with the FLV recorder, and faults if they are
// allowed.
func startOperated(t *testing.T, overrides conf) *operator {
	t.Helper()
	c := conf{"plugins.flv.enabled": "true", "admin.token": `"sesame"`}
	maps.Copy(c, overrides)
	srv := startServer(t, c)
	file := filepath.Join(t.TempDir(), "operator.toml")
	writeFile(t, file, fmt.Sprintf("[admin]\nlisten = %q\ntoken = \"sesame\"\n", srv.admin))
	return &operator{t, srv, file}
}

// does runs a command that must end with a status, and say something.
func (o *operator) does(status int, says string, args ...string) string {
	o.t.Helper()
	got, out, errs := cli(o.t, o.t.TempDir(), append(args, "-c", o.file)...)
	if got != status || !strings.Contains(out+errs, says) {
		o.t.Errorf("%v: exit status %d, want %d with %q:\n%s%s", args, got, status, says, out, errs)
	}
	return out
}

// plugin is a plugin's status in the API.
func (o *operator) plugin(name string) (p struct {
	Name, State   string
	PID, Restarts int
	Streams       []struct {
		Attached bool
		NextSeq  uint64 `json:"next_seq"`
	}
}) {
	o.t.Helper()
	var all struct{ Plugins []json.RawMessage }
	o.srv.adminJSON(o.t, "/api/v1/plugins", &all)
	for _, raw := range all.Plugins {
		if err := json.Unmarshal(raw, &p); err == nil && p.Name == name {
			return p
		}
	}
	return p
}

func (o *operator) awaitRunning(name string) {
	o.t.Helper()
	eventually(o.t, name+" runs", func() bool { return o.plugin(name).State == "running" })
}

// TestPluginCommands asks a server for its plugins.
func TestPluginCommands(t *testing.T) {
	t.Parallel()
	o := startOperated(t, nil)
	o.srv.feed(t, "live/x", sourceTags(t, "small"))
	eventually(t, "the recorder has the stream", func() bool {
		p := o.plugin("flv")
		return len(p.Streams) == 1 && p.Streams[0].Attached
	})
	list := o.does(0, "NAME", "plugin", "list")
	if fields := strings.Fields(strings.Split(list, "\n")[1]); fields[0] != "flv" || fields[1] != "running" {
		t.Errorf("the list is\n%s", list)
	}
	before := o.plugin("flv").PID
	o.does(0, "new process", "plugin", "restart", "flv")
	if p := o.plugin("flv"); p.PID == before || p.State != "running" {
		t.Errorf("after the restart: %+v", p)
	}
	o.does(0, "", "plugin", "logs", "flv", "-n", "5")
	o.does(1, "no such plugin", "plugin", "restart", "nobody")
	o.does(1, "no such plugin", "plugin", "logs", "nobody")
	o.does(2, "Usage", "plugin", "dance")
	o.does(2, "Usage", "plugin", "restart")
	o.does(0, "Usage", "plugin", "-h")
	writeFile(t, o.file, fmt.Sprintf("[admin]\nlisten = %q\n", o.srv.admin))
	o.does(1, "token is required", "plugin", "list")
	writeFile(t, o.file, "[admin]\nlisten = \"\"\n")
	o.does(1, "admin.listen", "plugin", "list")
}

// TestDebugCommands makes faults in a server that allows them.
func TestDebugCommands(t *testing.T) {
	t.Parallel()
	o := startOperated(t, conf{"admin.faults": "true"})
	o.srv.quiet = false // a process that was killed is an error
	publisher := o.srv.feed(t, "live/x", sourceTags(t, "small"))
	o.srv.waitStream(t, "live/x")
	o.awaitRunning("flv")
	o.does(0, "kill-plugin flv", "debug", "kill-plugin", "flv")
	eventually(t, "it was started again", func() bool { p := o.plugin("flv"); return p.Restarts == 1 && p.State == "running" })
	o.does(0, "stall-plugin flv for 100ms", "debug", "stall-plugin", "flv", "--for", "100ms")
	o.does(0, "slow-disk flv for 300ms", "debug", "slow-disk", "flv", "--for", "300ms")

	crowd := startCrowd(t, o.srv, "live/x", 1, digests(t, "small"), nil)
	eventually(t, "viewers watch", func() bool { return len(o.srv.clients(t, "player")) == 3 })
	id := o.srv.clients(t, "player")[0].ID
	o.does(0, "stall-viewer "+id, "debug", "stall-viewer", id, "--for", "1s")
	crowd.eventually(t, "frames go on", func(m *member) bool { return m.video > 50 })
	o.does(1, "no such viewer", "debug", "stall-viewer", "0-9999")

	o.does(0, "drop-publisher live/x", "debug", "drop-publisher", "live/x")
	<-publisher.ended
	o.srv.waitStreamThat(t, "live/x", "is lost", func(i *streamInfo) bool { return i.State == "lost" })
	o.does(1, "no such publisher", "debug", "drop-publisher", "live/x")
	o.does(1, "for=\"2h0m0s\"", "debug", "slow-disk", "flv", "--for", "2h")
	o.does(2, "unknown fault", "debug", "drop-database", "flv")
	o.does(2, "Usage", "debug")
	o.does(2, "parse", "debug", "slow-disk", "flv", "--for", "long")
}

// TestFaultsAreOff asks a server for faults that does not allow them, until a
// reload does.
func TestFaultsAreOff(t *testing.T) {
	t.Parallel()
	o := startOperated(t, conf{"admin.faults": "false"})
	o.awaitRunning("flv")
	for fault, of := range map[string]string{
		"kill-plugin": "flv", "stall-plugin": "flv", "slow-disk": "flv", "stall-viewer": "0-1", "drop-publisher": "live/x",
	} {
		o.does(1, "admin.faults", "debug", fault, of)
		if status, body := o.srv.adminCall(t, http.MethodPost, "/api/v1/debug/"+fault+"/"+of); status != http.StatusForbidden {
			t.Errorf("%s: %d %s", fault, status, body)
		}
	}
	o.srv.rewrite(t, "faults = false", "faults = true")
	if status, body := o.srv.adminCall(t, http.MethodPost, "/api/v1/config/reload"); status != http.StatusOK {
		t.Fatalf("reload: %d %s", status, body)
	}
	o.does(0, "stall-plugin flv", "debug", "stall-plugin", "flv", "--for", "10ms")
}

// TestRecordingsByCommand stops and starts a stream's recording by the API, then
// verifies, breaks and mends what came of it by the commands.
func TestRecordingsByCommand(t *testing.T) {
	t.Parallel()
	o := startOperated(t, nil)
	feed := o.srv.feed(t, "live/deep/x", sourceTags(t, "small"))
	recorded := func(attached bool, n int) func() bool {
		return func() bool {
			p, files := o.plugin("flv"), o.recordings("live~deep/x")
			return (len(p.Streams) == 1 && p.Streams[0].Attached) == attached && len(files) == n
		}
	}
	call := func(method, path string, want int) {
		t.Helper()
		if status, body := o.srv.adminCall(t, method, "/api/v1/streams/"+path); status != want {
			t.Errorf("%s %s: %d %s", method, path, status, body)
		}
	}
	eventually(t, "it is recorded", recorded(true, 1))
	grown := func(i int) func() bool {
		return func() bool {
			st, err := os.Stat(o.recordings("live~deep/x")[i])
			return err == nil && st.Size() > 150_000
		}
	}
	eventually(t, "it grows", grown(0))
	call("POST", "live/deep/x/recordings/flv", http.StatusConflict)
	call("DELETE", "live/deep/x/recordings/flv", http.StatusNoContent)
	eventually(t, "it is recorded no more", recorded(false, 1))
	dir := filepath.Dir(o.srv.config)
	data := filepath.Join(dir, "data")
	eventually(t, "it is finished while the stream goes on", func() bool { status, _, _ := cli(t, dir, "record", "verify", data); return status == 0 })
	call("DELETE", "live/deep/x/recordings/flv", http.StatusConflict)
	call("DELETE", "live/deep/x/recordings/nobody", http.StatusNotFound)
	call("POST", "live/nobody/recordings/flv", http.StatusNotFound)
	call("POST", "live/deep/x/recordings/flv", http.StatusNoContent)
	eventually(t, "another recording has begun", recorded(true, 2))
	if file := o.recordings("live~deep/x")[1]; !strings.HasSuffix(file, "_2.flv") {
		t.Errorf("the second recording is %s", file)
	}
	eventually(t, "it grows", grown(1))
	feed.halt()
	o.srv.stop(t)

	o.verifies(dir, 0, "complete from frame", data)
	files := o.recordings("live~deep/x")
	o.verifies(dir, 0, ": complete from frame", files[1])

	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	o.mendsOthers(dir, whole)

	// One of ours that lost its end, and one that is gone.
	writeFile(t, files[0], string(whole[:len(whole)/2]))
	o.verifies(dir, 1, "instead of", data)
	o.records(dir, 0, "whole, left alone", "repair", data)
	decode(t, files[0], "v").succeed(t)
	o.verifies(dir, 1, "bytes at the end of", files[0])
	if err := os.Remove(files[1]); err != nil {
		t.Fatal(err)
	}
	o.verifies(dir, 1, "is gone", data)
	o.records(dir, 1, "no recording", "verify", t.TempDir())
	o.records(dir, 1, "no such file", "verify", filepath.Join(dir, "nothing"))
	o.records(dir, 2, "Usage", "verify")
	o.records(dir, 2, "Usage", "verify", "--mp4", data)
}

// mendsOthers cuts off a file that has no manifest, and repairs it.
func (o *operator) mendsOthers(dir string, whole []byte) {
	o.t.Helper()
	lone := filepath.Join(o.t.TempDir(), "lone.flv")
	writeFile(o.t, lone, string(whole[:len(whole)*2/3-5]))
	o.verifies(dir, 1, "no whole tag", lone)
	o.records(dir, 0, "bytes cut off the end", "repair", "--mp4", lone)
	o.verifies(dir, 0, "whole", lone)
	for _, made := range []string{lone, strings.TrimSuffix(lone, ".flv") + ".mp4"} {
		decode(o.t, made, "v").succeed(o.t)
	}
}

// recordings are a stream's FLV files, by name.
func (o *operator) recordings(stream string) []string {
	files, err := filepath.Glob(filepath.Join(filepath.Dir(o.srv.config), "data/flv", stream, "*.flv"))
	if err != nil {
		o.t.Fatal(err)
	}
	return files
}

func (o *operator) verifies(dir string, status int, says string, paths ...string) {
	o.t.Helper()
	o.records(dir, status, says, append([]string{"verify"}, paths...)...)
}

// records runs "millrace record".
func (o *operator) records(dir string, status int, says string, args ...string) {
	o.t.Helper()
	got, out, errs := cli(o.t, dir, append([]string{"record"}, args...)...)
	if got != status || !strings.Contains(out+errs, says) {
		o.t.Errorf("record %v: exit status %d, want %d with %q:\n%s%s", args, got, status, says, out, errs)
	}
}

// TestPluginOfAnotherUser has a recorder run as nobody.
func TestPluginOfAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root may start programs of other users")
	}
	// The shared folder is root's alone.
	dir, err := os.MkdirTemp("", "mr-user")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program := filepath.Join(dir, "recorder")
	bytes, err := os.ReadFile(filepath.Join(filepath.Dir(world.bin), "millrace-flv-recorder"))
	if err == nil {
		err = os.WriteFile(program, bytes, 0o755)
	}
	for _, sub := range []string{dir, dir + "/data", dir + "/state"} {
		if err == nil {
			_ = os.Mkdir(sub, 0o777)
			err = os.Chmod(sub, 0o777)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	o := startOperated(t, conf{
		"plugins.flv.command": fmt.Sprintf("%q", program), "plugins.flv.limits.user": `"nobody"`,
		"server.data_dir": fmt.Sprintf("%q", dir+"/data"), "server.state_dir": fmt.Sprintf("%q", dir+"/state"),
	})
	o.srv.feed(t, "live/x", sourceTags(t, "small"))
	eventually(t, "the recorder takes frames", func() bool {
		p := o.plugin("flv")
		return len(p.Streams) == 1 && p.Streams[0].NextSeq > 50
	})
}

// TestCheckNamesLines has check find what is wrong outside of the
// configuration's own keys.
func TestCheckNamesLines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "bad.lua"), "function on_publish()\n return tru = 1\nend\n")
	writeFile(t, filepath.Join(dir, "c.toml"), `[hooks]
scripts = ["bad.lua"]
[record]
path = "{kind}/{nonsense}"
[plugins.flv]
split_time = "now"
bogus = 3
[plugins.mp4]
restart = "sometimes"
[plugins.hls]
command = "millrace-nothing"
[plugins.sum]
command = "millrace-hls"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
[plugins.off]
enabled = false
command = "millrace-nothing"
[[tls]]
cert = "a.pem"
key = "a.key"
`)
	began := time.Now()
	status, out, _ := cli(t, dir, "check", "-c", "c.toml")
	if status != 1 {
		t.Errorf("exit status %d", status)
	}
	for _, want := range []string{
		"bad.lua:2: syntax error", "c.toml:4: record.path: found \"{kind}/{nonsense}\"",
		"c.toml:6: plugins.flv.split_time: found \"now\": must be a duration", "c.toml:7: plugins.flv.bogus: found 3: unknown key",
		"c.toml:9: plugins.mp4.restart: found \"sometimes\"", "c.toml:11: plugins.hls.command: found \"millrace-nothing\": no such program",
		"c.toml:14: plugins.sum.sha256: found ", "c.toml:18: tls: found \"a.pem\"",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q after %v in\n%s", want, time.Since(began), out)
		}
	}
	if n := strings.Count(out, "\n"); n != 8 {
		t.Errorf("%d lines:\n%s", n, out)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 2 {
		t.Errorf("the check leaves %v", left)
	}
}
