package core_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// module is the path of this module; the tables below leave it out.
const module = "github.com/millrace/millrace/"

// The three tables say which packages may import which. A pattern is a path from the
// root of the module; "x/..." is x and everything below it. Packages that do not exist
// are not missed, and a package in no table is held by the rules that name its folder.

// arrows: a package that a row names imports, of ours, only what the row allows.
// Imports point down only.
var arrows = []struct {
	from string
	to   []string
}{
	{"conf/...", nil},
	{"hooks/...", []string{"hooks/...", "core/event"}},
	{"plugins/proto/...", []string{"plugins/proto/..."}},
	{"plugins/sdk/...", []string{"plugins/sdk/...", "plugins/proto/...", "core/flv", "core/amf", "core/media", "core/event"}},
	{"plugins/host/...", []string{"plugins/host/...", "plugins/sdk/...", "plugins/proto/...", "core/media", "core/event"}},

	{"core/media", nil},
	{"core/event", []string{"core/media"}},
	{"core/amf", []string{"core/media"}},
	{"core/flv", []string{"core/amf", "core/media"}},
	{"core/codec", []string{"core/media"}},
	{"core/proxyproto", nil},
	{"core/secure", nil},
	{"core/certificate", nil},
	{"core/object", nil},
	{"core/manifest", nil},
	{"core/rtmp/...", []string{"core/rtmp/...", "core/flv", "core/amf", "core/media"}},
	{"core/httpflv", []string{"core/ws", "core/flv", "core/amf", "core/media"}}, // a request may ask for the upgrade
	{"core/ws", []string{"core/flv", "core/media"}},
	{"core/stream", []string{"core/media", "core/event"}},
}

// walls: what a row names never imports what the row forbids, ours or not.
var walls = []struct {
	from string
	to   []string
}{
	// core says what it needs in interfaces beside their use; cmd plugs the rest in.
	{"core/...", []string{"hooks/...", "plugins/...", "conf/...", "cmd/..."}},
	{"hooks/...", []string{"cmd/..."}},
	{"plugins/...", []string{"conf/...", "cmd/..."}},
	{"core/netloop/...", []string{"core", "core/web/...", "core/admin/..."}},

	// Parsers and the ring see bytes, never a socket.
	{"core/media", []string{"net", "github.com/panjf2000/gnet/..."}},
	{"core/event", []string{"net", "github.com/panjf2000/gnet/..."}},
	{"core/amf", []string{"net", "github.com/panjf2000/gnet/..."}},
	{"core/flv", []string{"net", "github.com/panjf2000/gnet/..."}},
	{"core/codec", []string{"net", "github.com/panjf2000/gnet/..."}},
	{"core/rtmp/...", []string{"net", "github.com/panjf2000/gnet/..."}},
	{"core/httpflv", []string{"net", "github.com/panjf2000/gnet/..."}},
	{"core/ws", []string{"net", "github.com/panjf2000/gnet/..."}},
	{"core/stream", []string{"net", "github.com/panjf2000/gnet/..."}},
}

// owners: only these import the library.
var owners = []struct {
	library string
	by      []string
}{
	{"github.com/panjf2000/gnet/...", []string{"core/netloop/..."}},
	{"github.com/BurntSushi/toml/...", []string{"conf/..."}},
	{"github.com/yuin/gopher-lua/...", []string{"hooks/..."}},
	{"github.com/hashicorp/go-plugin/...", []string{"plugins/proto/...", "plugins/sdk/...", "plugins/host/...", "plugins/plugintest/..."}},
	{"google.golang.org/grpc/...", []string{"plugins/proto/...", "plugins/sdk/...", "plugins/host/...", "plugins/plugintest/..."}},
	// Every other package takes its own Options.
	{"conf/...", []string{"conf/...", "cmd/..."}},
}

func TestArrows(t *testing.T) {
	t.Parallel()
	packages := importsOf(t)
	if len(packages) == 0 {
		t.Fatal("go list found no packages")
	}
	for _, broken := range check(packages) {
		t.Error(broken)
	}
}

// TestArrowsFindBreaches shows that the tables have teeth.
func TestArrowsFindBreaches(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, from, to string
		broken         bool
	}{
		{"down", "core/rtmp", "core/flv", false},
		{"down within a folder", "core/rtmp", "core/rtmp/chunk", false},
		{"up", "core/flv", "core/rtmp", true},
		{"sideways", "core/stream", "core/flv", true},
		{"core to conf", "core", "conf", true},
		{"core to hooks", "core/web", "hooks", true},
		{"a program to conf", "cmd/millrace", "conf", false},
		{"conf to ours", "conf", "core/media", true},
		{"plugins to conf", "plugins/hls", "conf", true},
		{"a parser to net", "core/rtmp/chunk", "net", true},
		{"a parser to net/netip", "core/rtmp/chunk", "net/netip", false},
		{"gnet in netloop", "core/netloop", "github.com/panjf2000/gnet/v2", false},
		{"gnet elsewhere", "core/web", "github.com/panjf2000/gnet/v2/pkg/errors", true},
		{"toml in conf", "conf", "github.com/BurntSushi/toml", false},
		{"toml elsewhere", "cmd/millrace", "github.com/BurntSushi/toml", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			broken := check(map[string][]string{tt.from: {tt.to}})
			if got := len(broken) > 0; got != tt.broken {
				t.Errorf("%s → %s: %q, want broken = %v", tt.from, tt.to, broken, tt.broken)
			}
		})
	}
}

// importsOf returns the imports of each package of the module, tests left out, as
// `go list` has them. Direct imports are enough: each package of ours is in the list, so
// a longer way to a forbidden package has a forbidden step.
func importsOf(t *testing.T) map[string][]string {
	t.Helper()
	// -e: a package that does not compile, or whose embedded files are not built yet, is
	// for other tests to complain about.
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports", module+"...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	packages := map[string][]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatalf("decode the output of go list: %v", err)
		}
		for _, to := range p.Imports {
			packages[shorten(p.ImportPath)] = append(packages[shorten(p.ImportPath)], shorten(to))
		}
	}
}

// check returns a line for each import that a table does not allow.
func check(packages map[string][]string) []string {
	var broken []string
	for _, from := range slices.Sorted(maps.Keys(packages)) {
		for _, to := range packages[from] {
			for _, reason := range reasonsAgainst(from, to) {
				broken = append(broken, fmt.Sprintf("%s imports %s: %s", from, to, reason))
			}
		}
	}
	return broken
}

func reasonsAgainst(from, to string) []string {
	var reasons []string
	for _, a := range arrows {
		if matches(a.from, from) && isOurs(to) && !matchesAny(a.to, to) {
			reasons = append(reasons, fmt.Sprintf("of this module it may import only %q", a.to))
		}
	}
	for _, w := range walls {
		if matches(w.from, from) && matchesAny(w.to, to) {
			reasons = append(reasons, fmt.Sprintf("%s imports none of %q", w.from, w.to))
		}
	}
	for _, o := range owners {
		if matches(o.library, to) && !matchesAny(o.by, from) {
			reasons = append(reasons, fmt.Sprintf("only %q may", o.by))
		}
	}
	return reasons
}

// matches tells whether path is what pattern names.
func matches(pattern, path string) bool {
	folder, below := strings.CutSuffix(pattern, "/...")
	return path == folder || below && strings.HasPrefix(path, folder+"/")
}

func matchesAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, path) })
}

// isOurs tells packages of the module, in their short form, from all others.
func isOurs(path string) bool {
	return matchesAny([]string{"cmd/...", "conf/...", "core/...", "hooks/...", "plugins/..."}, path)
}

// shorten takes the module's path off.
func shorten(path string) string { return strings.TrimPrefix(path, module) }
