package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestShellRecorder runs the recorder of ten lines of shell beside a server.
func TestShellRecorder(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "mr") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	srv := startServer(t, conf{"plugin_socket.path": `"` + socket + `"`, "plugin_socket.token": `"sesame"`})
	script, err := filepath.Abs("../../examples/plugin-shell/record.sh")
	if err != nil {
		t.Fatal(err)
	}
	startCommand(t, 3*time.Minute, exec.Command(script, socket, "sesame", dir))
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
	startFeedOnce(srv.publish(t, "live/x"), tags, 0)()
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
