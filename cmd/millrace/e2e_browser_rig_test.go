package main_test

import (
	"maps"
	"path/filepath"
	"testing"
)

// startRecorders runs a server with the recorders named, and further
// configuration. They write to a folder of their own.
func startRecorders(t *testing.T, overrides conf, names ...string) (*server, string) {
	t.Helper()
	dir := t.TempDir()
	c := conf{
		"server.data_dir": `"` + filepath.Join(dir, "data") + `"`, "server.state_dir": `"` + filepath.Join(dir, "state") + `"`,
		"record.timezone": `"UTC"`,
	}
	for _, name := range names {
		c["plugins."+name+".enabled"] = "true"
	}
	maps.Copy(c, overrides)
	s := startServer(t, c)
	eventually(t, "the recorders run", func() bool { return len(s.log.find(map[string]string{"msg": "plugin is running"})) >= len(names) })
	return s, filepath.Join(dir, "data")
}
