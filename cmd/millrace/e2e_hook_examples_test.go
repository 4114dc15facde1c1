package main_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestExampleHTTPAuth asks a server that was written for nginx-rtmp.
func TestExampleHTTPAuth(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var forms []string
	auth := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		mu.Lock()
		forms = append(forms, r.Form.Get("call")+" "+r.Form.Get("app")+"/"+r.Form.Get("name")+" "+r.Form.Get("tcurl"))
		mu.Unlock()
		complete := r.Method == http.MethodPost && r.PostForm.Get("addr") == "127.0.0.1" && r.PostForm.Get("clientid") != ""
		for _, field := range []string{"app", "flashver", "swfurl", "tcurl", "pageurl", "name"} {
			complete = complete && r.PostForm.Has(field)
		}
		switch key := r.Form.Get("key"); {
		case !complete || r.PostForm.Get("call") == "publish" && r.PostForm.Get("type") != "live":
			w.WriteHeader(http.StatusInternalServerError)
		case key == "rename":
			w.Header().Set("Location", "renamed")
			w.WriteHeader(http.StatusFound)
		case key == "away":
			w.Header().Set("Location", "http://other.example/live/x.flv")
			w.WriteHeader(http.StatusFound)
		case key != "good":
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(auth.Close)
	host := strings.TrimPrefix(auth.URL, "http://")
	srv := startHooked(t, example(t, "http_auth.lua", "http://127.0.0.1:8000", auth.URL, "timeout = 0.4", "timeout = 20"), conf{"hooks.http_allow": `["` + host + `"]`, "stream.play_wait": `"0s"`})
	srv.refusedPublish(t, "live/x?key=bad", "refused by the auth server")
	srv.feed(t, "live/x?key=good", sourceTags(t, "av"))
	srv.publish(t, "live/y?key=rename")
	if srv.stream(t, "live/renamed") == nil || srv.stream(t, "live/y") != nil {
		t.Error("the stream is not renamed")
	}
	for _, protocol := range protocols {
		srv.refusedWatch(t, "live/x?key=bad", protocol)
		srv.refusedWatch(t, "live/x?key=away", protocol)
		srv.deniedWatch(t, protocol, "live/x?key=bad", "refused by the auth server")
		nextThat(t, srv.watch(t, protocol, "live/x?key=good", nil), "a keyframe", tag.isKeyframe)
	}
	wantHeader(t, answer(t, http.MethodGet, srv.flvURL("live/x?key=away")), "Location", "http://other.example/live/x.flv")
	mu.Lock()
	defer mu.Unlock()
	if !strings.HasPrefix(forms[0], "publish live/x rtmp://") {
		t.Errorf("the auth server was asked about %q", forms)
	}
}

// TestExampleHMAC takes links until they end.
func TestExampleHMAC(t *testing.T) {
	t.Parallel()
	srv := startHooked(t, example(t, "hmac_expiry.lua"), nil)
	link := func(life time.Duration, stream string) string {
		expires := fmt.Sprint(time.Now().Add(life).Unix())
		mac := hmac.New(sha256.New, []byte("change-me-0123456789abcdef012345"))
		mac.Write([]byte(stream + "\n" + expires + "\nann"))
		return "live/x?user=ann&expires=" + expires + "&sign=" + hex.EncodeToString(mac.Sum(nil))
	}
	srv.refusedPublish(t, "live/x", "this needs a signed link")
	srv.refusedPublish(t, link(-time.Minute, "live/x"), "the link has expired")
	srv.refusedPublish(t, link(time.Hour, "live/y"), "the signature is wrong")
	srv.feed(t, link(time.Hour, "live/x"), sourceTags(t, "av"))
	for _, protocol := range protocols {
		srv.refusedWatch(t, "live/x", protocol)
		nextThat(t, srv.watch(t, protocol, link(time.Hour, "live/x"), nil), "a keyframe", tag.isKeyframe)
	}
}

// TestExamplePerIP lets three viewers in, and a fourth when one has left.
func TestExamplePerIP(t *testing.T) {
	t.Parallel()
	srv := startHooked(t, example(t, "viewers_per_ip.lua", "most_attempts = 20", "most_attempts = 2000"), conf{"stream.play_wait": `"0s"`})
	srv.refusedWatch(t, "live/none", protocols...) // they never watch, and don't count
	srv.feed(t, "live/x", sourceTags(t, "av"))
	var first viewer
	for i, protocol := range protocols {
		v := srv.watch(t, protocol, "live/x", nil)
		nextThat(t, v, "a keyframe", tag.isKeyframe)
		if i == 0 {
			first = v
		}
	}
	// Who has begun to watch is counted a moment later.
	eventually(t, "the fourth is refused", func() bool {
		v, err := srv.tryWatch("http-flv", "live/x", nil)
		if err == nil {
			v.Close()
		}
		return err != nil
	})
	for _, protocol := range protocols {
		srv.deniedWatch(t, protocol, "live/x", "too many viewers from your address")
	}
	first.Close()
	eventually(t, "one may come for one who left", func() bool {
		v, err := srv.tryWatch("http-flv", "live/x", nil)
		if err == nil {
			v.Close()
		}
		return err == nil
	})
}

// TestExampleRename serves today's name to viewers of the short one.
func TestExampleRename(t *testing.T) {
	t.Parallel()
	srv := startHooked(t, example(t, "rename.lua"), nil)
	srv.refusedPublish(t, "live/x?tenant=none", "the tenant is not known")
	srv.feed(t, "live/x?tenant=acme", sourceTags(t, "av"))
	today := "acme/x-" + time.Now().UTC().Format("20060102")
	if srv.waitStream(t, today) == nil || srv.stream(t, "live/x") != nil {
		t.Error("the stream is not renamed")
	}
	for _, protocol := range protocols {
		nextThat(t, srv.watch(t, protocol, "acme/x", nil), "a keyframe", tag.isKeyframe)
	}
	srv.refusedPublish(t, "live/a..%2F?tenant=acme", "") // a rename is held to stream.name_pattern
}

// TestExampleRecordSome records what the script says, where it says.
func TestExampleRecordSome(t *testing.T) {
	t.Parallel()
	srv := startHooked(t, example(t, "record_some.lua"), withPlugin(t, "flv", "millrace-flv-recorder", nil))
	srv.waitLog(t, map[string]string{"msg": "plugin is running"})
	for _, path := range []string{"archive/x", "archive/test1", "preview/x", "live/x"} {
		srv.feed(t, path, sourceTags(t, "av"))
	}
	want := "flv/archive/x/day-" + time.Now().Format("2006-01-02-")
	has := func() (wanted, other bool) {
		for _, f := range files(t, srv.data) {
			wanted = wanted || strings.HasPrefix(f, want)
			other = other || !strings.HasPrefix(f, want)
		}
		return wanted, other
	}
	eventually(t, "the recording", func() bool { wanted, _ := has(); return wanted })
	srv.called(t, "on_record", func(e map[string]any) bool { return e["name"] == "test1" })
	if _, other := has(); other {
		t.Errorf("there are %v", files(t, srv.data))
	}
}
