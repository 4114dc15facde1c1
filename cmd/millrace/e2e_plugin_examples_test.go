package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestExamplePlugins runs the examples: what they are told and what they make.
func TestExamplePlugins(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	programs := filepath.Join(world.dir, "examples")
	if err := build(programs, "../../examples/plugin-hello", "../../examples/plugin-thumbnail"); err != nil {
		t.Fatal(err)
	}
	srv := startRecording(t, recording(dir).and(conf{
		"plugins.hello.command":     `"` + filepath.Join(programs, "plugin-hello") + `"`,
		"plugins.thumbnail.command": `"` + filepath.Join(programs, "plugin-thumbnail") + `"`,
		"plugins.thumbnail.width":   "160",
		"plugins.node.command":      `"` + lookPath(t, "node") + `"`,
		"plugins.node.args":         `["` + nodePlugin(t) + `"]`,
		"plugins.node.mtls":         "false",
	}))
	tags := firstSeconds(sourceTags(t, "small"), 5)
	startFeedOnce(srv.publish(t, "live/x"), tags, 0)()

	want := sumsOf(t, tags)
	for _, event := range []string{"on_stream_start", "on_unpublish", "on_record_done"} {
		srv.waitLog(t, map[string]string{"msg": "hello, " + event, "plugin": "hello", "stream_id": "live/x"})
	}
	allFrames(t, decoded(t, glob(t, dir, "data/node/live/x/*.flv", 1)[0], "va"), want)
	for _, picture := range glob(t, dir, "data/thumbnail/live/x/*.jpg", 1) /* it leaves out what it has no time for */ {
		out := mustRun(t, "ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width", "-of", "csv=p=0", picture)
		if strings.TrimSpace(out) != "mjpeg,160" {
			t.Errorf("%s: %s", picture, out)
		}
	}
}

// glob waits until there are files that match.
func glob(t *testing.T, dir, pattern string, least int) []string {
	t.Helper()
	var files []string
	eventually(t, pattern, func() bool {
		files, _ = filepath.Glob(filepath.Join(dir, pattern))
		return len(files) >= least
	})
	return files
}

func lookPath(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// nodePlugin is the script of the example in Node.js; `make node` installs its
// packages.
func nodePlugin(t *testing.T) string {
	t.Helper()
	script, err := filepath.Abs("../../examples/plugin-node/plugin.js")
	if err == nil {
		_, err = os.Stat(filepath.Join(filepath.Dir(script), "node_modules/@grpc/grpc-js"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return script
}
