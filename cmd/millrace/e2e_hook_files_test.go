package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestHookFiles has viewers of files decided about, counted, kicked, and told
// of at their end; ffmpeg plays what was rewritten.
func TestHookFiles(t *testing.T) {
	t.Parallel()
	srv := startHooked(t, `
function on_play(v)
  if v.params.token ~= "good" then return false, "no token" end
  return true
end
function on_stop(v) end
function on_request(q)
  if q.path == "/secret.html" then return false, "not for you" end
  return { headers = { ["X-Hook"] = q.protocol } }
end`, nil)
	dir := filepath.Join(srv.data, "hls/live/x/20260101_000000")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := source(t, "av")
	ffmpeg(t, "-i "+file+" -t 3 -c copy -f hls -hls_time 1 -hls_list_size 0 "+filepath.Join(dir, "index.m3u8"))
	root := "http://" + srv.http[0]
	at := root + "/hls/live/x/20260101_000000/index.m3u8"

	res := answer(t, http.MethodGet, at)
	wantStatus(t, res, http.StatusForbidden)
	wantStatus(t, answer(t, http.MethodGet, root+"/secret.html"), http.StatusForbidden)
	wantHeader(t, answer(t, http.MethodGet, root+"/"), "X-Hook", "http")

	got := decode(t, at+"?token=good", "va")
	got.succeed(t)
	if n := len(readSums(t, got.video)); n < 50 {
		t.Errorf("ffmpeg has decoded %d frames", n)
	}
	viewers := srv.clients(t, "player")
	if len(viewers) != 1 || viewers[0].Protocol != "hls" || viewers[0].Name != "x" || viewers[0].BytesOut == 0 {
		t.Fatalf("viewers: %+v", viewers)
	}
	if n := srv.metric(t, "millrace_viewers"); n != 1 {
		t.Errorf("%v viewers in the metrics", n)
	}
	_, first := fetch(t, at+"?token=good")
	next := regexp.MustCompile(`(?m)^index\.m3u8\?.*$`).FindString(first)
	_, second := fetch(t, root+"/hls/live/x/20260101_000000/"+next)
	segment := regexp.MustCompile(`(?m)^.*\.ts\?.*$`).FindString(second)
	if status, body := fetch(t, root+"/hls/live/x/20260101_000000/"+segment); status != http.StatusOK || len(body) < 188 || body[0] != 0x47 {
		t.Errorf("%q is answered with %d, %d bytes", segment, status, len(body))
	}
	plain, _, _ := strings.Cut(segment, "?")
	if status, _ := fetch(t, root+"/hls/live/x/20260101_000000/"+plain); status != http.StatusForbidden {
		t.Errorf("a segment without its id: %d", status)
	}
	for _, v := range srv.clients(t, "player") {
		if status, body := srv.adminCall(t, "DELETE", "/api/v1/clients/"+v.ID+"?reason=enough"); status != http.StatusNoContent {
			t.Errorf("kick: %d %s", status, body)
		}
	}
	srv.called(t, "on_stop", func(e map[string]any) bool {
		return e["reason"] == "enough" && e["protocol"] == "hls" && e["bytes_out"] != nil
	})
	if status, body := fetch(t, root+"/hls/live/x/20260101_000000/"+segment); status != http.StatusForbidden || !strings.Contains(body, "enough") {
		t.Errorf("after the kick: %d %s", status, body)
	}
	// Without rules, files are served as they are.
	writeFile(t, srv.script, "function on_connect(c) return true end")
	eventually(t, "the playlist as it is", func() bool {
		status, body := fetch(t, at)
		return status == http.StatusOK && !strings.Contains(body, "viewer=") && strings.Contains(body, "#EXTINF")
	})
}

// fetch gets a URL.
func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// TestHookFilesOverHTTP2 asks about the connection once, and about its files.
func TestHookFilesOverHTTP2(t *testing.T) {
	t.Parallel()
	srv := startHookedBy(t, startSecure, `
function on_connect(c)
  if c.user_agent == "bad" then return false, "not you" end
  return true
end
function on_request(q) return { headers = { ["X-Hook"] = q.remote_addr } } end`, nil)
	url := secureURL("https", srv.http[0], "/index.html")
	out := mustRun(t, "curl", "-ksS", "--http2", "-D", "-", "-o", os.DevNull, url, "-o", os.DevNull, url)
	if strings.Count(out, "HTTP/2 200") != 2 || strings.Count(strings.ToLower(out), "x-hook: 127.0.0.1:") != 2 {
		t.Errorf("the answers are %s", out)
	}
	out = mustRun(t, "curl", "-ksS", "--http2", "-A", "bad", "-w", "%{http_code}", url)
	if !strings.Contains(out, "not you") || !strings.Contains(out, "403") {
		t.Errorf("the answer is %s", out)
	}
	srv.called(t, "on_connect", func(e map[string]any) bool { return fmt.Sprint(e["user_agent"]) == "bad" })
	if n := srv.ran(t, "on_connect", anyEvent); n != 2 {
		t.Errorf("on_connect ran %d times", n)
	}
}

// TestHookChromium plays live HLS, parts and all, and recordings of each kind in
// a browser, through a gate that asks about each viewer once.
func TestHookChromium(t *testing.T) {
	srv := startHooked(t, `
function on_play(v) return { rate = "4m" } end
function on_stop(v) end`, withPlugin(t, "hls", "millrace-hls", nil))
	recordings(t, srv.data)
	srv.feed(t, "live/x", sourceTags(t, "av"))
	srv.waitStream(t, "live/x")
	eventually(t, "the playlist is there", func() bool {
		status, _ := fetch(t, "http://"+srv.http[0]+"/hls/live/x/index.m3u8")
		return status == http.StatusOK
	})
	for _, c := range []struct{ name, page, protocol string }{
		{"live", "?stream=live/x&via=hls", "hls"},
		{"mp4", "mp4.html?stream=live/cam", "mp4"},
		{"flv", "video.html?stream=live/cam", "flv"},
		{"hls", "play.html?url=/hls/live/cam/20261121_120000/index.m3u8", "hls"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := startChromium(t)
			before := srv.plays(t)
			if err := chromedp.Run(ctx, chromedp.Navigate("http://"+srv.http[0]+"/"+c.page), chromedp.WaitReady("#video")); err != nil {
				t.Fatalf("open the page: %v", err)
			}
			first := waitPicture(t, ctx, picture0)
			waitPicture(t, ctx, func(p pictureState) bool { return p.Time > first.Time+4 && p.Decoded > first.Decoded })
			if n := srv.plays(t) - before; n != 1 {
				t.Errorf("on_play ran %d times", n)
			}
			eventually(t, "there is a viewer over "+c.protocol, func() bool {
				return slices.ContainsFunc(srv.clients(t, "player"), func(v clientInfo) bool { return v.Protocol == c.protocol && v.BytesOut > 10_000 })
			})
		})
	}
}

// plays is how often on_play was asked about a viewer, not about what a list
// may show.
func (h *hooked) plays(t *testing.T) int {
	t.Helper()
	return h.ran(t, "on_play", func(e map[string]any) bool { return e["path"] != "/records.json" })
}

// ran is how many calls of a hook that ok takes are in the log.
func (h *hooked) ran(t *testing.T, hook string, ok func(e map[string]any) bool) (n int) {
	t.Helper()
	log, err := os.ReadFile(h.calls)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		var c hookCall
		if json.Unmarshal([]byte(line), &c) == nil && c.Hook == hook && ok(c.Event) {
			n++
		}
	}
	return n
}

// TestHookRates sends over HTTP/2 no faster than on_connect and on_play say,
// streams and files.
func TestHookRates(t *testing.T) {
	t.Parallel()
	const rate, burst, seconds = 8 << 10, 64 << 10, 12
	srv := startHookedBy(t, startSecure, `
function on_connect(c)
  if c.user_agent == "slow" then return { limits = { rate = "8k" } } end
  return true
end
function on_play(v)
  if v.params.slow then return { rate = "8k" } end
  return true
end`, nil)
	file := filepath.Join(srv.data, "flv/live/x/20260101_000000.flv")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, strings.Repeat("x", 1<<20))
	srv.feed(t, "live/x", sourceTags(t, "av"))
	srv.waitStreamThat(t, "live/x", "has video", func(i *streamInfo) bool { return i.Video.Codec != "" })
	recorded := secureURL("https", srv.http[0], "/flv/live/x/20260101_000000.flv")
	live := secureURL("https", srv.http[0], "/live/x.flv")
	// A connection has one limit for all that is sent on it.
	g := together(t)
	defer g.wait()
	for name, args := range map[string][]string{
		"a file by on_connect":     {"-A", "slow", recorded},
		"a stream by on_connect":   {"-A", "slow", live},
		"two files by on_connect":  {"-A", "slow", "-Z", recorded, "-o", os.DevNull, recorded},
		"a file by on_play":        {recorded + "?slow=1"},
		"a stream by on_play":      {live + "?slow=1"},
		"a file without a limit":   {recorded},
		"a stream without a limit": {live},
	} {
		g.run(name, func(t *testing.T) {
			begin := time.Now()
			args = append([]string{"-ksS", "--http2", "--max-time", fmt.Sprint(seconds), "-w", "%{size_download} %{http_code}\\n", "-o", os.DevNull}, args...)
			out, _ := exec.Command("curl", args...).Output() // it ends for the time, as a rule
			most := burst + int(rate*time.Since(begin).Seconds())
			got := 0
			for line := range strings.Lines(string(out)) {
				var n, status int
				if _, err := fmt.Sscan(line, &n, &status); err != nil || status != http.StatusOK {
					t.Errorf("curl says %q", out)
				}
				got += n
			}
			if limited := !strings.Contains(name, "without"); limited && (got > most || got == 0) || !limited && got <= burst {
				t.Errorf("%d bytes came, at most %d were to", got, most)
			}
		})
	}
}

// TestHookRecordsListed lists recordings to those who may watch them.
func TestHookRecordsListed(t *testing.T) {
	t.Parallel()
	srv := startHooked(t, `
function on_play(v)
  if v.name == "private" and v.params.token ~= "good" then return false, "private" end
  return true
end
function on_request(q)
  if q.path:find("secret", 1, true) then return false, "secret" end
  return true
end`, nil)
	for _, name := range []string{"open", "private", "secret"} {
		dir := filepath.Join(srv.data, "flv/live", name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, "20260101_000000.flv"), "FLV")
	}
	list := "http://" + srv.http[0] + "/records.json"
	has := func(body string, names ...string) bool {
		ok := true
		for _, name := range []string{"open", "private", "secret"} {
			ok = ok && strings.Contains(body, `"name":"`+name+`"`) == slices.Contains(names, name)
		}
		return ok
	}
	if status, body := fetch(t, list); status != http.StatusOK || !has(body, "open") {
		t.Errorf("without a token: %d %s", status, body)
	}
	if status, body := fetch(t, list+"?token=good"); status != http.StatusOK || !has(body, "open", "private") {
		t.Errorf("with a token: %d %s", status, body)
	}
	if n := len(srv.clients(t, "player")); n != 0 {
		t.Errorf("%d viewers by the list alone", n)
	}
	writeFile(t, srv.script, "function on_connect(c) return true end")
	eventually(t, "all of them are listed", func() bool {
		_, body := fetch(t, list)
		return has(body, "open", "private", "secret")
	})
}
