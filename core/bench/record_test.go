package bench

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// programs builds millrace with its plugins beside it.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", dir, "../../cmd/...").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(dir, "millrace")
}

func TestRecord(t *testing.T) {
	t.Parallel()
	r, err := Record(t.Context(), RecordOptions{
		Server: programs(t), Rows: [][]string{{"flv", "hls"}, {"flv", "hls", "mp4"}}, Nginx: true, Dir: t.TempDir(),
		Publish: PublishOptions{Streams: 2, Duration: time.Second, Settle: 100 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !r.Sound() || len(r.Rows) != 2 {
		t.Fatalf("%v: %+v\n%s", err, r, &text)
	}
	t.Log("\n" + text.String())
	for _, row := range r.Rows {
		run, plugins := row.Server, len(row.Plugins)
		if len(run.Processes) != 1+plugins || run.Records.Manifests != 2*plugins || run.GB == 0 || run.AnswerMS == nil || run.AnswerMS.Count == 0 {
			t.Errorf("%s: %+v", setName(row.Plugins), run)
		}
		for _, p := range run.Processes {
			if p.IdleRSS == 0 || p.EndRSS == 0 {
				t.Errorf("%s of %s: %+v", p.Name, setName(row.Plugins), p)
			}
		}
		if want := hasNginx() && plugins == 2; (row.Nginx != nil) != want || want && row.Nginx.Records.Bytes == 0 {
			t.Errorf("%s: nginx: %+v", setName(row.Plugins), row.Nginx)
		}
	}
}

func TestRecordOptions(t *testing.T) {
	t.Parallel()
	if _, err := Record(t.Context(), RecordOptions{Rows: [][]string{{"avi"}}}); !errors.Is(err, ErrOptions) {
		t.Errorf("an unknown plugin: %v", err)
	}
}

func TestReadRecords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"data/flv/a.flv":           "1234",
		"data/flv/a.json":          `{"plugin":"flv","session":"x","complete":true}`,
		"data/mp4/b/manifest.json": `{"plugin":"mp4","session":"x","gaps":[{"from":7,"to":9},{"from":20,"to":21}]}`,
		"data/mp4/b/index.json":    `{"segments":[]}`,
		"data/mp4/b/broken.json":   `{`,
		"state/hls/stream.json":    `{"plugin":"hls","session":"x"}`,
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	r, err := readRecords(dir)
	r.Bytes = 0
	if want := (Records{Manifests: 2, Incomplete: 1, Gaps: 2, Lost: 3}); err != nil || r != want {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := readRecords(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a folder that is not there was read")
	}
}

func TestProcessGrew(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for _, test := range []struct {
		name       string
		begin, end int64
		warned     bool
	}{
		{"heap still fills", 993 * mib, 1702 * mib, true},
		{"heap is full", 1650 * mib, 1702 * mib, false},
		{"little, though it doubled", 20 * mib, 40 * mib, false},
		{"shrank", 1702 * mib, 993 * mib, false},
	} {
		if text := (ProcessCost{Name: "server", BeginRSS: test.begin, EndRSS: test.end}).grew(); (text != "") != test.warned {
			t.Errorf("%s: %q", test.name, text)
		}
	}
}
