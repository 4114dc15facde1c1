package record

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	sum := func(dir, name string) string {
		s, err := SHA256(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, c := range []struct {
		name     string
		change   func(dir string, m *Manifest)
		complete bool
		says     string
	}{
		{"whole", func(_ string, m *Manifest) {
			m.Parts[1].FromSeq, m.Gaps = 10, nil
		}, true, "live/cam 01J: complete from frame 1 to 19, 900ms, 2 parts, 7 bytes"},
		{"away", func(_ string, m *Manifest) {
			m.Parts[1].FromSeq, m.Gaps[0].To = 10, 10
		}, true, "note: 0.500 s before frame 10"},
		{"sums", func(dir string, m *Manifest) {
			m.Parts[1].FromSeq, m.Gaps = 10, nil
			m.Parts[0].SHA256, m.Parts[1].SHA256 = sum(dir, "a.flv"), sum(dir, "a_p2.flv")
		}, true, "complete from"},
		{"gap", func(string, *Manifest) {}, false, "missing: frames 10 to 11 (0.500 s)"},
		{"gap in two", func(_ string, m *Manifest) {
			m.Gaps = []Gap{{From: 10, To: 11}, {From: 11, To: 12}}
		}, false, "not complete from"},
		{"unexplained", func(_ string, m *Manifest) { m.Gaps = nil }, false, "wrong: frames 10 to 11 are missing between a.flv and a_p2.flv"},
		{"half explained", func(_ string, m *Manifest) { m.Gaps[0].From = 11 }, false, "wrong: frames 10 to 11 are missing"},
		{"repeated", func(_ string, m *Manifest) { m.Parts[1].FromSeq = 8 }, false, "wrong: a_p2.flv repeats frames 8 to 9 of a.flv"},
		{"gone", func(dir string, _ *Manifest) { _ = os.Remove(filepath.Join(dir, "a.flv")) }, false, "wrong: a.flv is gone"},
		{"short", func(_ string, m *Manifest) { m.Parts[0].Size = 9 }, false, "wrong: a.flv has 3 bytes instead of 9"},
		{"other content", func(dir string, m *Manifest) { m.Parts[0].SHA256 = sum(dir, "a_p2.flv") }, false, "wrong: a.flv has other content"},
		{"growing", func(_ string, m *Manifest) {
			m.Complete, m.Parts[0].Size = false, 1
			m.Ended = Manifest{}.Ended
		}, false, "still growing"},
		{"end not known", func(_ string, m *Manifest) {
			m.Parts[1].FromSeq, m.Gaps, m.Final = 10, nil, false
		}, false, ": whole from frame 1 to 19, 900ms, 2 parts, 7 bytes; the session's end is not recorded"},
		{"beside each other", func(_ string, m *Manifest) {
			m.Parts[0].Tracks, m.Parts[1].Tracks, m.Gaps = "video", "audio", nil
		}, true, "complete from frame 1 to 19"},
		{"empty", func(_ string, m *Manifest) { m.Parts, m.Gaps = nil, nil }, true, "complete and empty"},
		{"crashed in its first part", func(_ string, m *Manifest) {
			m.Complete, m.Ended, m.Gaps = false, Manifest{}.Ended, nil
			m.Parts = m.Parts[:1]
			m.Parts[0].ToSeq = 0
		}, false, "not complete and not counted by frames"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "a.flv", "abc")
			write(t, dir, "a_p2.flv", "abcd")
			m := clone(t)
			c.change(dir, &m)
			save(t, m, filepath.Join(dir, "a.flv.json"))
			r, err := Verify(filepath.Join(dir, "a.flv.json"))
			if err != nil {
				t.Fatal(err)
			}
			if r.Complete() != c.complete || !strings.Contains(r.String(), c.says) {
				t.Errorf("complete %t:\n%s", r.Complete(), r.String())
			}
		})
	}
}

func TestVerifyWithoutManifest(t *testing.T) {
	t.Parallel()
	if _, err := Verify(t.TempDir()); err == nil {
		t.Error("an empty folder is a record")
	}
}
