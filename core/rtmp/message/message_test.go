package message

import (
	"errors"
	"reflect"
	"testing"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
)

// decode decodes a payload of any type but data and aggregate.
func decode(typ uint8, b []byte) (Body, error) {
	switch typ {
	case TypeSetChunkSize:
		return DecodeSetChunkSize(b)
	case TypeAbort:
		return DecodeAbort(b)
	case TypeAcknowledgement:
		return DecodeAcknowledgement(b)
	case TypeUserControl:
		return DecodeUserControl(b)
	case TypeWindowAckSize:
		return DecodeWindowAckSize(b)
	case TypeSetPeerBandwidth:
		return DecodeSetPeerBandwidth(b)
	}
	return DecodeCommand(typ, b, amf.Limits{})
}

func room(s string) []byte {
	r := media.NewRoom(len(s))
	copy(media.Payload(r), s)
	return r
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, c := range cases {
		got, err := decode(c.typ, []byte(c.enc))
		want := c.dec
		if cmd, ok := want.(Command); ok && cmd.Args == nil && cmd.Object != nil {
			cmd.Args = []any{}
			want = cmd
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %#v, %v; want %#v", c.name, got, err, want)
		}
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	for _, c := range cases {
		want := c.enc
		if c.canon != "" {
			want = c.canon
		}
		if got := c.dec.Append([]byte("!")); string(got) != "!"+want || c.dec.Type() != c.typ {
			t.Errorf("%s: got %q of type %d, want %q", c.name, got, c.dec.Type(), want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range badCases {
		if got, err := decode(c.typ, []byte(c.enc)); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: got %#v, %v", c.name, got, err)
		}
	}
}

func TestCommandArgs(t *testing.T) {
	t.Parallel()
	c := Command{Args: []any{"a", 2.0, true}}
	if c.Text(0) != "a" || c.Text(1) != "" || c.Text(9) != "" {
		t.Error("Text")
	}
	if c.Number(1, 7) != 2 || c.Number(0, 7) != 7 || c.Number(9, 7) != 7 {
		t.Error("Number")
	}
	if !c.Bool(2, false) || !c.Bool(1, false) || !c.Bool(0, true) || c.Bool(9, false) {
		t.Error("Bool")
	}
}

func TestUnifyData(t *testing.T) {
	t.Parallel()
	for _, c := range dataCases {
		got, err := UnifyData(c.typ, room(c.in), amf.Limits{})
		if err != nil || string(media.Payload(got)) != c.out {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, err, c.out)
		}
	}
	for _, c := range badDataCases {
		if got, err := UnifyData(c.typ, room(c.enc), amf.Limits{}); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: got %q, %v", c.name, got, err)
		}
	}
}

func TestDataAppend(t *testing.T) {
	t.Parallel()
	d := Data{Name: "onMetaData", Values: []any{amf.ECMAArray{{Name: "width", Value: 1}}}}
	if got := d.Append(nil); string(got) != metaArray || d.Type() != TypeDataAMF0 {
		t.Errorf("got %q", got)
	}
}

func TestAggregate(t *testing.T) {
	t.Parallel()
	for _, c := range partsCases {
		got, err := parts([]byte(c.enc))
		if !errors.Is(err, c.err) || !reflect.DeepEqual(got, c.dec) {
			t.Errorf("%s: got %v, %v", c.name, got, err)
		}
		if !c.ours {
			continue
		}
		var b []byte
		for _, p := range c.raw {
			b = AppendPart(b, p)
		}
		if string(b) != c.enc {
			t.Errorf("%s: wrote %q", c.name, b)
		}
	}
}

func parts(b []byte) (all []Part, err error) {
	a := NewAggregate(b, 1000)
	for {
		p, ok, err := a.Next()
		if !ok {
			_, again, _ := a.Next()
			if again {
				return nil, errors.New("it goes on after its end")
			}
			return all, err
		}
		all = append(all, p)
	}
}

func FuzzCommands(f *testing.F) {
	for _, c := range cases {
		f.Add(c.typ, []byte(c.enc))
	}
	for _, c := range badCases {
		f.Add(c.typ, []byte(c.enc))
	}
	f.Fuzz(func(t *testing.T, typ uint8, b []byte) {
		m, err := decode(typ, b)
		if err != nil {
			return
		}
		if c, ok := m.(Command); ok && c.AMF3 != (typ == TypeCommandAMF3) {
			t.Fatal("wrong type")
		}
		enc := m.Append(nil)
		again, err := decode(m.Type(), enc)
		if err != nil {
			t.Fatalf("%#v does not read back: %v", m, err)
		}
		if second := again.Append(nil); string(second) != string(enc) {
			t.Fatalf("%q became %q", enc, second)
		}
	})
}

func FuzzData(f *testing.F) {
	for _, c := range dataCases {
		f.Add(c.typ == TypeDataAMF3, []byte(c.in))
	}
	for _, c := range badDataCases {
		f.Add(c.typ == TypeDataAMF3, []byte(c.enc))
	}
	f.Fuzz(func(t *testing.T, amf3 bool, b []byte) {
		typ := TypeDataAMF0
		if amf3 {
			typ = TypeDataAMF3
		}
		got, err := UnifyData(typ, room(string(b)), amf.Limits{})
		if err != nil {
			return
		}
		if len(got) < media.Headroom+media.Tailroom {
			t.Fatal("no room")
		}
		if name, _, err := amf.Decode0(media.Payload(got), amf.Limits{}); err != nil || name == setDataFrame && !amf3 {
			t.Fatalf("name %v, %v", name, err)
		}
	})
}

func FuzzAggregate(f *testing.F) {
	for _, c := range partsCases {
		f.Add([]byte(c.enc))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		all, _ := parts(b)
		n := 0
		for _, p := range all {
			n += len(p.Payload) + partHeader
		}
		if n > len(b) {
			t.Fatalf("%d bytes out of %d", n, len(b))
		}
	})
}
