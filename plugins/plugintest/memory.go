package plugintest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/millrace/millrace/plugins/record"
)

// memoryDir is a file system without a disk.
const memoryDir = "/dev/shm"

// InMemory runs the tests of a package with their temporary folders in memory,
// where there is room. A recorder waits for the disk at each manifest; hundreds
// of recordings side by side, beside the tests of other packages, wait minutes
// for it, and a process that is killed loses no more on a disk than here. It is
// for TestMain: os.Exit(plugintest.InMemory(m)).
func InMemory(m *testing.M) int {
	free, err := record.Free(memoryDir)
	if err != nil || free < 1<<30 || strings.HasPrefix(os.TempDir(), memoryDir) { // the last: a child of such a test
		return m.Run()
	}
	dir, err := os.MkdirTemp(memoryDir, "mr-")
	if err != nil {
		return m.Run()
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv("TMPDIR", dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
