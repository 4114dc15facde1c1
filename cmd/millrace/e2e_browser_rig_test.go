package main_test

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// recorderPrograms builds the three recorders once, beside the server.
var recorderPrograms = sync.OnceValues(func() (string, error) {
	args := []string{"build", "-o", world.dir + "/"}
	if raceEnabled {
		args = append(args, "-race")
	}
	args = append(args, "../millrace-flv-recorder", "../millrace-fmp4", "../millrace-hls")
	out, err := exec.Command("go", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the recorders: %w\n%s", err, out)
	}
	return world.dir, nil
})

// startRecorders runs a server with the recorders named, and further
// configuration. They write to a folder of their own.
func startRecorders(t *testing.T, overrides conf, names ...string) (*server, string) {
	t.Helper()
	programs, err := recorderPrograms()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := conf{
		"server.data_dir": `"` + filepath.Join(dir, "data") + `"`, "server.state_dir": `"` + filepath.Join(dir, "state") + `"`,
		"record.timezone": `"UTC"`,
	}
	for _, name := range names {
		c["plugins."+name+".enabled"] = "true"
		c["plugins."+name+".command"] = `"` + filepath.Join(programs, programOf[name]) + `"`
	}
	maps.Copy(c, overrides)
	s := startServer(t, c)
	eventually(t, "the recorders run", func() bool { return len(s.log.find(map[string]string{"msg": "plugin is running"})) >= len(names) })
	return s, filepath.Join(dir, "data")
}
