package core_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wallClock are the files that may make a number of a time: it is shown, kept or signed
// there. What lies between two such numbers jumps with the machine's clock, and where it
// is a deadline, peers and plugins would be closed for that.
var wallClock = map[string]string{
	"core/web/datafile.go":         "the ETag of a file",
	"hooks/lib_rest.go":            "os.time and times of events, for scripts",
	"plugins/fmp4/note.go":         "when a fragment was, on disk",
	"plugins/fmp4/box/fragment.go": "prft",
}

// TestClockJumps holds that a machine whose clock is set does not notice: time is measured by
// what time.Now and time.Since have of the monotonic clock, which is lost in a number.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for _, folder := range []string{"cmd/millrace", "conf", "core", "hooks", "plugins"} {
		err := filepath.WalkDir(filepath.Join("..", folder), func(path string, d fs.DirEntry, err error) error {
			switch name := d.Name(); {
			case err != nil:
				return err
			case d.IsDir() && (name == "node_modules" || name == "bench"):
				return filepath.SkipDir
			case !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".pb.go"):
				return nil
			}
			file := filepath.ToSlash(strings.TrimPrefix(path, "../"))
			for _, place := range numbersOfTimes(t, path) {
				if found[file] = true; wallClock[file] == "" {
					t.Errorf("%s: a number made of a time; measure by time.Since", place)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for file := range wallClock {
		if !found[file] {
			t.Errorf("%s makes no number of a time any more", file)
		}
	}
}

// numbersOfTimes finds the calls that lose the monotonic clock.
func numbersOfTimes(t *testing.T, path string) (places []string) {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		of, ok := call.Fun.(*ast.SelectorExpr)
		if ok && len(call.Args) == 0 && slices.Contains([]string{"Unix", "UnixMilli", "UnixMicro", "UnixNano"}, of.Sel.Name) {
			places = append(places, set.Position(call.Pos()).String())
		}
		return true
	})
	return places
}
