package hooks

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
)

// TestHTTPWaits: a thousand calls a second pass through a hook that waits
// 100 ms, since waiting calls make room for others.
func TestHTTPWaits(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		time.Sleep(100 * time.Millisecond) // the hook's wait, not the test's
		fmt.Fprint(w, "ok")
	}))
	defer server.Close()
	r := start(t, `function on_play(v)
		local a, err = millrace.http.get(v.params.url)
		if not a then return false, err end
		return a.status == 200 and a.body == "ok"
	end`, func(o *Options) {
		o.HTTPAllow = []string{"127.0.0.1"}
	})
	const calls = 1000
	var refused atomic.Int32
	var waiting sync.WaitGroup
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for range calls {
		<-ticker.C
		waiting.Add(1)
		r.Decide(&event.Event{Event: event.Play, Params: map[string]string{"url": server.URL}}, func(v Verdict) {
			defer waiting.Done()
			if !v.Allow {
				refused.Add(1)
			}
		})
	}
	waiting.Wait()
	if refused.Load() > 0 || requests.Load() != calls {
		t.Errorf("%d refused, %d requests", refused.Load(), requests.Load())
	}
}

// TestHTTP: what a script sends and gets, and what it may not.
func TestHTTP(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		switch r.URL.Path {
		case "/slow":
			<-r.Context().Done()
		case "/big":
			_, _ = io.Copy(w, io.LimitReader(zeros{}, 2<<20)) // the client hangs up
		case "/redirect":
			http.Redirect(w, r, "http://example.com/", http.StatusFound)
		default:
			w.Header().Set("X-Seen", r.Method+" "+r.Header.Get("X-A")+" "+r.Header.Get("Content-Type"))
			w.WriteHeader(201)
			_, _ = w.Write(body)
		}
	}))
	t.Cleanup(server.Close)
	host, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"get", `local a = http.get(u, {headers = {["X-A"] = "b"}}) return false, a.status .. a.headers["x-seen"]`, "201GET b "},
		{"form", `local a = http.post(u, {b = "x y", a = 1}) return false, a.body .. a.headers["x-seen"]`, "a=1&b=x+yPOST  application/x-www-form-urlencoded"},
		{"body", `local a = http.post(u, "{}", {headers = {["Content-Type"] = "application/json"}}) return false, a.body .. a.headers["x-seen"]`, "{}POST  application/json"},
		{"redirects are shown", `local a = http.get(u .. "/redirect") return false, a.status .. a.headers.location`, "302http://example.com/"},
		{"too big", `local a, e = http.get(u .. "/big") return false, e`, "the answer is longer than 1048576 bytes"},
		{"slow", `local a, e = http.get(u .. "/slow", {timeout = 0.02}) return false, e`, "the server did not answer in time"},
		{"another port", `local a, e = http.get("http://127.0.0.1:1/") return false, e`, `host "127.0.0.1:1" is not in hooks.http_allow`},
		{"another host", `local a, e = http.get("http://localhost/") return false, e`, `host "localhost" is not in hooks.http_allow`},
		{"a wrong option", `local ok, e = pcall(http.get, u, {retries = 1}) return false, (e:gsub("^.-: ", ""))`, `there is no option "retries" of a request (headers, timeout)`},
		{"a wrong address", `local a, e = http.get("ftp://x") return false, e`, "only http and https addresses can be asked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, `local http = millrace.http function on_play(v) local u = v.url `+tt.text+` end`,
				func(o *Options) { o.HTTPAllow = []string{host.Host} })
			if v := ask(t, r, event.Event{Event: event.Play, URL: server.URL}); strings.TrimSpace(v.Reason) != strings.TrimSpace(tt.want) || v.Err != nil {
				t.Errorf("got %s, want %q", verdictText(v), tt.want)
			}
		})
	}
	r := start(t, `function on_play(v) millrace.http.get(v.url) return true end`, func(o *Options) {
		o.HTTPAllow, o.Timeout = []string{"*"}, 50*time.Millisecond
	})
	if v := ask(t, r, event.Event{Event: event.Play, URL: server.URL + "/slow"}); v.Allow || v.Err == nil {
		t.Errorf("past its deadline: %s", verdictText(v))
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

func TestAllowedHost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		url, list string
		want      bool
	}{
		{"http://a.example/", "a.example", true},
		{"http://A.example:8080/", "a.EXAMPLE", true},
		{"http://a.example/", "a.example:80", true},
		{"https://a.example/", "a.example:80", false},
		{"http://a.example:81/", "a.example:80", false},
		{"http://b.example/", "a.example", false},
		{"http://x.a.example/", "*.a.example", true},
		{"http://a.example/", "*.a.example", false},
		{"http://xa.example/", "*a.example", false},
		{"http://evil.example/", "a.example b.example", false},
		{"http://[::1]:80/", "[::1]:80", true},
		{"http://[::1]/", "::1", true},
		{"http://anything/", "*", true},
		{"http://user@a.example/", "user", false},
		{"http://anything/", "", false},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		if got := allowedHost(u, strings.Fields(tt.list)); got != tt.want {
			t.Errorf("%s in %q: %v", tt.url, tt.list, got)
		}
	}
}
