package rtmp

import (
	"bytes"
	"slices"
	"testing"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp/chunk"
	"github.com/millrace/millrace/core/rtmp/handshake"
	"github.com/millrace/millrace/core/rtmp/message"
)

// pair is a client and a session without a network between them.
type pair struct {
	t      *testing.T
	c      *Client
	s      *Session
	decide func(*Session, Event)
	told   []string // by the session
	heard  []string // by the client
}

func newPair(t *testing.T, o ClientOptions) *pair {
	return &pair{t: t, c: NewClient(o), s: NewSession(Options{}), decide: acceptAll}
}

// run moves bytes until neither side has any.
func (p *pair) run() {
	p.t.Helper()
	toClient, toServer := p.s.TakeOutput(), p.c.TakeOutput()
	for first := true; first || len(toClient)+len(toServer) > 0; first = false {
		if err := p.c.Feed(toClient); err != nil {
			p.t.Fatal(err)
		}
		drain(p.t, p.c.Next, func(ev Event) { p.heard = append(p.heard, tell(ev)) })
		if err := p.s.Feed(toServer); err != nil {
			p.t.Fatal(err)
		}
		drain(p.t, p.s.Next, func(ev Event) {
			p.told = append(p.told, tell(ev))
			p.decide(p.s, ev)
		})
		toClient, toServer = p.s.TakeOutput(), p.c.TakeOutput()
	}
}

func drain(t *testing.T, next func() (Event, error), each func(Event)) {
	t.Helper()
	for {
		ev, err := next()
		if err != nil {
			t.Fatal(err)
		}
		if _, none := ev.(EventNone); none {
			return
		}
		each(ev)
	}
}

func (p *pair) expect(what string, told, heard []string) {
	p.t.Helper()
	p.run()
	if !slices.Equal(p.told, told) || !slices.Equal(p.heard, heard) {
		p.t.Errorf("%s: told %q, heard %q; want %q and %q", what, p.told, p.heard, told, heard)
	}
	p.told, p.heard = nil, nil
}

func TestClientPublishes(t *testing.T) {
	t.Parallel()
	for _, form := range []handshake.Form{handshake.Simple, handshake.Digest8, handshake.Digest772} {
		p := newPair(t, ClientOptions{App: "live", TcURL: "rtmp://h/live", FlashVer: "test", Name: "s?a=b", Publish: true, Form: form})
		p.expect("start", []string{
			"connect live? on h by test",
			"Publish{StreamID:1 App:live Name:s Query:a=b PublishType:live}",
		}, []string{"Status{StreamID:1 Level:status Code:NetStream.Publish.Start Description:s?a=b is now published}"})
		if !p.c.Started() || p.c.StreamID() != 1 {
			t.Error("not started")
		}
		p.c.SendMedia(media.Audio, 0xFFFFFF, []byte("a"))
		p.c.SendMedia(media.Video, 0xFFFFFFFF, bytes.Repeat([]byte("v"), 100000))
		p.expect("media", []string{
			`audio at 16777215: "a"`,
			`video at 4294967295: "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"`,
		}, nil)
		p.c.Stop()
		p.expect("stop", []string{"Unpublish{StreamID:1 Command:FCUnpublish}"},
			[]string{"Status{StreamID:1 Level:status Code:NetStream.Unpublish.Success Description:publishing stopped}"})
		if p.c.Started() {
			t.Error("not stopped")
		}
	}
}

func TestClientPlays(t *testing.T) {
	t.Parallel()
	p := newPair(t, ClientOptions{App: "live", Name: "s", BufferLength: 3000, WindowAckSize: 5000})
	p.expect("start", []string{
		"connect live? on  by ",
		"Play{StreamID:1 App:live Name:s Query: Start:-2000 Duration:-1 Reset:true}",
	}, []string{
		"Status{StreamID:1 Level:status Code:NetStream.Play.Reset Description:playing and resetting s}",
		"Status{StreamID:1 Level:status Code:NetStream.Play.Start Description:started playing s}",
	})
	if !p.c.Started() || p.s.BufferLength() != 3000 {
		t.Error("not started")
	}
	media := chunk.AppendMessage(nil, 6, message.TypeVideo, 1, 40, []byte("v"), 65536)
	media = chunk.AppendMessage(media, 5, message.TypeDataAMF0, 1, 40, []byte(meta), 65536)
	media = chunk.AppendMessage(media, 2, message.TypeUserControl, 0, 0, message.UserControl{Event: message.PingRequest, Value: 1}.Append(nil), 65536)
	if err := p.c.Feed(media); err != nil {
		t.Fatal(err)
	}
	p.expect("media", nil, []string{`video at 40: "v"`, `data at 40: "\x02\x00\nonMetaData\b\x00\x00\x00\x00\x00\x00\t"`})
	p.s.EndPlay(1, CodePlayUnpublish, "over")
	p.expect("end", nil, []string{
		"StreamEOF{StreamID:1}",
		"Status{StreamID:1 Level:status Code:NetStream.Play.UnpublishNotify Description:over}",
	})
	p.s.CloseConnection(CodeConnectClosed, "bye")
	p.expect("close", nil, []string{"Status{StreamID:0 Level:status Code:NetConnection.Connect.Closed Description:bye}", "Close{}"})
	if p.c.Started() {
		t.Error("not stopped")
	}
}

func TestClientRefused(t *testing.T) {
	t.Parallel()
	p := newPair(t, ClientOptions{App: "live", Name: "s"})
	p.decide = func(s *Session, _ Event) { _ = s.RejectConnect("not here") }
	p.expect("refusal", []string{"connect live? on  by "},
		[]string{"Status{StreamID:0 Level:error Code:NetConnection.Connect.Rejected Description:not here}"})
}

func TestClientReadsNoNonsense(t *testing.T) {
	t.Parallel()
	p := newPair(t, ClientOptions{App: "live", Name: "s"})
	p.run()
	if err := p.c.Feed(chunk.AppendMessage(nil, 3, message.TypeCommandAMF0, 0, 0, []byte("\x05"), 128)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.c.Next(); err == nil {
		t.Error("no error")
	}
	if p.c.Feed(nil) == nil {
		t.Error("the error does not stay")
	}
}
