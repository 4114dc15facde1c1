package main_test

import (
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEncryptedHLS plays encrypted segments whose keys change: ffmpeg gets every
// frame, and who hooks do not want gets no key.
func TestEncryptedHLS(t *testing.T) {
	t.Parallel()
	srv := startHooked(t, `
function on_play(v)
  if v.params.token ~= "good" then return false, "no token" end
  return true
end
function on_stop(v) end
function on_request(q)
  if q.user_agent == "thief" and string.find(q.path, "/keys/", 1, true) then return false, "no key for you" end
  return true
end`, withPlugin(t, "hls", "millrace-hls", conf{
		"plugins.hls.target": `"2s"`, "plugins.hls.encrypt": "true", "plugins.hls.key_rotation": "1", "plugins.hls.min_free": `"0"`,
	}))
	tags := firstSeconds(sourceTags(t, "small"), 9)
	startFeedOnce(srv.publish(t, "live/x"), tags, 0)()
	waitRecords(t, srv.data, "live/x", 1, "hls")

	root := "http://" + srv.http[0]
	at := root + "/hls/live/x/index.m3u8"
	got := decode(t, at+"?token=good", "va")
	got.succeed(t)
	allFrames(t, got, sumsOf(t, tags))

	_, first := fetch(t, at+"?token=good")
	_, list := fetch(t, root+"/hls/live/x/"+regexp.MustCompile(`(?m)^index\.m3u8\?.*$`).FindString(first))
	keys := regexp.MustCompile(`#EXT-X-KEY:METHOD=AES-128,URI="([^"]+)"`).FindAllStringSubmatch(list, -1)
	if len(keys) != 5 {
		t.Fatalf("keys %q in\n%s", keys, list)
	}
	seen := map[string]bool{}
	for _, k := range keys {
		status, body := fetch(t, root+k[1])
		if status != http.StatusOK || len(body) != 16 || seen[body] {
			t.Errorf("%s: %d, %d bytes, the same as another: %t", k[1], status, len(body), seen[body])
		}
		seen[body] = true
		plain, _, _ := strings.Cut(k[1], "?")
		if status, _ := fetch(t, root+plain); status != http.StatusForbidden {
			t.Errorf("%s: %d", plain, status)
		}
		wantStatus(t, answer(t, http.MethodGet, root+k[1], "User-Agent", "thief"), http.StatusForbidden)
	}
}

// TestHLSNumbersGoOn kills a server and publishes to the next: the numbers of
// segments and discontinuities are those of one stream.
func TestHLSNumbersGoOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := recording(dir, "hls")
	tags := sourceTags(t, "small")
	number := func(list, name string) (n float64) {
		if value := between(list, name+":", "\n"); value != "" {
			n = parseFloat(t, value)
		}
		return n
	}
	first, breaks, uri := 0.0, 0.0, ""
	for i := range 3 {
		srv := startRecording(t, c)
		srv.feed(t, "live/x", tags)
		var list string
		eventually(t, "there are segments", func() bool {
			_, list = ask(t, srv, "GET", "/hls/live/x/index.m3u8", nil)
			return strings.Count(list, "#EXTINF") >= 2 && firstURI(list) != uri
		})
		uri = firstURI(list)
		msn := number(list, "#EXT-X-MEDIA-SEQUENCE")
		now := number(list, "#EXT-X-DISCONTINUITY-SEQUENCE") + float64(strings.Count(list, "#EXT-X-DISCONTINUITY\n"))
		if i > 0 && (msn <= first+1 || now != breaks+1) {
			t.Errorf("start %d begins with %v, that before with %v; %v discontinuities after %v", i, msn, first, now, breaks)
		}
		first, breaks = msn, now
		srv.crash(t, true)
	}
	srv := startRecording(t, c)
	for _, r := range waitRecords(t, filepath.Join(dir, "data"), "live/x", 3, "hls") {
		_, list := ask(t, srv, "GET", "/hls/live/x/"+filepath.Base(r.hls)+"/index.m3u8", nil)
		if !strings.HasSuffix(list, "#EXT-X-ENDLIST\n") {
			t.Errorf("after a crash %s has no end", r.hls)
		}
	}
}
