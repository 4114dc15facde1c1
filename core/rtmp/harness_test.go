package rtmp

import (
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp/chunk"
	"github.com/millrace/millrace/core/rtmp/handshake"
	"github.com/millrace/millrace/core/rtmp/message"
)

// greeting is C0, C1 and C2 of a simple handshake.
var greeting = "\x03" + strings.Repeat("\x00", 2*handshake.Size)

// turn is one step of a conversation: what the client sends, and what the
// session tells and answers, in the words of tell and describe.
type turn struct {
	send   string
	events []string
	out    []string
}

// talk is a session with somebody to decide, and its output read back.
type talk struct {
	t      *testing.T
	s      *Session
	step   int
	decide func(*Session, Event)
	back   *chunk.Reader
	skip   int // bytes of S0, S1 and S2 to come
	events []string
	out    []string
}

func newTalk(t *testing.T, o Options, step int) *talk {
	o.Rand = zeros{}
	return &talk{
		t: t, s: NewSession(o), step: step, decide: acceptAll,
		back: chunk.NewReader(chunk.Limits{}), skip: 1 + 2*handshake.Size,
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// acceptAll gives the verdict that an event asks for.
func acceptAll(s *Session, ev Event) {
	switch ev := ev.(type) {
	case EventConnect:
		_ = s.AcceptConnect()
	case EventPublish:
		_ = s.AcceptPublish(ev.StreamID)
	case EventPlay:
		_ = s.AcceptPlay(ev.StreamID)
	}
}

// feed gives the session bytes, in pieces whose memory does not last.
func (k *talk) feed(b string) error {
	for len(b) > 0 {
		n := min(k.step, len(b))
		piece := []byte(b[:n])
		b = b[n:]
		err := k.s.Feed(piece)
		if err == nil {
			err = k.pump()
		}
		if err != nil {
			return err
		}
		clear(piece)
	}
	return nil
}

// pump takes events and output until there is no more.
func (k *talk) pump() error {
	for {
		ev, err := k.s.Next()
		k.read(k.s.TakeOutput())
		if _, none := ev.(EventNone); none || err != nil {
			return err
		}
		k.events = append(k.events, tell(ev))
		k.decide(k.s, ev)
		k.read(k.s.TakeOutput())
	}
}

// read reads what the session sends.
func (k *talk) read(b []byte) {
	n := min(k.skip, len(b))
	k.skip -= n
	k.back.Feed(b[n:])
	for {
		m, ok, err := k.back.Next()
		if err != nil {
			k.t.Fatalf("output: %v", err)
		}
		if !ok {
			return
		}
		k.out = append(k.out, describe(m))
	}
}

// take returns what came since the last take.
func (k *talk) take() (events, out []string) {
	events, out = k.events, k.out
	k.events, k.out = nil, nil
	return events, out
}

func tell(ev Event) string {
	switch ev := ev.(type) {
	case *EventMedia:
		return fmt.Sprintf("%v at %d: %.40q", ev.Kind, ev.Timestamp, media.Payload(ev.Room))
	case EventConnect:
		ev.Raw = nil
		return fmt.Sprintf("connect %s?%s on %s by %s", ev.App, ev.Query, ev.VHost, ev.FlashVer)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T%+v", ev, ev), "rtmp.Event")
}

// describe puts a message into words: its stream, if it has one, and content.
func describe(m chunk.Message) string {
	b := media.Payload(m.Room)
	text := ""
	switch m.Type {
	case message.TypeCommandAMF0, message.TypeDataAMF0:
		vals, err := amf.DecodeAll0(b, amf.Limits{})
		if err != nil {
			return err.Error()
		}
		for _, v := range vals {
			text += describeValue(v)
		}
		text = strings.TrimSpace(text)
	case message.TypeUserControl:
		u, _ := message.DecodeUserControl(b)
		text = fmt.Sprintf("user control %d %d", u.Event, u.Value)
	default:
		text = fmt.Sprintf("type %d %x", m.Type, b)
	}
	if m.StreamID != 0 {
		text = fmt.Sprintf("%d: %s", m.StreamID, text)
	}
	return text
}

func describeValue(v any) string {
	switch v := v.(type) {
	case amf.Null:
		return ""
	case amf.Undefined:
		return " undefined"
	case *amf.Object:
		if code := v.GetString("code"); code != "" {
			return fmt.Sprintf(" (%s %s)", v.GetString("level"), code)
		}
		return " {}"
	}
	return fmt.Sprintf(" %v", v)
}

// cmd is a command in chunks of 128 bytes.
func cmd(csid, streamID uint32, name string, id float64, args ...any) string {
	return cmdObject(csid, streamID, name, id, amf.Null{}, args...)
}

func cmdObject(csid, streamID uint32, name string, id float64, object any, args ...any) string {
	return msg(csid, streamID, message.Command{Name: name, ID: id, Object: object, Args: args})
}

func msg(csid, streamID uint32, m message.Body) string {
	return string(chunk.AppendMessage(nil, csid, m.Type(), streamID, 0, m.Append(nil), 128))
}

// av is an audio or video message of up to 128 bytes on a chunk stream.
func av(csid uint32, typ uint8, streamID, ts uint32, payload string) string {
	return string(chunk.AppendMessage(nil, csid, typ, streamID, ts, []byte(payload), 128))
}

func object(pairs ...any) *amf.Object {
	o := &amf.Object{}
	for i := 0; i < len(pairs); i += 2 {
		o.Props = append(o.Props, amf.Property{Name: pairs[i].(string), Value: pairs[i+1]})
	}
	return o
}

var accepted = []string{
	"type 5 002625a0", "type 6 002625a002", "type 1 00010000",
	"_result 1 {} (status NetConnection.Connect.Success)",
}

// hello is a connected client.
var hello = turn{
	send:   greeting + cmdObject(3, 0, "connect", 1, object("app", "live", "flashVer", "test", "tcUrl", "rtmp://h/live")),
	events: []string{"connect live? on h by test"},
	out:    accepted,
}

// created is a client with stream 1.
var created = turn{send: cmd(3, 0, "createStream", 2), out: []string{"_result 2 1"}}

// published is a client that publishes on stream 1.
var published = turn{
	send:   cmd(4, 1, "publish", 3, "s", "live"),
	events: []string{"Publish{StreamID:1 App:live Name:s Query: PublishType:live}"},
	out:    []string{"user control 0 1", "1: onStatus 0 (status NetStream.Publish.Start)"},
}

// played is a client that plays on stream 1.
var played = turn{
	send:   cmd(4, 1, "play", 3, "s"),
	events: []string{"Play{StreamID:1 App:live Name:s Query: Start:-2 Duration:-1 Reset:true}"},
	out: []string{
		"user control 0 1", "1: onStatus 0 (status NetStream.Play.Reset)", "1: onStatus 0 (status NetStream.Play.Start)",
	},
}
