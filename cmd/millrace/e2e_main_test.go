// The end-to-end tests drive the built millrace binary with real peers:
// ffmpeg, rtmpdump, GStreamer, curl, Chromium, and with small strict clients
// of their own that share no code with the server.
package main_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/plugins/plugintest"
)

// patience bounds every wait for something that must happen; it is a limit
// for broken servers, not an expectation.
const patience = 45 * time.Second

// lifetime bounds a program that runs until its test ends: if the test binary
// is stopped, Pdeathsig ends it anyway.
const lifetime = 15 * time.Minute

// parallel is how many tests run at once: most of them wait for real time.
const parallel = "10"

// atOnce is how many subtests of a group run at once.
const atOnce = 4

// group runs subtests beside each other while what their parent has begun runs
// on. t.Parallel is for those of whom nothing waits: it puts a subtest behind
// every test that has not begun, for minutes in which the parent's publisher
// and crowd reach their limits.
type group struct {
	t      *testing.T
	places chan struct{}
	all    sync.WaitGroup
}

func together(t *testing.T) *group { return &group{t: t, places: make(chan struct{}, atOnce)} }

func (g *group) run(name string, test func(*testing.T)) {
	g.places <- struct{}{}
	g.all.Go(func() {
		defer func() { <-g.places }()
		g.t.Run(name, test)
	})
}

// wait is to be called before the parent ends.
func (g *group) wait() { g.all.Wait() }

// world is what all tests share.
var world struct {
	dir   string // removed at the end; every child has it in its command line or environment
	bin   string
	heavy chan struct{} // a place for a test that needs a core for itself
}

func TestMain(m *testing.M) {
	plugintest.Serve() // a server has started this program as its plugin
	flag.Parse()
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(world.dir)
	code := m.Run()
	if left := leftovers(); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "processes left behind: %v\n", left)
		return 1
	}
	return code
}

func prepare() error {
	if err := raiseParallel(); err != nil {
		return err
	}
	if err := needTools("ffmpeg", "ffprobe", "ffplay", "rtmpdump", "gst-launch-1.0", "curl", "jq", "chromium", "prlimit"); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "millrace-e2e-")
	if err != nil {
		return fmt.Errorf("make shared folder: %w", err)
	}
	world.dir = dir
	world.heavy = make(chan struct{}, 1)
	world.bin, err = buildServer(dir)
	return err
}

// raiseParallel lets more tests wait at once than there are cores, unless the
// command line says how many.
func raiseParallel() error {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return nil
	}
	return flag.Set("test.parallel", parallel)
}

func needTools(names ...string) error {
	var missing []string
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("end-to-end tests need %s: run make test, or install them", strings.Join(missing, ", "))
	}
	return nil
}

// buildServer builds the program beside this file and its plugins;
// MILLRACE_BIN names a ready one, with ready ones beside it, instead.
func buildServer(dir string) (string, error) {
	if bin := os.Getenv("MILLRACE_BIN"); bin != "" {
		return filepath.Abs(bin)
	}
	err := build(dir, ".", "../millrace-flv-recorder", "../millrace-fmp4", "../millrace-hls")
	return filepath.Join(dir, "millrace"), err
}

// build puts programs into a folder.
func build(dir string, packages ...string) error {
	args := []string{"build", "-o", dir + "/"}
	if raceEnabled {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, packages...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("build %v: %w\n%s", packages, err, out)
	}
	return nil
}

// long skips a test that takes a minute by itself, unless `make browsers` or
// `make long` asks for those.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("MILLRACE_TEST_LONG") == "" {
		t.Skip("a long test: make browsers, make long")
	}
}

// heavy waits for the place of a test that needs a core for itself, and gives
// it back at the end of the test. Tests with a browser, which need more, are not
// parallel at all: they run one after another, before the others.
func heavy(t *testing.T) {
	t.Helper()
	world.heavy <- struct{}{}
	t.Cleanup(func() { <-world.heavy })
}

// started lists the process groups of all peers.
var started struct {
	sync.Mutex
	groups []int
}

// leftovers finds what outlived the tests, and kills it.
func leftovers() []string {
	started.Lock()
	defer started.Unlock()
	var left []string
	for _, group := range started.groups {
		if groupGone(group) {
			continue
		}
		left = append(left, fmt.Sprintf("group %d", group))
		_ = syscall.Kill(-group, syscall.SIGKILL)
	}
	return append(left, ownProcesses()...)
}

// groupGone polls, because a killed process is there until init reaps it.
func groupGone(group int) bool {
	return poll(patience, func() bool { return errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) }) == nil
}

// ownProcesses finds and kills processes that name the shared folder in their
// command line, as all of Chromium's do, wherever they hide.
func ownProcesses() []string {
	var left []string
	if poll(patience, func() bool { left = namingShared(); return len(left) == 0 }) == nil {
		return nil
	}
	for _, file := range left {
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return left
}

func namingShared() []string {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	return slices.DeleteFunc(files, func(file string) bool {
		line, err := os.ReadFile(file)
		return err != nil || !bytes.Contains(line, []byte(world.dir))
	})
}
