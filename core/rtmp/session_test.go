package rtmp

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp/chunk"
	"github.com/millrace/millrace/core/rtmp/handshake"
	"github.com/millrace/millrace/core/rtmp/message"
)

func av4096(csid, streamID uint32, m message.Body) []byte {
	return chunk.AppendMessage(nil, csid, m.Type(), streamID, 0, m.Append(nil), 4096)
}

func conversations() []conversation {
	return append(slices.Clone(realClients), curiosities...)
}

func TestConversations(t *testing.T) {
	t.Parallel()
	for _, c := range conversations() {
		for _, step := range []int{1, 7, 1 << 20} {
			k := newTalk(t, Options{}, step)
			for i, turn := range c.turns {
				if err := k.feed(turn.send); err != nil {
					t.Fatalf("%s, turn %d, by %d: %v", c.name, i, step, err)
				}
				events, out := k.take()
				if !slices.Equal(events, turn.events) {
					t.Errorf("%s, turn %d, by %d: events\n%q, want\n%q", c.name, i, step, events, turn.events)
				}
				if !slices.Equal(out, turn.out) {
					t.Errorf("%s, turn %d, by %d: output\n%q, want\n%q", c.name, i, step, out, turn.out)
				}
			}
			if k.s.State() != c.end {
				t.Errorf("%s: ends %v, want %v", c.name, k.s.State(), c.end)
			}
		}
	}
}

// after returns a talk after some turns.
func after(t *testing.T, o Options, turns ...turn) *talk {
	t.Helper()
	k := newTalk(t, o, 1<<20)
	for _, turn := range turns {
		if err := k.feed(turn.send); err != nil {
			t.Fatal(err)
		}
	}
	k.take()
	return k
}

func (k *talk) expect(what string, events, out []string) {
	k.t.Helper()
	if err := k.pump(); err != nil {
		k.t.Fatalf("%s: %v", what, err)
	}
	gotEvents, gotOut := k.take()
	if !slices.Equal(gotEvents, events) || !slices.Equal(gotOut, out) {
		k.t.Errorf("%s: got %q and %q, want %q and %q", what, gotEvents, gotOut, events, out)
	}
}

// While a verdict is open nothing is answered, and nothing more is parsed.
func TestVerdictsAreAwaited(t *testing.T) {
	t.Parallel()
	k := newTalk(t, Options{}, 1<<20)
	k.decide = func(*Session, Event) {}
	if err := k.feed(hello.send + created.send + published.send + av(4, 9, 1, 0, "one")); err != nil {
		t.Fatal(err)
	}
	k.expect("connect", hello.events, nil)
	if !k.s.Waiting() || k.s.State() != Connecting {
		t.Errorf("waiting %v, %v", k.s.Waiting(), k.s.State())
	}
	if err := k.s.AcceptConnect(); err != nil {
		t.Fatal(err)
	}
	k.expect("publish", published.events, append(hello.out[:4:4], created.out...))
	if !k.s.Waiting() || k.s.State() != Idle {
		t.Errorf("waiting %v, %v", k.s.Waiting(), k.s.State())
	}
	if err := k.feed(av(4, 9, 1, 40, "two")); err != nil {
		t.Fatal(err)
	}
	k.expect("more input", nil, nil)
	if err := k.s.AcceptPublish(1); err != nil {
		t.Fatal(err)
	}
	k.expect("media", []string{`video at 0: "one"`, `video at 40: "two"`}, published.out)
	if k.s.Waiting() || k.s.State() != Publishing || k.s.StreamID() != 1 {
		t.Errorf("waiting %v, %v", k.s.Waiting(), k.s.State())
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	k := newTalk(t, Options{}, 1<<20)
	k.decide = func(s *Session, ev Event) {
		switch ev := ev.(type) {
		case EventConnect:
			acceptAll(s, ev)
		case EventPublish:
			_ = s.RejectPublish(ev.StreamID, CodePublishDenied, "wrong key")
		case EventPlay:
			_ = s.RejectPlay(ev.StreamID, CodePlayStreamNotFound, "no such stream")
		}
	}
	for _, turn := range []turn{
		hello, created,
		{send: cmd(3, 0, "FCPublish", 0, "s")},
		{send: published.send, events: published.events, out: []string{"1: onStatus 0 (error NetStream.Publish.Denied)"}},
		{send: av(4, 9, 1, 0, "lost")},
		{send: played.send, events: played.events, out: []string{"1: onStatus 0 (error NetStream.Play.StreamNotFound)"}},
	} {
		if err := k.feed(turn.send); err != nil {
			t.Fatal(err)
		}
		k.expect("refusal", turn.events, turn.out)
	}
	if k.s.State() != Idle || k.s.Ignored() != 1 {
		t.Errorf("%v, %d ignored", k.s.State(), k.s.Ignored())
	}
}

func TestRejectConnect(t *testing.T) {
	t.Parallel()
	k := newTalk(t, Options{}, 1<<20)
	k.decide = func(s *Session, _ Event) { _ = s.RejectConnect("not here") }
	if err := k.feed(hello.send + created.send); err != nil {
		t.Fatal(err)
	}
	k.expect("refusal", hello.events, []string{"_error 1 (error NetConnection.Connect.Rejected)"})
	if k.s.State() != Ended {
		t.Error(k.s.State())
	}
}

func TestNoVerdict(t *testing.T) {
	t.Parallel()
	for _, turns := range [][]turn{nil, {hello}, {hello, created, published}, {hello, created, played}} {
		s := after(t, Options{}, turns...).s
		for i, err := range []error{
			s.AcceptConnect(), s.RejectConnect(""), s.AcceptPublish(1), s.RejectPublish(1, "", ""),
			s.AcceptPlay(1), s.RejectPlay(1, "", ""),
		} {
			if !errors.Is(err, ErrNoVerdict) {
				t.Errorf("%v, %d: %v", s.State(), i, err)
			}
		}
		if out := s.TakeOutput(); out != nil {
			t.Errorf("%v: output %q", s.State(), out)
		}
	}
	k := newTalk(t, Options{}, 1<<20)
	k.decide = func(s *Session, ev Event) {
		if _, ok := ev.(EventConnect); ok {
			acceptAll(s, ev)
		}
	}
	if err := k.feed(hello.send + created.send + played.send); err != nil {
		t.Fatal(err)
	}
	if k.s.AcceptPlay(2) != ErrNoVerdict || k.s.AcceptPublish(1) != ErrNoVerdict || k.s.AcceptPlay(1) != nil {
		t.Error("a verdict on another stream")
	}
}

func TestEnds(t *testing.T) {
	t.Parallel()
	closed := []string{"onStatus 0 (error NetConnection.Connect.Rejected)", "close 0"}
	for _, c := range []struct {
		name  string
		turns []turn
		do    func(*Session)
		out   []string
		state State
	}{
		{"play", []turn{hello, created, played}, func(s *Session) { s.EndPlay(1, CodePlayUnpublish, "over") },
			[]string{"user control 1 1", "1: onStatus 0 (status NetStream.Play.UnpublishNotify)"}, Idle},
		{"play on another stream", []turn{hello, created, played}, func(s *Session) { s.EndPlay(2, CodePlayUnpublish, "over") }, nil, Playing},
		{"publish", []turn{hello, created, published}, func(s *Session) { s.EndPublish(1, CodePublishRejected, "kicked") },
			[]string{"1: onStatus 0 (error NetStream.Publish.Rejected)"}, Idle},
		{"publish of a player", []turn{hello, created, played}, func(s *Session) { s.EndPublish(1, CodePublishRejected, "kicked") }, nil, Playing},
		{"connection of a player", []turn{hello, created, played}, func(s *Session) { s.CloseConnection(CodeConnectRejected, "full") }, closed, Ended},
		{"connection", []turn{hello}, func(s *Session) { s.CloseConnection(CodeConnectRejected, "full") }, closed, Ended},
		{"before connect", []turn{{send: greeting}}, func(s *Session) { s.CloseConnection(CodeConnectRejected, "full") }, nil, Ended},
		{"before the handshake", nil, func(s *Session) { s.CloseConnection(CodeConnectRejected, "full") }, nil, Ended},
	} {
		k := after(t, Options{}, c.turns...)
		c.do(k.s)
		k.expect(c.name, nil, c.out)
		if k.s.State() != c.state {
			t.Errorf("%s: %v", c.name, k.s.State())
		}
		if err := k.feed(av(4, 9, 1, 0, "late")); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		k.expect(c.name, nil, nil)
	}
}

// A connection that is closed while a verdict is awaited answers the call.
func TestCloseConnectionWaiting(t *testing.T) {
	t.Parallel()
	k := newTalk(t, Options{}, 1<<20)
	k.decide = func(*Session, Event) {}
	if err := k.feed(hello.send); err != nil {
		t.Fatal(err)
	}
	k.s.CloseConnection(CodeInvalidApp, "no such app")
	k.expect("close", hello.events, []string{"_error 1 (error NetConnection.Connect.InvalidApp)"})
	if k.s.State() != Ended || k.s.Waiting() {
		t.Error(k.s.State(), k.s.Waiting())
	}
}

func TestAcknowledgements(t *testing.T) {
	t.Parallel()
	k := after(t, Options{}, hello, turn{send: msg(2, 0, message.WindowAckSize{Size: 1})})
	last, acks := uint64(0), 0
	for range 100 {
		if err := k.feed(av(9, 16, 0, 0, strings.Repeat("x", 128))); err != nil {
			t.Fatal(err)
		}
		_, out := k.take()
		if len(out) == 0 {
			continue
		}
		acks++
		at := k.s.Received()
		if want := fmt.Sprintf("type 3 %08x", at); len(out) != 1 || out[0] != want {
			t.Errorf("got %q, want %q", out, want)
		}
		if at-last < minWindow || at-last > 2*minWindow {
			t.Errorf("an acknowledgement after %d bytes", at-last)
		}
		last = at
	}
	if acks < 3 {
		t.Errorf("%d acknowledgements", acks)
	}
}

func TestPeersMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, send, want string }{
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", "read handshake version 71: not plain RTMP"},
		{"command before connect", greeting + created.send, "read command at byte 37: command before connect"},
		{"no command", hello.send + av(3, 20, 0, 0, "\x05"), "read command at byte 100: decode command: it has no name"},
		{"deep command", hello.send + cmd(3, 0, "x", 0) + av(3, 20, 0, 0, strings.Repeat("\x0a\x00\x00\x00\x01", 6)), "values nest too deep: more than limits.amf_depth (5)"},
		{"large command", hello.send + string(chunk.AppendHeader0(nil, 3, 20, 0, 0, 65537)), "65537 is more than limits.command_size (65536)"},
		{"chunk size", hello.send + msg(2, 0, message.SetChunkSize{Size: 0x80000000}), "chunk size is out of range"},
	} {
		for _, step := range []int{1, 1 << 20} {
			k := newTalk(t, Options{AMFDepth: 5}, step)
			err := k.feed(c.send)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", c.name, err)
			}
			if _, again := k.s.Next(); again != err {
				t.Errorf("%s: then %v", c.name, again)
			}
			if again := k.s.Feed([]byte("x")); again != err {
				t.Errorf("%s: then %v", c.name, again)
			}
		}
	}
}

func TestPendingIsBounded(t *testing.T) {
	t.Parallel()
	for _, step := range []int{1, 100, 1 << 20} {
		k := newTalk(t, Options{Pending: 300}, step)
		k.decide = func(*Session, Event) {}
		err := k.feed(hello.send + strings.Repeat(created.send, 30))
		var limit *chunk.LimitError
		if !errors.As(err, &limit) || limit.Key != "limits.connection_buffer" || limit.Limit != 300 {
			t.Errorf("by %d: %v", step, err)
		}
		if n := k.s.in.Buffered(); step < 1<<20 && n > 300+step {
			t.Errorf("by %d: %d bytes kept", step, n)
		}
	}
}

func TestConnectInfo(t *testing.T) {
	t.Parallel()
	k := newTalk(t, Options{}, 1<<20)
	var got ConnectInfo
	k.decide = func(_ *Session, ev Event) { got = ev.(EventConnect).ConnectInfo }
	raw := object("app", "/live/", "tcUrl", "rtmps://h:443/live?a=b", "pageUrl", "http://p", "swfUrl", "http://s",
		"flashVer", "f", "type", "nonprivate", "objectEncoding", 3.0,
		"fourCcList", nil, "capsEx", 15.0)
	raw.Props[7].Value = amf.StrictArray{"hvc1", "av01"}
	if err := k.feed(greeting + cmdObject(3, 0, "connect", 1, raw)); err != nil {
		t.Fatal(err)
	}
	want := ConnectInfo{
		App: "live", Query: "a=b", VHost: "h", TcURL: "rtmps://h:443/live?a=b", PageURL: "http://p", SwfURL: "http://s",
		FlashVer: "f", Type: "nonprivate", ObjectEncoding: 3, FourCcList: []string{"hvc1", "av01"}, CapsEx: 15, Raw: raw,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	_ = k.s.AcceptConnect()
	if out := string(k.s.TakeOutput()); !strings.Contains(out, "\x00\x0eobjectEncoding\x00\x40\x08\x00\x00\x00\x00\x00\x00") {
		t.Errorf("no object encoding 3 in %q", out)
	}
}

func TestBufferLength(t *testing.T) {
	t.Parallel()
	k := after(t, Options{}, realClients[2].turns...)
	if n := k.s.BufferLength(); n != 36000000 {
		t.Error(n)
	}
}

// A media message costs its buffer and nothing else.
func TestMediaAllocs(t *testing.T) {
	s := after(t, Options{}, hello, created, published).s
	b := []byte(av(4, 9, 1, 40, strings.Repeat("x", 100)))
	allocs := testing.AllocsPerRun(100, func() {
		_ = s.Feed(b)
		if ev, err := s.Next(); err != nil || len(media.Payload(ev.(*EventMedia).Room)) != 100 {
			t.Fatal(ev, err)
		}
		_, _ = s.Next()
	})
	if allocs > 1 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestStateNames(t *testing.T) {
	t.Parallel()
	if Handshaking.String() != "handshaking" || Ended.String() != "ended" {
		t.Error(Handshaking, Ended)
	}
}

func FuzzSession(f *testing.F) {
	for _, c := range conversations() {
		var all string
		for _, turn := range c.turns {
			all += turn.send
		}
		all = strings.TrimPrefix(all, greeting)
		if len(all) > 2000 {
			continue // the fuzzer is slow to make long inputs small
		}
		f.Add([]byte(all), uint8(5), uint8(0))
		f.Add([]byte(all), uint8(0), uint8(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, step, refuse uint8) {
		run := func(step int) ([]string, []string, *Session, error) {
			k := newTalk(t, Options{Limits: chunk.Limits{PartialBytes: 1 << 20}}, step)
			asked := uint8(0)
			k.decide = func(s *Session, ev Event) { decideBy(s, ev, refuse>>(asked&7)&1 == 0, &asked) }
			if err := k.feed(greeting[:1+handshake.Size]); err != nil {
				t.Fatal(err)
			}
			err := k.feed(greeting[1+handshake.Size:] + string(b))
			return k.events, k.out, k.s, err
		}
		events, out, s, err := run(len(b) + len(greeting))
		pieceEvents, pieceOut, p, pieceErr := run(int(step) + 1)
		if !slices.Equal(events, pieceEvents) || (err == nil) != (pieceErr == nil) || s.State() != p.State() || s.Ignored() != p.Ignored() {
			t.Fatalf("at once %q, %v; in pieces %q, %v", events, err, pieceEvents, pieceErr)
		}
		// Acknowledgements depend on how the bytes come.
		isAck := func(s string) bool { return strings.HasPrefix(s, "type 3 ") }
		if !slices.Equal(slices.DeleteFunc(out, isAck), slices.DeleteFunc(pieceOut, isAck)) {
			t.Fatalf("at once %q; in pieces %q", out, pieceOut)
		}
	})
}

// decideBy gives the verdict that an event asks for.
func decideBy(s *Session, ev Event, accept bool, asked *uint8) {
	if s.Waiting() {
		*asked++
	}
	if accept {
		acceptAll(s, ev)
		return
	}
	switch ev := ev.(type) {
	case EventConnect:
		_ = s.RejectConnect("no")
	case EventPublish:
		_ = s.RejectPublish(ev.StreamID, CodePublishRejected, "no")
	case EventPlay:
		_ = s.RejectPlay(ev.StreamID, CodePlayFailed, "no")
	}
}
