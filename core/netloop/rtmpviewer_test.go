package netloop

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp/chunk"
	"github.com/millrace/millrace/core/rtmp/message"
)

const handshakeSize = 1536

// rtmpMessage is one on the wire.
type rtmpMessage struct {
	csid, typ    uint8
	streamID, ts uint32
	payload      []byte
}

// rtmpSource reads a chunk stream as strictly as no player does: type 0
// headers only, and nothing between the chunks of a message.
type rtmpSource struct {
	r    io.Reader
	size int
}

func (s *rtmpSource) next() (item, error) {
	m, err := s.message()
	if err != nil {
		return item{}, err
	}
	switch kind := media.Kind(m.typ); kind {
	case media.Audio, media.Video, media.Data:
		if m.csid != kind.ChunkStream() {
			return item{}, malformed("%s on chunk stream %d", kind, m.csid)
		}
		return item{unit: unit{kind, m.ts, string(m.payload)}}, nil
	}
	return s.control(m)
}

func (s *rtmpSource) message() (rtmpMessage, error) {
	b, err := read(s.r, 1)
	if err != nil {
		return rtmpMessage{}, err
	}
	m := rtmpMessage{csid: b[0] & 63}
	if b[0]>>6 != 0 || m.csid < 2 {
		return m, malformed("basic header %#x", b[0])
	}
	if b, err = inside(s.r, 11); err != nil {
		return m, err
	}
	m.ts = uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
	n := int(b[3])<<16 | int(b[4])<<8 | int(b[5])
	m.typ, m.streamID = b[6], binary.LittleEndian.Uint32(b[7:])
	extended := m.ts == 0xFFFFFF
	if extended {
		if b, err = inside(s.r, 4); err != nil {
			return m, err
		}
		m.ts = binary.BigEndian.Uint32(b)
	}
	m.payload, err = s.payload(m, n, extended)
	return m, err
}

func (s *rtmpSource) payload(m rtmpMessage, n int, extended bool) ([]byte, error) {
	var all []byte
	for {
		b, err := inside(s.r, min(n-len(all), s.size))
		if err != nil {
			return nil, err
		}
		if all = append(all, b...); len(all) == n {
			return all, nil
		}
		want := []byte{0xC0 | m.csid}
		if extended {
			want = binary.BigEndian.AppendUint32(want, m.ts)
		}
		if b, err = inside(s.r, len(want)); err != nil {
			return nil, err
		}
		if string(b) != string(want) {
			return nil, malformed("% x between chunks, want % x", b, want)
		}
	}
}

func (s *rtmpSource) control(m rtmpMessage) (item, error) {
	switch m.typ {
	case message.TypeSetChunkSize:
		s.size = int(binary.BigEndian.Uint32(m.payload))
		return item{control: "chunk size"}, nil
	case message.TypeUserControl:
		u, err := message.DecodeUserControl(m.payload)
		if u.Event == message.PingResponse {
			return item{control: fmt.Sprintf("pong %d", u.Value)}, err
		}
		return item{control: fmt.Sprintf("user control %d of %d", u.Event, u.Value)}, err
	case message.TypeCommandAMF0:
		c, err := message.DecodeCommand(m.typ, m.payload, amf.Limits{Depth: 8})
		code, _ := amf.Lookup(c.Arg(0), "code")
		if c.Name != "onStatus" {
			code = c.ID
		}
		return item{control: fmt.Sprint(c.Name, " ", code)}, err
	case message.TypeAcknowledgement, message.TypeWindowAckSize, message.TypeSetPeerBandwidth:
		return item{control: fmt.Sprintf("message %d", m.typ)}, nil
	}
	return item{}, malformed("message type %d", m.typ)
}

// command is a call's bytes, in chunks of 128.
func command(streamID uint32, id float64, name string, object any, args ...any) []byte {
	m := message.Command{Name: name, ID: id, Object: object, Args: args}
	return chunk.AppendMessage(nil, 3, m.Type(), streamID, 0, m.Append(nil), 128)
}

func rtmpPing(n uint32) []byte {
	m := message.UserControl{Event: message.PingRequest, Value: n}
	return chunk.AppendMessage(nil, 2, m.Type(), 0, 0, m.Append(nil), 128)
}

func connectTo(app string) []byte {
	return command(0, 1, "connect", &amf.Object{Props: []amf.Property{
		{Name: "app", Value: app}, {Name: "flashVer", Value: "test"}, {Name: "tcUrl", Value: "rtmp://h/" + app},
	}})
}

// shake does the simple handshake.
func shake(t testing.TB, c net.Conn, in io.Reader) {
	t.Helper()
	hello := make([]byte, 1+handshakeSize)
	hello[0] = 3
	if _, err := c.Write(hello); err != nil {
		t.Fatal(err)
	}
	b, err := read(in, 1+2*handshakeSize)
	if err == nil {
		_, err = c.Write(b[1 : 1+handshakeSize])
	}
	if err != nil {
		t.Fatal(err)
	}
}

// rtmpDial is a connection that has done its handshake and sends calls.
func (r *rig) rtmpDial(m manner, calls ...[]byte) *tape {
	r.t.Helper()
	c := dial(r.t, r.rtmp.Addr(), m.receive)
	in := m.reader(c)
	shake(r.t, c, in)
	var all []byte
	for _, b := range calls {
		all = append(all, b...)
	}
	if _, err := c.Write(all); err != nil {
		r.t.Fatal(err)
	}
	return record(r.t, c, &rtmpSource{r: in, size: 128})
}

// play starts an RTMP viewer on a message stream.
func (r *rig) play(m manner, path string, streamID uint32) *tape {
	r.t.Helper()
	k := parseKey(path)
	p := r.rtmpDial(m, connectTo(k.App), command(0, 2, "createStream", nil),
		command(streamID, 3, "play", nil, k.Name))
	p.waitControl("onStatus NetStream.Play.Start")
	return p
}
