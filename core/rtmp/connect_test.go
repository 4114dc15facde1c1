package rtmp

import (
	"reflect"
	"testing"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp/message"
)

// TestConnectAnswer reads what Enhanced RTMP v2 has a server say of itself, in
// both objects: readers differ on which one they look in.
func TestConnectAnswer(t *testing.T) {
	t.Parallel()
	k := newTalk(t, Options{}, 1<<20)
	k.decide = func(*Session, Event) {}
	if err := k.feed(hello.send); err != nil {
		t.Fatal(err)
	}
	_ = k.s.AcceptConnect()
	k.back.Feed(k.s.TakeOutput())
	for {
		m, ok, err := k.back.Next()
		if err != nil || !ok {
			t.Fatalf("no _result: %v", err)
		}
		vals, err := amf.DecodeAll0(media.Payload(m.Room), amf.Limits{})
		if m.Type != message.TypeCommandAMF0 || err != nil || vals[0] != "_result" {
			continue
		}
		for _, said := range vals[2:] {
			checkEnhanced(t, said)
		}
		return
	}
}

func checkEnhanced(t *testing.T, said any) {
	t.Helper()
	o, _ := said.(*amf.Object)
	if o == nil {
		t.Fatalf("no object: %v", said)
	}
	list, _ := o.Get("fourCcList")
	want := amf.StrictArray{"avc1", "hvc1", "av01", "vp09", "vp08", "vvc1", "mp4a", ".mp3", "Opus", "fLaC", "ac-3", "ec-3"}
	if !reflect.DeepEqual(list, want) {
		t.Errorf("fourCcList %v, want %v", list, want)
	}
	for _, name := range []string{"videoFourCcInfoMap", "audioFourCcInfoMap"} {
		v, _ := o.Get(name)
		if all, _ := v.(*amf.Object); all == nil || !reflect.DeepEqual(all.Props, []amf.Property{{Name: "*", Value: 4.0}}) {
			t.Errorf("%s %v", name, v) // CanForward is 4
		}
	}
	if n, _ := o.GetNumber("capsEx"); n != 15 {
		t.Errorf("capsEx %v", n) // Reconnect, Multitrack, ModEx, TimestampNanoOffset
	}
}
