package hooks

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
)

// lockedBuffer is a writer that a test reads while others write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestCallLog: each call is a line without secrets.
func TestCallLog(t *testing.T) {
	t.Parallel()
	var out lockedBuffer
	r := start(t, `function on_publish(s) millrace.log.warn("seen", {name = s.name}) return s.params.room == "1", "no" end
		function on_close() error("x") end`, func(o *Options) { o.CallLog = &out })
	e := published("live", "cam", map[string]string{"room": "1", "Token": "SECRET1", "stream_key": "SECRET2"})
	e.Headers = map[string]string{"authorization": "Basic SECRET3", "cookie": "SECRET4", "referer": "http://u:SECRET5@h/?token=SECRET6&x=1"}
	e.TCURL = "rtmp://h/live?key=SECRET7&y=2"
	if v := ask(t, r, e); !v.Allow {
		t.Fatal(verdictText(v))
	}
	eventually(t, "a line", func() bool { return strings.Count(out.String(), "\n") == 1 })
	r.Notify(&event.Event{Event: event.Close})
	eventually(t, "two lines", func() bool { return strings.Count(out.String(), "\n") == 2 })
	if strings.Contains(out.String(), "SECRET") || e.Params["Token"] != "SECRET1" || e.Headers["cookie"] != "SECRET4" {
		t.Errorf("log %s, event %v", out.String(), e)
	}
	lines := strings.Split(out.String(), "\n")
	var rec CallRecord
	if err := json.Unmarshal([]byte(lines[0]), &rec); err != nil {
		t.Fatal(err)
	}
	if rec.Hook != event.Publish || !rec.Verdict.Allow || rec.Event.Params["room"] != "1" || len(rec.Log) != 1 ||
		rec.Log[0] != (LogLine{LevelWarn, "seen name=cam"}) || rec.Event.TCURL != "rtmp://h/live?key=***&y=2" {
		t.Errorf("record %+v", rec)
	}
	rec = CallRecord{}
	if err := json.Unmarshal([]byte(lines[1]), &rec); err != nil || rec.Hook != event.Close || rec.Verdict != nil || !strings.Contains(rec.Error, "on_close: x") {
		t.Errorf("record %+v, %v", rec, err)
	}
}

// TestReplay shows which verdicts would change, at the time of the log.
func TestReplay(t *testing.T) {
	t.Parallel()
	var out lockedBuffer
	r := start(t, `function on_play(v) return v.name ~= "c", "no" end function on_stop() end`, func(o *Options) { o.CallLog = &out })
	for _, name := range []string{"a", "b", "c"} {
		ask(t, r, event.Event{Event: event.Play, App: "live", Name: name, StreamID: "live/" + name, Params: map[string]string{"token": "x"}})
	}
	r.Notify(&event.Event{Event: event.Stop})
	eventually(t, "four lines", func() bool { return strings.Count(out.String(), "\n") == 4 })
	script := writeScript(t, `function on_play(v)
		assert(math.abs(millrace.time.now() - os.time()) < 2)
		if v.name == "b" then return {stream = "live/z"} end
		return true end`)
	var report bytes.Buffer
	n, err := Replay(&report, strings.NewReader(out.String()), Settings{Scripts: []string{script}})
	if err != nil {
		t.Fatal(err)
	}
	if n != (Replayed{Calls: 4, Same: 1, Changed: 2, Masked: 3, Skipped: 1}) {
		t.Errorf("%+v", n)
	}
	for _, want := range []string{
		`: on_play live/b: allow  ->  allow {"stream":"live/z"} (the log's secrets are masked)`,
		`: on_play live/c: deny "no"  ->  allow`,
	} {
		if !strings.Contains(report.String(), want) {
			t.Errorf("no %q in\n%s", want, report.String())
		}
	}
	if _, err := Replay(&report, strings.NewReader("x\n"), Settings{Scripts: []string{script}}); err == nil {
		t.Error("a log that is none was replayed")
	}
}

// TestShadow: compared and counted, not used; it cannot kick, and has a store
// of its own.
func TestShadow(t *testing.T) {
	t.Parallel()
	kicked := make(chan string, 10)
	r := start(t, `function on_play(v) millrace.store.set("x", 1) return v.name ~= "c", "no" end`, func(o *Options) {
		o.Shadow = []string{writeScript(t, `
			function on_play(v)
				millrace.kick("c1")
				assert(not millrace.store.get("x"))
				assert(v.name ~= "d")
				return v.name == "a", "no" end
			function on_connect() return false end`)}
		o.Kick = func(id, _ string) bool { kicked <- id; return true }
	})
	for name, allow := range map[string]bool{"a": true, "b": true, "c": false, "d": true} {
		if v := ask(t, r, event.Event{Event: event.Play, Name: name}); v.Allow != allow {
			t.Errorf("%s: %s", name, verdictText(v))
		}
	}
	if v := ask(t, r, event.Event{Event: event.Connect}); !v.Allow {
		t.Errorf("the shadow's hook was used: %s", verdictText(v))
	}
	eventually(t, "the shadow's counters", func() bool {
		s := r.Stats()
		return s.ShadowSame == 2 && s.ShadowDifferent == 2 && s.ShadowErrors == 1 && s.ShadowDropped == 0
	})
	if len(kicked) > 0 {
		t.Error("the shadow kicked")
	}
}

// TestRun prints what an operator wants to see.
func TestRun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := Settings{Scripts: []string{writeScript(t, `function on_publish(s)
		print("seen", s.name) millrace.kick("c1", "why") return false, "no" end`)}}
	e := published("live", "cam", nil)
	v, err := Run(&out, s, &e)
	if err != nil || v.Allow {
		t.Fatalf("%v, %v", v, err)
	}
	for _, want := range []string{"log      info: seen\tcam\n", "kick     c1 (why)\n", "verdict  deny \"no\"\n", "time     "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	for _, hook := range []string{event.Play, "on_nothing"} {
		if _, err := Run(&out, s, &event.Event{Event: hook}); err == nil {
			t.Errorf("%s was run", hook)
		}
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	now := benchClock
	s := newStore(func() time.Time { return now })
	for range 3 {
		if _, err := s.incr("window", 1, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if ok, err := s.set("once", "x", time.Minute, true); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, _ := s.set("once", "y", time.Minute, true); ok {
		t.Error("stored twice")
	}
	now = now.Add(59 * time.Second)
	if n, _ := s.incr("window", 1, time.Minute); n != 4 {
		t.Errorf("window has %v", n)
	}
	now = now.Add(time.Second)
	if n, _ := s.incr("window", 1, time.Minute); n != 1 || s.get("once") != nil {
		t.Errorf("window has %v after its end", n)
	}
	now = now.Add(time.Hour)
	s.sweep()
	if s.len() != 0 || s.bytes != 0 {
		t.Errorf("%d entries of %d bytes are left", s.len(), s.bytes)
	}
	text := strings.Repeat("x", maxStoreValue)
	for i := 0; ; i++ {
		if _, err := s.set(strings.Repeat("k", i%1000+1)+time.Duration(i).String(), text, 0, false); err != nil {
			break
		}
		if i > 2000 {
			t.Fatal("the store has no end")
		}
	}
	if s.bytes > maxStoreBytes {
		t.Errorf("%d bytes", s.bytes)
	}
}
