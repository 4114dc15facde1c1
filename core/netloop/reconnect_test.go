package netloop

import (
	"context"
	"slices"
	"testing"

	"github.com/millrace/millrace/core/amf"
)

// TestDrainAsksToReconnect has RTMP peers of all roles asked to come back, each
// before its good-bye, if they announced that they can.
func TestDrainAsksToReconnect(t *testing.T) {
	t.Parallel()
	const asked = "onStatus NetConnection.Connect.ReconnectRequest"
	r := newRig(t)
	f := r.start("live/a")
	connect := func(caps float64) []byte {
		return command(0, 1, "connect", &amf.Object{Props: []amf.Property{
			{Name: "app", Value: "live"}, {Name: "capsEx", Value: caps},
		}})
	}
	create := command(0, 2, "createStream", nil)
	roles := map[string][]byte{
		"player":    command(1, 3, "play", nil, "a"),
		"waiting":   command(1, 3, "play", nil, "b"),
		"publisher": nil, // its name is its own
		"idle":      command(0, 3, "createStream", nil),
	}
	all := map[string][2]*tape{}
	for role, call := range roles {
		var pair [2]*tape
		for caps := range pair {
			if role == "publisher" {
				call = command(1, 3, "publish", nil, "of"+string(rune('0'+caps)), "live")
			}
			pair[caps] = r.rtmpDial(manner{}, connect(float64(caps)), create, rtmpPing(1), call)
			pair[caps].waitControl("pong 1")
		}
		all[role] = pair
	}
	r.waitConns(2 * len(roles))
	all["player"][0].waitLast(f)
	all["player"][1].waitLast(f)
	for _, p := range all["publisher"] {
		p.waitControl("onStatus NetStream.Publish.Start")
	}
	eventually(t, "viewers wait", func() bool { return r.engine.Stats().Waiting == 2 })

	done := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		done <- r.engine.Drain(ctx)
	}()
	for role, pair := range all {
		for caps, p := range pair {
			p.cleanEnd()
			heard := p.heard()
			at := slices.Index(heard, asked)
			if (at >= 0) != (caps == 1) {
				t.Errorf("%s with capsEx %d heard %q", role, caps, heard)
			}
			if good := role == "player" || role == "publisher"; good && at == len(heard)-1 {
				t.Errorf("%s was asked after its good-bye: %q", role, heard)
			}
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
