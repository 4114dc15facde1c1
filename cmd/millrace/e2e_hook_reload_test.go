package main_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestHookSpins has scripts that never come to an end: who called is refused
// at the deadline, and who watches loses nothing.
func TestHookSpins(t *testing.T) {
	t.Parallel()
	srv := startHooked(t, `
function on_play(v)
  if v.name == "spin" then while true do end end
  if v.name == "grow" then local s = "x" while true do s = s .. s end end
  if v.name == "recurse" then local function f() return 1 + f() end return f() end
  return true
end`, conf{"hooks.timeout": `"200ms"`})
	srv.feed(t, "live/x", sourceTags(t, "av"))
	srv.waitStream(t, "live/x")
	watching := srv.capturing(t, "http-flv", "live/x", 6*time.Second)
	var all sync.WaitGroup
	for _, name := range []string{"spin", "grow", "recurse"} {
		for _, protocol := range protocols {
			all.Go(func() { srv.refusedWatch(t, "live/"+name, protocol) })
		}
	}
	all.Wait()
	<-watching.done
	if o := checkOrder(t, watching.tags); o.video < 100 || o.widest > 200 {
		t.Errorf("the viewer got %d frames, with a gap of %d ms", o.video, o.widest)
	}
	if n := srv.stream(t, "live/x").DroppedFrames; n != 0 {
		t.Errorf("%d frames were dropped", n)
	}
}

// TestHookReload saves the script again and again while viewers come: each gets
// a verdict of one whole version. A broken one changes nothing, and is told of.
func TestHookReload(t *testing.T) {
	t.Parallel()
	version := func(n int) string {
		return fmt.Sprintf("local a, b = %d, function() return %d end\nfunction on_play(v)\n  if a ~= b() then return false, 'half' end\n  return true\nend\n", n, n)
	}
	srv := startHooked(t, version(0), nil)
	srv.quiet = false // a broken script is an error
	srv.feed(t, "live/x", sourceTags(t, "av"))
	srv.waitStream(t, "live/x")
	stays := srv.watch(t, "http-flv", "live/x", nil)
	stop := make(chan struct{})
	var joins, failed atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				v, err := srv.tryWatch("http-flv", "live/x", nil)
				if err != nil {
					failed.Add(1)
					t.Errorf("a viewer is refused: %v", err)
					return
				}
				joins.Add(1)
				v.Close()
			}
		})
	}
	for n := range 50 {
		writeFile(t, srv.script, version(n+1))
		if status, body := srv.adminCall(t, http.MethodPost, "/api/v1/hooks/reload"); status != http.StatusOK {
			t.Errorf("reload: %d %s", status, body)
		}
	}
	close(stop)
	all.Wait()
	if joins.Load() < 20 {
		t.Errorf("%d viewers came", joins.Load())
	}
	nextThat(t, stays, "a keyframe", tag.isKeyframe)

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
