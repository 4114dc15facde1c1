package amf

import (
	"errors"
	"reflect"
	"testing"
)

// version is one of the two formats, for tests that both must pass.
type version struct {
	name   string
	decode func([]byte, Limits) (any, int, error)
	all    func([]byte, Limits) ([]any, error)
	append func([]byte, any) []byte
	cases  []wireCase
	bad    []badCase
}

var versions = []version{
	{"AMF0", Decode0, DecodeAll0, Append0, cases0, bad0},
	{"AMF3", Decode3, DecodeAll3, Append3, cases3, bad3},
}

func each(t *testing.T, f func(*testing.T, version)) {
	t.Parallel()
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) { t.Parallel(); f(t, v) })
	}
}

func TestDecode(t *testing.T) {
	each(t, func(t *testing.T, ver version) {
		for _, c := range ver.cases {
			v, n, err := ver.decode([]byte(c.enc), Limits{})
			if err != nil || n != len(c.enc) || !reflect.DeepEqual(v, c.dec) {
				t.Errorf("%s: got %#v, %d, %v; want %#v, %d", c.name, v, n, err, c.dec, len(c.enc))
			}
		}
	})
}

func TestAppend(t *testing.T) {
	each(t, func(t *testing.T, ver version) {
		for _, c := range ver.cases {
			want := c.enc
			if c.canon != "" {
				want = c.canon
			}
			if got := ver.append([]byte("!"), c.dec); string(got) != "!"+want {
				t.Errorf("%s: got %q, want %q", c.name, got, "!"+want)
			}
		}
	})
}

// A value that is cut short says so at each length, but for the end marker
// that AMF0 may go without.
func TestDecodePrefixes(t *testing.T) {
	each(t, func(t *testing.T, ver version) {
		for _, c := range ver.cases {
			for n := range min(len(c.enc), 512) {
				v, used, err := ver.decode([]byte(c.enc[:n]), Limits{})
				if err == nil && used == n && ver.name == "AMF0" && isOpen(v) {
					continue
				}
				if !errors.Is(err, ErrShort) {
					t.Errorf("%s, %d bytes of it: got %#v, %v", c.name, n, v, err)
				}
			}
		}
	})
}

func isOpen(v any) bool {
	switch v.(type) {
	case *Object, ECMAArray:
		return true
	}
	return false
}

func TestDecodeRefuses(t *testing.T) {
	each(t, func(t *testing.T, ver version) {
		for _, c := range ver.bad {
			v, n, err := ver.decode([]byte(c.enc), Limits{})
			if v != nil || n != 0 {
				t.Errorf("%s: got %#v, %d with an error", c.name, v, n)
			}
			var syntax *SyntaxError
			if c.want == nil && !errors.As(err, &syntax) || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s: got error %v, want %v", c.name, err, c.want)
			}
		}
	})
}

func TestDecodeAll(t *testing.T) {
	each(t, func(t *testing.T, ver version) {
		var b []byte
		var want []any
		for _, v := range []any{"connect", 1.0, obj(Property{"app", "live"}), Null{}} {
			b, want = ver.append(b, v), append(want, v)
		}
		if got, err := ver.all(b, Limits{}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %#v, %v", got, err)
		}
		got, err := ver.all(append(b, 0x7f), Limits{})
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Offset != len(b) || !reflect.DeepEqual(got, want) {
			t.Errorf("with a bad value behind: got %#v, %v", got, err)
		}
		if got, err := ver.all(nil, Limits{}); err != nil || len(got) != 0 {
			t.Errorf("nothing: got %#v, %v", got, err)
		}
	})
}

func TestDecodeAllSharesLimits(t *testing.T) {
	each(t, func(t *testing.T, ver version) {
		b := ver.append(ver.append(nil, StrictArray{true, true}), StrictArray{true, true})
		if got, err := ver.all(b, Limits{Values: 6}); err != nil {
			t.Errorf("within the limit: %#v, %v", got, err)
		}
		if got, err := ver.all(b, Limits{Values: 5}); !errors.Is(err, ErrValues) || len(got) != 1 {
			t.Errorf("over the limit: %#v, %v", got, err)
		}
		if _, err := ver.all(b, Limits{Depth: 1}); err != nil {
			t.Errorf("depth 1: %v", err)
		}
	})
}

func TestDecodedDoesNotShareInput(t *testing.T) {
	each(t, func(t *testing.T, ver version) {
		for _, c := range ver.cases {
			b := []byte(c.enc)
			v, _, err := ver.decode(b, Limits{})
			clear(b)
			if err != nil || !reflect.DeepEqual(v, c.dec) {
				t.Errorf("%s: changed with the input: %#v, %v", c.name, v, err)
			}
		}
	})
}

func TestAppendGoNumbers(t *testing.T) {
	each(t, func(t *testing.T, ver version) {
		want := string(ver.append(nil, 7.0))
		for _, n := range []any{7, int64(7), uint32(7), uint64(7)} {
			if got := ver.append(nil, n); string(got) != want {
				t.Errorf("%T: got %q, want %q", n, got, want)
			}
		}
	})
}

func TestAppendOddValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		v          any
		amf0, amf3 string
	}{
		{"nil", nil, "\x05", "\x01"},
		{"nil object", (*Object)(nil), "\x05", "\x01"},
		{"nil array", ECMAArray(nil), "\x08\x00\x00\x00\x00\x00\x00\x09", "\x09\x01\x01"},
		{"unknown type", struct{}{}, "\x0d", "\x00"},
		{"name too long for AMF0", ECMAArray{{long, true}}, "\x08\x00\x00\x00\x01\xff\xff" + long[1:] + "\x01\x01\x00\x00\x09", ""},
		{"array element without a name", ECMAArray{{"", true}}, "\x08\x00\x00\x00\x01\x00\x00\x01\x01\x00\x00\x09", "\x09\x01\x01"},
	} {
		if got := Append0(nil, c.v); string(got) != c.amf0 {
			t.Errorf("%s in AMF0: got %.40q", c.name, got)
		}
		if got := Append3(nil, c.v); c.amf3 != "" && string(got) != c.amf3 {
			t.Errorf("%s in AMF3: got %.40q", c.name, got)
		}
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	props := []Property{{"app", "old"}, {"n", 2.0}, {"app", "live"}}
	type getter interface {
		Get(string) (any, bool)
		GetString(string) string
		GetNumber(string) (float64, bool)
	}
	for _, g := range []getter{&Object{Props: props}, ECMAArray(props)} {
		if v, ok := Lookup(g, "app"); !ok || v != "live" {
			t.Errorf("%T: Lookup gives %v, %v", g, v, ok)
		}
		if g.GetString("app") != "live" || g.GetString("n") != "" || g.GetString("x") != "" {
			t.Errorf("%T: GetString", g)
		}
		if n, ok := g.GetNumber("n"); !ok || n != 2 {
			t.Errorf("%T: GetNumber gives %v, %v", g, n, ok)
		}
		if _, ok := g.GetNumber("app"); ok {
			t.Errorf("%T: a string is no number", g)
		}
	}
	if _, ok := Lookup("app", "app"); ok {
		t.Error("a string has no properties")
	}
	if _, ok := (*Object)(nil).Get("app"); ok {
		t.Error("a nil object has no properties")
	}
}
