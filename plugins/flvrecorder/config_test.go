package flvrecorder

import (
	"slices"
	"testing"
	"time"

	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	got, problems := readConfig(sdk.Config{Values: map[string]any{
		"split_time": "30m", "split_size": "1GiB", "sync": "fragment", "seek_index_room": "0", "keep_age": "720h",
		"keep_bytes": "100GiB", "keep_free": "5GiB", "min_free": "2GiB", "checksum": false,
	}})
	want := config{
		splitTime: 30 * time.Minute, splitSize: 1 << 30, sync: record.Sync{Fragment: true}, keepAge: 720 * time.Hour,
		keepBytes: 100 << 30, keepFree: 5 << 30, minFree: 2 << 30,
	}
	if got != want || problems != nil {
		t.Errorf("%+v, %v", got, problems)
	}
	got, problems = readConfig(sdk.Config{})
	if !got.checksum || got.minFree != 512<<20 || got.sync.Every != 10*time.Second || got.room != 60<<10 || problems != nil {
		t.Errorf("defaults %+v, %v", got, problems)
	}
}

func TestConfigRefuses(t *testing.T) {
	t.Parallel()
	p := New()
	var keys []string
	for _, problem := range p.Configure(sdk.Config{Values: map[string]any{
		"split_time": "10ms", "split_size": "1KiB", "sync": "0s", "seek_index_room": "1GiB", "keep_age": "-1h", "min_free": 5.0, "checksum": "yes", "path": "x",
	}}) {
		keys = append(keys, problem.Key)
	}
	slices.Sort(keys)
	if want := []string{"checksum", "keep_age", "min_free", "path", "seek_index_room", "split_size", "split_time", "sync"}; !slices.Equal(keys, want) {
		t.Errorf("%v", keys)
	}
}
