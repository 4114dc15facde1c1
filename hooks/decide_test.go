package hooks

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
)

// decisions are results of hooks and what they come to; the table also seeds
// the fuzzing of results.
var decisions = []struct {
	name, hook, result string // what the hook returns
	want               string // a verdict as test cases write it
}{
	{"true", event.Publish, `true`, `allow`},
	{"false", event.Publish, `false`, `deny`},
	{"false with a reason", event.Publish, `false, "no"`, `deny "no"`},
	{"an empty table", event.Publish, `{}`, `allow`},
	{"a table that refuses", event.Publish, `{allow = false, reason = "no"}`, `deny "no"`},
	{"all keys of on_publish", event.Publish,
		`{app = "a/b", name = "n", record = {flv = true, hls = false}, max_bitrate = 4e6, max_duration = 90.5, labels = {k = "v"}}`,
		`allow {"app":"a/b","name":"n","record":{"flv":true,"hls":false},"max_bitrate":4000000,"max_duration":90.5,"labels":{"k":"v"}}`},
	{"on_connect", event.Connect, `{limits = {rate = "512k", max_bitrate = 1e6, idle_timeout = 5, max_duration = 60}}`,
		`allow {"limits":{"rate":524288,"max_bitrate":1000000,"idle_timeout":5,"max_duration":60}}`},
	{"on_play", event.Play, `{redirect = "rtmp://h/a/b", limit = 60, rate = 65536, stream = "a/b"}`,
		`allow {"redirect":"rtmp://h/a/b","limit":60,"rate":65536,"stream":"a/b"}`},
	{"on_request", event.Request, `{headers = {["X-A"] = "b"}, rate = "1m", redirect = "/x"}`,
		`allow {"headers":{"X-A":"b"},"rate":1048576,"redirect":"/x"}`},
	{"on_record", event.Record, `{path = "%app/%name_%part"}`, `allow {"path":"live/cam_1"}`},
	{"on_record, a string", event.Record, `"x/%%"`, `allow {"path":"x/%"}`},
	{"on_record, nothing", event.Record, `nil`, `allow`},
	{"on_record, false", event.Record, `false, "not this one"`, `allow {"skip":true,"reason":"not this one"}`},
	{"labels of the event", event.Publish, `{labels = s.labels}`, `allow {"labels":{"tenant":"acme"}}`},

	{"nothing", event.Publish, ``, `error "hook.lua:2: on_publish: it returned nothing"`},
	{"a number", event.Publish, `1`, `error "hook.lua:2: on_publish: it returned a number"`},
	{"a reason that is none", event.Publish, `false, 7`, `error "must be a string, not a number"`},
	{"an unknown key", event.Publish, "{\n\n recrod = {}}", `error "hook.lua:5: on_publish: key \"recrod\": there is no such key in a result of on_publish (\"record\" was meant?)"`},
	{"a key of another hook", event.Play, `{record = {}}`, `error "key \"record\": there is no such key in a result of on_play"`},
	{"a list", event.Publish, `{"x"}`, `error "key \"1\": there is no such key"`},
	{"a wrong type", event.Publish, `{name = 7}`, `error "hook.lua:3: on_publish: key \"name\": it must be a string, not a number"`},
	{"an empty name", event.Publish, `{name = ""}`, `error "it is empty"`},
	{"a wrong type inside", event.Publish, `{record = {flv = "yes"}}`, `error "key \"record\": flv: it must be true or false, not a string"`},
	{"not a number", event.Publish, `{max_bitrate = 0/0}`, `error "it must be a number from 0"`},
	{"a negative duration", event.Publish, `{max_duration = -1}`, `error "a number of seconds"`},
	{"an endless duration", event.Publish, `{max_duration = math.huge}`, `error "a number of seconds"`},
	{"an unknown limit", event.Connect, `{limits = {bitrate = 1}}`, `error "there is no such limit"`},
	{"a rate that is none", event.Play, `{rate = "fast"}`, `error "bytes a second"`},
	{"a stream without an app", event.Play, `{stream = "cam"}`, `error "APP/NAME"`},
	{"a header with a line break", event.Request, `{headers = {a = "b\r\nc: d"}}`, `error "control characters"`},
	{"a header that is none", event.Request, `{headers = {["a b"] = "c"}}`, `error "is no name of a header"`},
	{"a long reason", event.Publish, `false, ("x"):rep(5000)`, `error "longer than"`},
	{"a wrong directive", event.Record, `{path = "%q"}`, `error "%q is no directive"`},
	{"an error", event.Publish, `error("boom")`, `error "hook.lua:3: on_publish: boom"`},
	{"an error with a table", event.Publish, `error({message = "boom"})`, `error "boom"`},
	{"nil is indexed", event.Publish, `s.nothing.x`, `error "hook.lua:3: on_publish: attempt to index a non-table object(nil)"`},
	{"nil is joined", event.Publish, `"a" .. s.nothing`, `error "hook.lua:3: on_publish: attempt to concatenate a nil value"`},
}

func decisionScript(hook, result string) string {
	return "\nfunction " + hook + "(s)\n return " + result + "\nend"
}

func TestDecisions(t *testing.T) {
	t.Parallel()
	for _, tt := range decisions {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want, err := parseWanted(tt.want)
			if err != nil {
				t.Fatal(err)
			}
			r := start(t, decisionScript(tt.hook, tt.result))
			v := ask(t, r, event.Event{Event: tt.hook, App: "live", Name: "cam", Labels: map[string]string{"tenant": "acme"}})
			if !want.matches(outcome{verdict: v, err: v.Err}) {
				t.Errorf("got %s, want %s", verdictText(v), want)
			}
		})
	}
}

// TestChain: scripts run by name, each sees what those before it changed, and
// the first refusal wins.
func TestChain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"10_rename.lua": `function on_publish(s) return {name = s.name .. "-x", labels = {a = "1", b = "1"}} end`,
		"20_check.lua": `function on_publish(s)
			if s.name ~= "cam-x" or s.stream_id ~= "live/cam-x" or s.labels.a ~= "1" then return false, "saw " .. s.name end
			if s.params.stop then return false, "stopped" end
			return {labels = {b = "2"}, record = {flv = true}} end`,
		"30_last.lua": `function on_publish(s) assert(not s.params.stop, "runs after a refusal") return {record = {hls = false}} end
			function on_play() return true end`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := start(t, ``, func(o *Options) { o.Scripts = []string{dir} })
	got := verdictText(ask(t, r, published("live", "cam", nil)))
	if want := `allow {"labels":{"a":"1","b":"2"},"name":"cam-x","record":{"flv":true,"hls":false}}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := verdictText(ask(t, r, published("live", "cam", map[string]string{"stop": "1"}))); !strings.HasPrefix(got, `deny {`) || !strings.Contains(got, "stopped") {
		t.Errorf("got %s", got)
	}
	if !r.Has(event.Play) || r.Has(event.Connect) {
		t.Error("Has does not know the hooks")
	}
}

// TestOnError: what holds when there is no verdict.
func TestOnError(t *testing.T) {
	t.Parallel()
	r := start(t, `
		function on_publish() error("x") end
		function on_play() error("x") end
		function on_record() error("x") end`, func(o *Options) {
		o.OnErrorFor = map[string]string{event.Play: Allow}
	})
	for hook, allow := range map[string]bool{event.Publish: false, event.Play: true, event.Record: true} {
		v := ask(t, r, event.Event{Event: hook, App: "live", Name: "cam"})
		if v.Allow != allow || v.Err == nil || v.Path != "" || strings.Contains(v.Reason, "x:") {
			t.Errorf("%s: %s", hook, verdictText(v))
		}
	}
	if s := r.Status(); s.CallError == nil || s.CallError.Line == 0 || s.CallError.File == "" {
		t.Errorf("status %+v", s.CallError)
	}
	if _, err := New(Options{Settings: Settings{OnErrorFor: map[string]string{event.Close: Deny}}}); err == nil {
		t.Error("on_error of a notice was taken")
	}
}

// waitScript has calls that go on until the store says that it is enough.
const waitScript = `
function on_play() while not millrace.store.get("enough") do end return true end
function on_stop() while not millrace.store.get("enough") do end end`

func enough(t *testing.T, r *Runtime) {
	t.Helper()
	if _, err := r.services.store.set("enough", true, 0, false); err != nil {
		t.Fatal(err)
	}
}

// TestOverload: a full queue, and a wait that is too long, are refusals.
func TestOverload(t *testing.T) {
	t.Parallel()
	const calls, queue = 20, 5
	r := start(t, waitScript, func(o *Options) {
		o.Queue, o.QueueTimeout, o.Workers = queue, 50*time.Millisecond, 1
	})
	answers := make(chan Verdict, calls)
	for range calls {
		r.Decide(&event.Event{Event: event.Play}, func(v Verdict) { answers <- v })
	}
	overloads := 0
	for i := range calls {
		if i == calls-1 {
			enough(t, r) // for the one that runs, if it did not come too late too
		}
		switch v := <-answers; {
		case !v.Allow && errors.Is(v.Err, ErrOverload):
			overloads++
		case !v.Allow || v.Err != nil || i < calls-1:
			t.Errorf("answer %d: %s, %v", i, verdictText(v), v.Err)
		}
	}
	if overloads < calls-1 {
		t.Errorf("%d overloads of %d calls", overloads, calls)
	}
	s := r.Stats()
	if len(s.Hooks) != 1 || s.Hooks[0].Overloads != uint64(overloads) || s.Hooks[0].Calls != uint64(calls-overloads) {
		t.Errorf("stats %+v", s)
	}
}

// TestClose: what waits is answered, once.
func TestClose(t *testing.T) {
	t.Parallel()
	r := start(t, `function on_play() while true do end end`, func(o *Options) { o.Workers, o.Timeout = 1, 100*time.Millisecond })
	var answers atomic.Int32
	var waiting sync.WaitGroup
	for range 50 {
		waiting.Add(1)
		r.Decide(&event.Event{Event: event.Play}, func(Verdict) { answers.Add(1); waiting.Done() })
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	waiting.Wait()
	v := ask(t, r, event.Event{Event: event.Play})
	if !errors.Is(v.Err, ErrClosed) || v.Allow || answers.Load() != 50 {
		t.Errorf("%d answers; then %s", answers.Load(), verdictText(v))
	}
	var none *Runtime
	if none.Has(event.Play) || none.Close() != nil {
		t.Error("a nil runtime has hooks")
	}
}

// TestDecideNow blocks, and ends with its context.
func TestDecideNow(t *testing.T) {
	t.Parallel()
	r := start(t, `function on_request(q) while q.path == "/slow" and not millrace.store.get("enough") do end return {rate = 1} end`)
	defer enough(t, r)
	if v := r.DecideNow(t.Context(), &event.Event{Event: event.Request, Path: "/"}); !v.Allow || v.Rate != 1 {
		t.Error(verdictText(v))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	v := r.DecideNow(ctx, &event.Event{Event: event.Request, Path: "/slow"})
	if v.Allow || !errors.Is(v.Err, context.DeadlineExceeded) {
		t.Error(verdictText(v))
	}
	if v := r.DecideNow(t.Context(), &event.Event{Event: event.Publish}); !v.Allow {
		t.Error(verdictText(v))
	}
}

// TestNotices: all scripts are told, in spite of errors, and on_tick comes.
func TestNotices(t *testing.T) {
	t.Parallel()
	var kicked sync.Map
	r := start(t, `
		function on_close(c) millrace.kick(c.client_id, tostring(c.bytes_in)) error("after") end
		function on_tick() for _, s in ipairs(millrace.streams()) do millrace.kick(s.stream_id, s.labels.k) end end`,
		func(o *Options) {
			o.Tick = time.Millisecond
			o.Kick = func(id, reason string) bool { kicked.Store(id, reason); return true }
			o.Streams = func() []event.Event {
				return []event.Event{{StreamID: "live/a", Labels: map[string]string{"k": "v"}}}
			}
		})
	r.Notify(&event.Event{Event: event.Close, ClientID: "c1", BytesIn: 7})
	eventually(t, "a notice and a tick", func() bool {
		a, okA := kicked.Load("c1")
		b, okB := kicked.Load("live/a")
		return okA && okB && a == "7" && b == "v"
	})
}

// TestNoticesAreBounded: those that find no room are dropped and counted.
func TestNoticesAreBounded(t *testing.T) {
	t.Parallel()
	r := start(t, waitScript, func(o *Options) { o.Queue, o.Workers = 2, 1 })
	for range 20 {
		r.Notify(&event.Event{Event: event.Stop})
	}
	if s := r.Stats(); len(s.Hooks) != 1 || s.Hooks[0].Dropped < 17 {
		t.Errorf("stats %+v", s.Hooks)
	}
	enough(t, r)
}
