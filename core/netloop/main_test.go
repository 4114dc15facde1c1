package netloop

import (
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain runs the tests, then wants every goroutine gone and every
// descriptor closed.
func TestMain(m *testing.M) {
	if os.Getenv(fewDescriptors) != "" {
		os.Exit(m.Run()) // the child of TestOutOfDescriptors
	}
	warmUp()
	before := descriptors()
	code := m.Run()
	if code == 0 {
		code = leftovers(before)
	}
	os.Exit(code)
}

// warmUp has the runtime open what it keeps for good: its poller.
func warmUp() {
	if ln, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		ln.Close()
	}
}

func leftovers(before int) int {
	// gnet's pool of goroutines is global and lets its workers idle.
	err := goleak.Find(
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).purgeStaleWorkers"),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).ticktock"),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*goWorker).run.func1"),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, "goroutines are left:", err)
		return 1
	}
	after := descriptors()
	for deadline := time.Now().Add(patience); after > before && time.Now().Before(deadline); after = descriptors() {
		time.Sleep(10 * time.Millisecond)
	}
	if after > before {
		fmt.Fprintf(os.Stderr, "%d descriptors are open, %d were at the start: %v\n", after, before, openFiles())
		return 1
	}
	return 0
}

// descriptors is how many the process has open.
func descriptors() int {
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(all)
}

func openFiles() (names []string) {
	all, _ := os.ReadDir("/proc/self/fd")
	for _, f := range all {
		name, _ := os.Readlink("/proc/self/fd/" + f.Name())
		names = append(names, name)
	}
	return names
}
