package hooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/adler32"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace/millrace/core/event"
)

// benchEvent is a viewer that asks with a signed link.
func benchEvent(sign string) *event.Event {
	return &event.Event{
		Event: event.Play, Time: time.Unix(1_700_000_000, 0), App: "live", Name: "cam1", StreamID: "live/cam1",
		ClientID: "c42", Protocol: "http-flv", RemoteAddr: "10.0.0.1:50000", UserAgent: "Mozilla/5.0 (X11; Linux x86_64)",
		Host: "example.com:8501", Path: "/live/cam1.flv", Method: "GET",
		PageURL: "/live/cam1.flv?expires=4102444800&user=ann&sign=" + sign,
		Headers: map[string]string{"accept": "*/*", "accept-encoding": "identity", "referer": "http://example.com/play.html"},
		Params: map[string]string{
			"expires": "4102444800", "user": "ann",
			"sign": sign,
		},
	}
}

func benchmarkCall(b *testing.B, script, sign string) {
	b.Helper()
	r := start(b, script)
	set, settings, e := r.live.Load(), r.settings.Load(), benchEvent(sign)
	o := callOptions{timeout: settings.Timeout, limit: uint64(settings.Memory)}
	if got := set.call(event.Play, e, o); got.err != nil || !got.verdict.Allow {
		b.Fatal(verdictText(got.verdict), got.err) // a refusal would leave work out
	}
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		set.call(event.Play, e, o)
	}
	// By the processor's time, the collector's included: the machine is shared.
	b.ReportMetric(float64(b.N)/(processorTime(b)-before).Seconds(), "calls/cpu-s")
}

// processorTime is what the process has used of all processors.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchKey is what the links of the benchmarks are signed with.
const benchKey = "0123456789abcdef0123456789abcdef"

// benchAuth parses a query, verifies an HMAC and decides.
const benchAuth = `
local key = "` + benchKey + `"
function on_play(v)
  local q = millrace.url.query(v.page_url:match("%?(.*)") or "")
  if tonumber(q.expires or 0) < millrace.time.now() then return false, "expired" end
  local want = millrace.hmac_sha256(key, v.stream_id .. "\n" .. q.expires .. "\n" .. q.user)
  if not millrace.equals(want, q.sign) then return false, "bad signature" end
  return true
end`

// BenchmarkAuthHelpers calls it directly.
func BenchmarkAuthHelpers(b *testing.B) {
	benchmarkCall(b, benchAuth, signHMAC(benchKey, benchText))
}

// benchText is what the link of the benchmarks signs.
const benchText = "live/cam1\n4102444800\nann"

func signHMAC(key, text string) string {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(text))
	return hex.EncodeToString(m.Sum(nil))
}

func BenchmarkEmpty(b *testing.B) { benchmarkCall(b, `function on_play(v) return true end`, "") }

// BenchmarkAuthPureLua does the same without helpers: it parses the query, and
// computes a keyed checksum of the same text in Lua. It is no HMAC: Lua 5.1 has
// no operations on bits, and SHA-256 without them is another order of magnitude.
func BenchmarkAuthPureLua(b *testing.B) {
	text, err := os.ReadFile("testdata/pure_auth.lua")
	if err != nil {
		b.Fatal(err)
	}
	const key = "k3y-0f-th3-h0us3"
	sum := adler32.Checksum([]byte(key + "live/cam1" + "4102444800" + "ann" + key))
	benchmarkCall(b, string(text), fmt.Sprintf("%08x", sum))
}

// BenchmarkDecide goes through the queue and a worker.
func BenchmarkDecide(b *testing.B) {
	r := start(b, `function on_play(v) return v.params.user == "ann" end`)
	e := benchEvent("")
	done := make(chan Verdict, 1)
	b.ReportAllocs()
	for b.Loop() {
		r.Decide(e, func(v Verdict) { done <- v })
		<-done
	}
}

// BenchmarkNoHook is what a join costs on a server without hooks.
func BenchmarkNoHook(b *testing.B) {
	r, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	for b.Loop() {
		if r.Has(event.Play) {
			b.Fatal("there is a hook")
		}
	}
}
