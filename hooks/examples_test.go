package hooks

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// TestExamples runs the cases beside the examples, as `millrace hook test` does:
// with its limit of memory, and so not beside tests that grow.
func TestExamples(t *testing.T) {
	const dir = "../examples/hooks"
	var out bytes.Buffer
	passed, failed, err := Test(&out, dir)
	if err != nil || failed > 0 || passed == 0 {
		t.Errorf("%d passed, %d failed, %v\n%s", passed, failed, err, out.String())
	}
	scripts, err := filepath.Glob(dir + "/*.lua")
	if err != nil || len(scripts) < 12 {
		t.Errorf("%d examples, %v", len(scripts), err)
	}
	for _, s := range scripts {
		if !strings.Contains(out.String(), strings.TrimSuffix(s, ".lua")+".txtar: ") {
			t.Errorf("%s has no cases", s)
		}
	}
	if err := Check([]string{dir}); err != nil {
		t.Error(err)
	}
}
