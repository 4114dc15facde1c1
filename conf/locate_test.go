package conf

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLocate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f.toml")
	text := "[http]\nwww_dir = \"x\"\n\n[[tls]]\ncert = \"a\"\nkey = \"b\"\n[[tls]]\ncert = \"c\"\nkey = \"d\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path, key string
		element   int
		file      string
		line      int
	}{
		{path, "http.www_dir", -1, path, 2},
		{path, "tls", 1, path, 7},
		{path, "log.level", -1, environment, 0},
		{path, "log.format", -1, defaults, 0},
		{"", "tls", 0, defaults, 0},
		{path + ".gone", "tls", 0, path + ".gone", 0},
	} {
		file, line := Locate(tt.path, []string{"MILLRACE_LOG_LEVEL=warn"}, tt.key, tt.element)
		if file != tt.file || line != tt.line {
			t.Errorf("%s: %s:%d", tt.key, file, line)
		}
	}
}
