package flvrecorder

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/plugintest"
	"github.com/millrace/millrace/plugins/record"
)

// A truncated file of others, which has neither room nor index, plays to its
// last frame and seeks after the repair; a second one changes nothing.
func TestRepairOfOthers(t *testing.T) {
	t.Parallel()
	source := makeClip(t, picture+sound+"-t 4 "+h264+aac+"-metadata title=hello")
	_, _, all := content(t, source)
	path := filepath.Join(t.TempDir(), "torn.flv")
	b := read(t, source)
	if err := os.WriteFile(path, b[:len(b)-1000], 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := Verify(path); err != nil || len(r.Problems) < 2 {
		t.Errorf("before: %v, %v", r.Problems, err)
	}
	done, err := Repair(path)
	if err != nil || !done.Rewritten || done.Cut == 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	checkRepaired(t, path, all[:done.Tags-3]) // metadata and two headers
	before := read(t, path)
	if done, err = Repair(path); err != nil || done.Rewritten || done.Cut != 0 || !bytes.Equal(read(t, path), before) {
		t.Errorf("again: %+v, %v", done, err)
	}
	ffmpeg(t, "ffmpeg", "-ss 2 -i "+path+" -t 1 -f null -")
}

func checkRepaired(t *testing.T, path string, want []written) {
	t.Helper()
	props, heads, tags := content(t, path)
	equal(t, "repaired", tags, want)
	if len(heads) != 2 || props.GetString("title") != "hello" || number(t, props, "duration") < 3 {
		t.Errorf("%d headers, %v", len(heads), props)
	}
	if r, err := Verify(path); err != nil || len(r.Problems) > 0 {
		t.Errorf("after: %v, %v", r.Problems, err)
	}
}

// A file of ours that a crash left, and that no recorder came back for, is
// repaired in place; its manifest keeps the old head and says what there is.
func TestRepairOfOurs(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	p := startTap(h)
	s := h.Attach(p, "live", "cam")
	gops := plugintest.GOPs(3, 0, 50)
	s.FeedFrames(gops...)
	path := files(t, h)[0]
	if _, err := Repair(path); !errors.Is(err, record.ErrLocked) {
		t.Errorf("while it grows: %v", err)
	}
	p.stream.kill()
	h.Crash(p)
	live := read(t, path)
	if err := os.WriteFile(path, append(bytes.Clone(live), 9, 0, 0, 9), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := Verify(path); err != nil || !slices.ContainsFunc(r.Problems, func(s string) bool { return strings.Contains(s, "no whole tag") }) {
		t.Errorf("before: %v, %v", r.Problems, err)
	}
	done, err := Repair(path)
	if err != nil || done.Rewritten || done.Cut != 4 {
		t.Fatalf("%+v, %v", done, err)
	}
	_, tags := allTags(t, h)
	equal(t, "repaired", tags, sourceTags(plugintest.Frames(gops...), 0))
	m := manifestOf(t, h)
	head, err := LiveHead(&m, m.Parts[0].File)
	if err != nil || len(head) == 0 || !bytes.Equal(append(head, read(t, path)[len(head):]...), live) {
		t.Errorf("the live version is lost, %v", err)
	}
	if sum, err := record.SHA256(path); err != nil || m.Parts[0].SHA256 != sum || m.Ended.IsZero() || m.Parts[0].Size != int64(len(live)) {
		t.Errorf("manifest %+v, %v", m, err)
	}
	if r, err := Verify(path); err != nil || len(r.Problems) > 0 {
		t.Errorf("after: %v, %v", r.Problems, err)
	}
}

func TestRepairRefuses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.flv")
	if _, err := Repair(path); err == nil {
		t.Error("repaired what is not there")
	}
	for _, content := range []string{"", "FLV", "this is no FLV file at all"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Repair(path); !errors.Is(err, ErrNotFLV) {
			t.Errorf("%q: %v", content, err)
		}
		if got := string(read(t, path)); got != content {
			t.Errorf("%q became %q", content, got)
		}
	}
}

// Whatever a file has instead of a head of ours, it is whole after the repair.
func TestRepairHeads(t *testing.T) {
	t.Parallel()
	key := plugintest.NALU(media.Keyframe, 0, 50)
	b := someTags()
	small := appendTag(bytes.Clone(b[:13]), media.Data, 0, metaOf(amf.ECMAArray{{Name: "width", Value: 64.0}}))
	for name, file := range map[string][]byte{
		"no tags": b[:13], "no metadata": b, "small metadata": appendTag(bytes.Clone(small), media.Video, 0, key.Payload()),
		"only metadata": small, "garbage in metadata": appendTag(appendTag(bytes.Clone(b[:13]), media.Data, 0, []byte("garbage")), media.Video, 0, key.Payload()),
	} {
		path := filepath.Join(t.TempDir(), "a.flv")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Repair(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if wrong, err := inspect(path, true); err != nil || len(wrong) > 0 {
			t.Errorf("%s: %v, %v", name, wrong, err)
		}
	}
}

// Verify finds what is wrong inside.
func TestVerify(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	r := start(h)
	s := h.Attach(r, "live", "cam")
	s.FeedFrames(plugintest.GOPs(2, 0, 50)...)
	s.End()
	h.Stop(r)
	good := read(t, files(t, h)[0])
	for name, c := range map[string]struct {
		change func(b []byte) []byte
		says   string
	}{
		"torn":      {func(b []byte) []byte { return b[:len(b)-1] }, "no whole tag"},
		"moved":     {func(b []byte) []byte { return bytes.Replace(b, []byte("filesize"), []byte("fileSize"), 1) }, "says that it has 0 bytes"},
		"short":     {func(b []byte) []byte { return bytes.Replace(b, []byte("duration"), []byte("duratio_"), 1) }, "says that it lasts 0.000 s"},
		"no table":  {func(b []byte) []byte { return bytes.Replace(b, []byte("keyframes"), []byte("keyframe_"), 1) }, "no seek table"},
		"no header": {func(b []byte) []byte { return bytes.Replace(b, []byte("onMetaData"), []byte("onMetaDat_"), 1) }, "has no onMetaData"},
	} {
		path := filepath.Join(t.TempDir(), "a.flv")
		if err := os.WriteFile(path, c.change(bytes.Clone(good)), 0o600); err != nil {
			t.Fatal(err)
		}
		report, err := Verify(path)
		if err != nil || !strings.Contains(strings.Join(report.Problems, "\n"), c.says) {
			t.Errorf("%s: %q, %v", name, report.Problems, err)
		}
	}
}
