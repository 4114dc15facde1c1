package gate

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
)

// TestLists shows who asks what on_play and on_request would let them have, and
// begins no session for it.
func TestLists(t *testing.T) {
	t.Parallel()
	rules := map[string]func(event.Event) event.Verdict{
		event.Play: func(e event.Event) event.Verdict {
			return event.Verdict{Allow: e.Name != "private" || e.Params["token"] == "good"}
		},
		event.Request: func(e event.Event) event.Verdict {
			if e.Name == "moved" {
				return event.Verdict{Allow: true, Redirect: "/elsewhere"}
			}
			return event.Verdict{Allow: e.Path != "/flv/live/secret/a.flv"}
		},
	}
	r := newRig(t, rules)
	paths := []string{
		"/flv/live/open/a.flv", "/flv/live/private/a.flv", "/flv/live/private/b.flv", "/hls/live/private/x/index.m3u8",
		"/flv/live/secret/a.flv", "/flv/live/moved/a.flv", "/nothing/of/ours",
	}
	got := r.Lists(request("/records.json"), paths)
	if want := []bool{true, false, false, false, false, false, false}; !slices.Equal(got, want) {
		t.Errorf("listed are %v, want %v", got, want)
	}
	if n := r.count(event.Play); n != 5 {
		t.Errorf("on_play ran %d times, want once for each stream and protocol", n)
	}
	for _, e := range r.asked {
		if e.Event == event.Play && (e.Path != "/records.json" || e.Protocol != "flv" && e.Protocol != "hls" || e.StreamID == "") {
			t.Errorf("it was asked about %+v", e)
		}
	}
	got = r.Lists(request("/records.json?token=good"), paths)
	if want := []bool{true, true, true, true, false, false, false}; !slices.Equal(got, want) {
		t.Errorf("with a token, listed are %v, want %v", got, want)
	}
	before := r.count(event.Play)
	r.Lists(request("/records.json?token=good"), paths)
	if n := r.count(event.Play) - before; n != 0 {
		t.Errorf("on_play ran %d times again", n)
	}
	r.sleep(2 * listedAge)
	r.Lists(request("/records.json"), paths[:1])
	if n := r.count(event.Play) - before; n != 1 {
		t.Errorf("on_play ran %d times a minute later", n)
	}
	if s := r.Sessions(); len(s) != 0 {
		t.Errorf("sessions: %+v", s)
	}
}

// TestGone has a client that leaves before the verdict hold nothing.
func TestGone(t *testing.T) {
	t.Parallel()
	for _, hook := range []string{event.Play, event.Request} {
		verdict := make(chan struct{})
		r := newRig(t, on(hook, func(event.Event) event.Verdict { <-verdict; return event.Verdict{Allow: true} }))
		defer close(verdict)
		if hook == event.Play {
			// The first one sees to it that the session is decided about.
			go r.Check(request("/hls/live/cam/index.m3u8"))
			for end := time.Now().Add(time.Minute); r.count(hook) == 0 && time.Now().Before(end); {
				time.Sleep(time.Millisecond)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		req := request("/hls/live/cam/index.m3u8").WithContext(ctx)
		if d := r.Check(req); d.Status != gone.Status || d.Answer != nil {
			t.Errorf("%s: %+v", hook, d)
		}
		if d := r.Lists(req, []string{"/hls/live/other/index.m3u8"}); d[0] {
			t.Errorf("%s: it is listed", hook)
		}
	}
}
