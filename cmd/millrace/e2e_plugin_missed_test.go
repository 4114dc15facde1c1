package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// late has the recorders come up only when there is a file.
func (c conf) late(t *testing.T, dir, file string) conf {
	t.Helper()
	more := conf{}
	for _, name := range recorderNames {
		script := filepath.Join(dir, name+".sh")
		program := filepath.Join(filepath.Dir(world.bin), programOf[name])
		text := fmt.Sprintf("#!/bin/sh\nuntil [ -e %q ]; do sleep 0.1; done\nexec %q \"$@\"\n", file, program)
		if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		more["plugins."+name+".command"] = `"` + script + `"`
		more["plugins."+name+".start_timeout"] = `"2m"`
	}
	return c.and(more)
}

// TestRecordingMissed has a stream's session begin and end, and the next one
// begin, before the recorders are up: both are recorded, whole and in order.
func TestRecordingMissed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, file := filepath.Join(dir, "data"), filepath.Join(dir, "go")
	srv := startServer(t, recording(dir, recorderNames...).late(t, dir, file).and(conf{"stream.ring_time": `"3m"`}))
	srv.quiet = false
	small, other := firstSeconds(sourceTags(t, "small"), 3), firstSeconds(sourceTags(t, "other"), 3)
	startFeedOnce(srv.publish(t, "live/x"), small, 0)()
	srv.waitGone(t, "live/x")
	second := srv.publish(t, "live/x")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	startFeedOnce(second, other, 0)()
	all := waitRecords(t, data, "live/x", 2, recorderNames...)
	all[0].check(t, sumsOf(t, small))
	all[1].check(t, sumsOf(t, other))
	complete(t, data, 2*len(recorderNames))
	newest, err := filepath.EvalSymlinks(filepath.Join(data, "hls", "live", "x", "index.m3u8"))
	if want := filepath.Join(all[1].hls, "index.m3u8"); err != nil || newest != want {
		t.Errorf("%v, the alias leads to %s, want %s", err, newest, want)
	}
}
