package hooks

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
)

// writeScript writes a script into a folder of its own and returns its path.
func writeScript(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hook.lua")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// othersGrow is a limit of memory for calls that run beside other tests, whose
// growth is taken for theirs.
const othersGrow = 1 << 40

// start runs a runtime with one script until the test ends. What a call may take
// is meant for a busy machine; tests of limits set their own.
func start(t testing.TB, text string, change ...func(*Options)) *Runtime {
	t.Helper()
	o := Options{Logger: slog.New(slog.DiscardHandler)}
	o.Scripts = []string{writeScript(t, text)}
	if _, ok := t.(*testing.T); ok { // benchmarks are of what a server has
		o.Timeout, o.QueueTimeout, o.Memory = time.Minute, time.Minute, othersGrow
	}
	for _, f := range change {
		f(&o)
	}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// ask waits for the verdict on e, which must come.
func ask(t testing.TB, r *Runtime, e event.Event) Verdict {
	t.Helper()
	answer := make(chan Verdict, 2)
	r.Decide(&e, func(v Verdict) { answer <- v })
	select {
	case v := <-answer:
		return v
	case <-time.After(time.Minute):
		t.Fatalf("%s: no verdict", e.Event)
		panic("unreachable")
	}
}

func published(app, name string, params map[string]string) event.Event {
	return event.Event{
		Event: event.Publish, Time: time.Unix(1_700_000_000, 0), App: app, Name: name, StreamID: app + "/" + name,
		ClientID: "c1", Protocol: "rtmp", RemoteAddr: "10.0.0.1:1234", Params: params,
		TCURL: "rtmp://localhost/live", FlashVer: "FMLE/3.0 (compatible; FMSc/1.0)",
	}
}

// eventually polls until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: did not happen", what)
		}
	}
}
