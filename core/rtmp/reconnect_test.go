package rtmp

import (
	"testing"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/rtmp/message"
)

// able is a connect of a client with these capsEx.
func able(caps any) turn {
	return turn{send: greeting + msg(3, 0, message.Command{Name: "connect", ID: 1, Object: &amf.Object{Props: []amf.Property{
		{Name: "app", Value: "live"}, {Name: "capsEx", Value: caps},
	}}})}
}

// Only who announced that it can is asked to connect again, and only when it
// would understand.
func TestRequestReconnect(t *testing.T) {
	t.Parallel()
	asked := []string{"onStatus 0 (status NetConnection.Connect.ReconnectRequest)"}
	for _, c := range []struct {
		name  string
		turns []turn
		out   []string
	}{
		{"able", []turn{able(1)}, asked},
		{"able to do all", []turn{able(15)}, asked},
		{"able publisher", []turn{able(1), created, published}, asked},
		{"able player", []turn{able(3), created, played}, asked},
		{"able to do other things", []turn{able(14)}, nil},
		{"capsEx of another type", []turn{able("1")}, nil},
		{"negative capsEx", []turn{able(-1)}, nil},
		{"nothing said", []turn{hello}, nil},
		{"before connect", []turn{{send: greeting}}, nil},
		{"before the handshake", nil, nil},
	} {
		k := after(t, Options{}, c.turns...)
		state := k.s.State()
		if did := k.s.RequestReconnect("bye"); did != (c.out != nil) {
			t.Errorf("%s: %t", c.name, did)
		}
		k.expect(c.name, nil, c.out)
		if k.s.State() != state {
			t.Errorf("%s: %v, was %v", c.name, k.s.State(), state)
		}
	}
	k := after(t, Options{}, able(1))
	k.s.CloseConnection(CodeConnectClosed, "bye")
	k.s.TakeOutput()
	if k.s.RequestReconnect("bye") {
		t.Error("a closed connection is asked to connect again")
	}
}
