package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// onRecord names one kind of record, skips another, breaks for a third, and
// never ends for some stream.
const onRecord = `
function on_record(r)
  if r.name == "endless" then while true do end end
  if r.plugin == "flv" then return { path = "archive/%app/%name" } end
  if r.plugin == "hls" then return { skip = true } end
  error("broken")
end
`

// TestRecordsNamed has a script name records: what it decides holds, and the
// default where it fails.
func TestRecordsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	script := filepath.Join(dir, "names.lua")
	writeFile(t, script, onRecord)
	srv := startRecording(t, recording(dir, recorderNames...).and(conf{"hooks.scripts": `["` + script + `"]`, "hooks.timeout": `"5s"`}))
	tags := firstSeconds(sourceTags(t, "small"), 2)
	endless := srv.publish(t, "live/endless")
	go startFeedOnce(endless, tags, 0)()
	startFeedOnce(srv.publish(t, "live/x"), tags, 0)()

	want := sumsOf(t, tags)
	waitRecords(t, data, "live/x", 1, "mp4")[0].check(t, want)
	archived := filepath.Join(data, "archive/live/x.flv")
	eventually(t, "the FLV file is done", func() bool {
		b, _ := os.ReadFile(archived + ".json")
		var m manifest
		return json.Unmarshal(b, &m) == nil && m.Complete
	})
	records{flv: archived}.check(t, want)
	if _, err := os.Stat(filepath.Join(data, "hls/live/x")); !os.IsNotExist(err) {
		t.Errorf("what is skipped has a folder: %v", err)
	}
	waitRecords(t, data, "live/endless", 1, recorderNames...)[0].check(t, want)
}

// TestRecordPath has a template of the configuration name records; one that
// cannot be is refused at the start.
func TestRecordPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := recording(dir, "flv").and(conf{"record.path": `"{name}/{kind}_{session}"`})
	srv := startRecording(t, c)
	tags := firstSeconds(sourceTags(t, "small"), 1)
	startFeedOnce(srv.publish(t, "live/x"), tags, 0)()
	file := glob(t, dir, "data/x/flv_2*.flv.json", 1)[0]
	eventually(t, "the file is whole", func() bool {
		got, err := parseFLV(readAll(t, strings.TrimSuffix(file, ".json")))
		return err == nil && len(mediaTags(got)) == len(mediaTags(tags))
	})

	wrong := filepath.Join(dir, "wrong.toml")
	writeFile(t, wrong, c.and(conf{"record.path": `"{nobody}"`}).toml())
	out, status := run(t, world.bin, "serve", "-c", wrong)
	if status != 1 {
		t.Errorf("status %d: %s", status, out)
	}
}

func readAll(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
