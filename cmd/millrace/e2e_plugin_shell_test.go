package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// socketServer is a server with a socket for programs that it did not start,
// in a folder of its own; its token is sesame.
func socketServer(t *testing.T) (srv *server, socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "mr") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "s")
	return startServer(t, conf{"plugin_socket.path": `"` + socket + `"`, "plugin_socket.token": `"sesame"`}), socket
}

// TestShellRecorder runs the recorder of ten lines of shell beside a server.
func TestShellRecorder(t *testing.T) {
	t.Parallel()
	srv, socket := socketServer(t)
	dir := filepath.Dir(socket)
	script, err := filepath.Abs("../../examples/plugin-shell/record.sh")
	if err != nil {
		t.Fatal(err)
	}
	startCommand(t, lifetime, exec.Command(script, socket, "sesame", dir))
	files := func(name string) []string {
		found, _ := filepath.Glob(filepath.Join(dir, "live~"+name+"_*.flv"))
		return found
	}
	for n := 0; len(files("w*")) == 0; n++ { // until the script listens
		p := srv.publish(t, fmt.Sprint("live/w", n))
		_ = poll(time.Second, func() bool { return len(files("w*")) > 0 })
		p.Close()
	}

	tags := firstSeconds(sourceTags(t, "small"), 4)
	feed := feedUntil(t, srv.publish(t, "live/x"), tags, 3000)
	eventually(t, "the script records", func() bool { return len(files("x")) > 0 })
	feed.end()
	last := mediaTags(tags)[len(mediaTags(tags))-1].body
	var got []tag
	eventually(t, "the file is whole", func() bool {
		for _, file := range files("x") {
			data, _ := os.ReadFile(file)
			got, _ = parseFLV(data)
		}
		return len(got) > 0 && bytes.Equal(got[len(got)-1].body, last)
	})
	sameTags(t, got, tags)
}

// TestShellOfReadme runs what README.md has for programs of one's own, as it
// stands there.
func TestShellOfReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(readme), "```bash\n")
	script, _, found := strings.Cut(after, "```\n")
	const usual = "/run/millrace/plugins.sock"
	if !found || !strings.Contains(script, usual) {
		t.Fatalf("the script is not where it was: %q", script)
	}
	srv, socket := socketServer(t)
	tags := firstSeconds(sourceTags(t, "small"), 6)
	feed := feedUntil(t, srv.publish(t, "live/x"), tags, 5000)
	srv.waitStream(t, "live/x")
	cmd := exec.Command("bash", "-c", strings.ReplaceAll(script, usual, socket))
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "TOKEN=sesame")
	startCommand(t, lifetime, cmd)
	files := func() []string {
		found, _ := filepath.Glob(filepath.Join(cmd.Dir, "live~x-*.flv"))
		return found
	}
	eventually(t, "the script records", func() bool { return len(files()) > 0 })
	feed.end()
	var got []tag
	eventually(t, "the file is whole", func() bool {
		for _, file := range files() {
			data, _ := os.ReadFile(file)
			got, _ = parseFLV(data)
		}
		return len(mediaTags(got)) >= len(mediaTags(tags))
	})
	sameTags(t, got, tags)
}
