package main_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestHookSpins has scripts that never come to an end: who called is refused
// at the deadline, who watches loses nothing, and memory comes back.
func TestHookSpins(t *testing.T) {
	t.Parallel()
	never, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { never.Close() })
	srv := startHooked(t, fmt.Sprintf(`
local rules = {
  spin = function() while true do end end,
  grow = function() local s = "x" while true do s = s .. s end end,
  fill = function() local t = {} while true do t[#t + 1] = {} end end,
  recurse = function() local function f() return 1 + f() end return f() end,
  sleep = function() while true do millrace.http.get("http://%s/", { timeout = 60 }) end end,
}
function on_play(v)
  if rules[v.name] then return rules[v.name]() end
  return true
end`, never.Addr()), conf{"hooks.timeout": `"1s"`, "hooks.http_allow": fmt.Sprintf("[%q]", never.Addr())})
	srv.feed(t, "live/x", sourceTags(t, "av"))
	srv.waitStream(t, "live/x")
	before := srv.resident(t)
	watching := srv.watch(t, "http-flv", "live/x", nil)
	var all sync.WaitGroup
	for _, name := range []string{"spin", "grow", "fill", "recurse", "sleep"} {
		for _, protocol := range protocols {
			all.Go(func() { srv.deniedWatch(t, protocol, "live/"+name, "the server's rules could not be applied") })
		}
	}
	ended := make(chan struct{})
	go func() { defer close(ended); all.Wait() }()
	t.Cleanup(func() { <-ended })
	var seen []tag
	nextThat(t, watching, "the end of all calls", func(g tag) bool {
		seen = append(seen, g)
		select {
		case <-ended:
			return true
		default:
			return false
		}
	})
	if o := checkOrder(t, seen); o.widest > 200 {
		t.Errorf("the viewer got %d frames, with a gap of %d ms", o.video, o.widest)
	}
	if n := srv.stream(t, "live/x").DroppedFrames; n != 0 {
		t.Errorf("%d frames were dropped", n)
	}
	eventually(t, "the memory is back", func() bool { return srv.resident(t) < before+64<<20 })
}

// halves is a script whose two parts must agree, and lie far apart.
func halves(n int) string {
	filler := strings.Repeat("-- between the parts of a file that is read while it is written\n", 200)
	return fmt.Sprintf(`first = %d
%sfunction on_play(v)
  if v.params.key ~= "good" then return false, "no key" end
  if first ~= last then return false, "half" end
  return true
end
%slast = %d
`, n, filler, filler, n)
}

// TestHookReload saves the script again and again while viewers come: each gets
// a verdict of one whole version, and no connection is dropped. The long form
// is a hundred versions under 2,000 joins a second.
func TestHookReload(t *testing.T) {
	t.Parallel()
	versions, rate := 20, 200
	if os.Getenv("MILLRACE_TEST_LONG") != "" {
		heavy(t)
		versions, rate = 100, 2000
	}
	srv := startHooked(t, halves(0), nil)
	srv.quiet = false // what is read while it is written is not taken, and is an error
	f := srv.feed(t, "live/x?key=good", sourceTags(t, "small"))
	srv.waitStream(t, "live/x")
	var stay []*capture
	for _, protocol := range protocols {
		stay = append(stay, srv.capturing(t, protocol, "live/x?key=good"))
	}
	j := srv.startJoiners(t, rate)
	for n := range versions {
		// Not by renaming: who reads it now may find half of it, or nothing.
		writeFile(t, srv.script, halves(n+1))
		if n%2 == 0 { // or else the watcher does
			if status, body := srv.adminCall(t, http.MethodPost, "/api/v1/hooks/reload"); status != http.StatusOK {
				t.Errorf("reload: %d %s", status, body)
			}
		}
		j.wait(t, rate/10)
	}
	j.stop()
	t.Logf("%d joins, %.0f a second, through %d versions", j.joins.Load(), float64(j.joins.Load())/time.Since(j.began).Seconds(), versions)
	if status, body := srv.adminCall(t, http.MethodPost, "/api/v1/hooks/reload"); status != http.StatusOK {
		t.Errorf("the last reload: %d %s", status, body)
	}
	if err := f.stopCleanly("x"); err != nil {
		t.Fatal(err)
	}
	for _, c := range stay {
		if o := checkOrder(t, c.end(t)); o.video == 0 {
			t.Errorf("who watches over %s got nothing", c.protocol)
		}
	}
}

// joiners ask to watch, with a key and without, at a rate.
type joiners struct {
	joins atomic.Int64
	began time.Time
	done  chan struct{}
	all   sync.WaitGroup
	once  sync.Once
}

// startJoiners has some ask on connections that stay, and some begin to watch.
func (h *hooked) startJoiners(t *testing.T, rate int) *joiners {
	t.Helper()
	j := &joiners{began: time.Now(), done: make(chan struct{})}
	const each = 8
	for i := range each {
		j.all.Go(func() {
			ask := h.headAsker(t)
			for n := 0; j.due(n*each+i, rate); n++ {
				if err := ask(n%2 == 0); err != nil {
					t.Errorf("join %d on one connection: %v", n, err)
					return
				}
				if n%5 == 0 {
					h.joinOnce(t)
				}
				j.joins.Add(1)
			}
		})
	}
	t.Cleanup(j.stop)
	return j
}

// due waits until the nth of all joins; false: no more.
func (j *joiners) due(n, rate int) bool {
	select {
	case <-j.done:
		return false
	case <-time.After(time.Until(j.began.Add(time.Duration(n) * time.Second / time.Duration(rate)))):
		return true
	}
}

// wait waits for n more joins.
func (j *joiners) wait(t *testing.T, n int) {
	t.Helper()
	want := j.joins.Load() + int64(n)
	eventually(t, "viewers come", func() bool { return t.Failed() || j.joins.Load() >= want })
}

func (j *joiners) stop() {
	j.once.Do(func() { close(j.done) })
	j.all.Wait()
}

// headAsker asks on one connection whether one may watch, with the key or
// without, and says what is wrong with the answer.
func (h *hooked) headAsker(t *testing.T) func(keyed bool) error {
	conn, err := dial(h.http[0], false)
	if err != nil {
		t.Error(err)
		return func(bool) error { return err }
	}
	t.Cleanup(func() { conn.Close() })
	r := bufio.NewReader(conn)
	return func(keyed bool) error {
		query, want := "", http.StatusForbidden
		if keyed { // who may watch learns that there is nothing, and the connection stays
			query, want = "&key=good", http.StatusNotFound
		}
		_, err := exchange(conn, r, "HEAD /live/none.flv?wait=0"+query+" HTTP/1.1\r\nHost: a\r\n\r\n", http.StatusOK)
		var answer refusedHTTP
		if errors.As(err, &answer) && answer.status == want {
			return nil
		}
		return fmt.Errorf("%v, want status %d", err, want)
	}
}

// joinOnce begins to watch, and leaves.
func (h *hooked) joinOnce(t *testing.T) {
	v, err := h.tryWatch("http-flv", "live/x?key=good", nil)
	if err != nil {
		t.Errorf("a viewer: %v", err)
		return
	}
	v.Close()
}

// TestHookBroken keeps the old script when the new one is wrong, and tells of
// it in API, log and metrics.
func TestHookBroken(t *testing.T) {
	t.Parallel()
	srv := startHooked(t, "function on_play(v) return true end", nil)
	srv.quiet = false // a broken script is an error
	srv.feed(t, "live/x", sourceTags(t, "av"))
	srv.waitStream(t, "live/x")
	writeFile(t, srv.script, "function on_play(v)\n  return tru(\nend\n")
	status, body := srv.adminCall(t, http.MethodPost, "/api/v1/hooks/reload")
	if file := filepath.Base(srv.script); status != http.StatusUnprocessableEntity || !strings.Contains(body, file+":") {
		t.Errorf("reload of a broken script: %d %s", status, body)
	}
	var hooks struct {
		LoadError *struct {
			File string
			Line int
		} `json:"load_error"`
		Scripts []struct{ Hooks []string }
	}
	srv.adminJSON(t, "/api/v1/hooks", &hooks)
	if hooks.LoadError == nil || hooks.LoadError.Line == 0 || !strings.HasSuffix(hooks.LoadError.File, "rules.lua") || len(hooks.Scripts) != 1 {
		t.Errorf("the API tells %+v", hooks)
	}
	eventually(t, "a log line with file and line", func() bool { return strings.Contains(srv.log.text(), "rules.lua:") })
	if srv.metric(t, "millrace_hook_reloads_failed_total") == 0 {
		t.Error("the metrics do not count it")
	}
	nextThat(t, srv.watch(t, "rtmp", "live/x", nil), "a keyframe by the old script", tag.isKeyframe)
}

// TestHookTick has a script look at the streams, and end some.
func TestHookTick(t *testing.T) {
	t.Parallel()
	srv := startHooked(t, `
function on_publish(s) return { labels = { user = s.params.user, private = s.params.private } } end
function on_tick()
  for _, s in ipairs(millrace.streams()) do
    if s.labels.user == "bad" and s.duration > 1 and s.bytes_in > 0 then millrace.kick(s.stream_id, "banned") end
  end
end`, conf{"hooks.tick": `"200ms"`, "stream.reconnect_grace": `"0s"`})
	good, bad := srv.feed(t, "live/x?user=ann", sourceTags(t, "av")), srv.feed(t, "live/y?user=bad", sourceTags(t, "av"))
	eventually(t, "one publisher is kicked", bad.isGone)
	if len(bad.said) == 0 || bad.said[len(bad.said)-1].description != "banned" {
		t.Errorf("the publisher was told %+v", bad.said)
	}
	if good.isGone() {
		t.Error("so was the other")
	}
	srv.feed(t, "live/hidden?private=true", sourceTags(t, "av"))
	srv.waitStreamThat(t, "live/hidden", "has video", func(i *streamInfo) bool { return i.Video.Codec != "" })
	if _, list := fetch(t, "http://"+srv.http[0]+"/streams.json"); !strings.Contains(list, `"x"`) || strings.Contains(list, "hidden") {
		t.Errorf("the list is %s", list)
	}
}
