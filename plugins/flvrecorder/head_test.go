package flvrecorder

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/plugins/record"
)

func manyKeys(n int) []key {
	keys := make([]key, n)
	for i := range keys {
		keys[i] = key{int64(i) * 1000, int64(i) * 2000}
	}
	return keys
}

func metaOf(props amf.ECMAArray) []byte { return amf.Append0(amf.Append0(nil, "onMetaData"), props) }

func properties(t *testing.T, head []byte) amf.ECMAArray {
	t.Helper()
	m, err := flv.ParseMetadata(head[flv.FileHeaderSize+tagHeader:], amf.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m.Props
}

// Live and final head have one length, whatever is in them, and both are an
// FLV header and one whole tag all of whose data are AMF0 values.
func TestHeads(t *testing.T) {
	t.Parallel()
	long := metaOf(amf.ECMAArray{{Name: "title", Value: string(bytes.Repeat([]byte("x"), 9000))}})
	short := metaOf(amf.ECMAArray{{Name: "title", Value: "short"}, {Name: "width", Value: 64.0}})
	for _, c := range []struct {
		name        string
		first, last []byte
		room        int64
		keys, want  int
		title       string
	}{
		{"all fits", short, short, 1800, 100, 100, "short"},
		{"no room", short, short, 0, 100, -1, "short"},
		{"thinned", short, short, 1800, 100_000, -1, "short"},
		{"no metadata", nil, nil, 1800, 10, 10, ""},
		{"not AMF", []byte("garbage"), []byte{3}, 1800, 10, 10, ""},
		{"grown", short, long, 1800, 10, 10, "short"},
		{"came late", nil, short, 1800, 10, 10, "short"},
		{"huge room", short, short, 512 << 10, 29_000, 29_000, "short"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			live := newLiveHead(c.first, true, true, c.room)
			b := live.bytes()
			s := summary{audio: true, meta: c.last, duration: 5000, size: 1 << 33, last: 4960, body: live.size(), keys: manyKeys(c.keys)}
			final, err := finalHead(s, live.meta, live.size())
			if err != nil || int64(len(b)) != live.size() || len(final) != len(b) || b[4] != 5 || final[4] != 4 {
				t.Fatalf("live %d of %d, final %d, %v", len(b), live.size(), len(final), err)
			}
			for _, head := range [][]byte{b, final} {
				data := head[flv.FileHeaderSize+tagHeader : len(head)-tagTrailer]
				if _, err := amf.DecodeAll0(data, amf.Limits{Values: 1 << 24}); err != nil {
					t.Errorf("not all is AMF0: %v", err)
				}
				contentOf(t, head)
			}
			props := properties(t, final)
			table, _ := props.Get("keyframes")
			times, _ := amf.Lookup(table, "times")
			n := len(times.(amf.StrictArray)) - 1
			if c.want >= 0 && n != c.want || n < 5 || int64(n) > c.room/entrySize+20 || props.GetString("title") != c.title {
				t.Errorf("%d keyframes, title %q", n, props.GetString("title"))
			}
			if number(t, props, "filesize") != 1<<33 || number(t, props, "duration") != 5 {
				t.Error("filesize or duration")
			}
		})
	}
}

func TestThin(t *testing.T) {
	t.Parallel()
	got := thin(manyKeys(10), 4)
	if len(got) != 4 || got[0].at != 0 || got[1].at != 2000 || got[2].at != 5000 || got[3].at != 7000 {
		t.Errorf("%v", got)
	}
	if got := thin(manyKeys(3), 4); len(got) != 3 {
		t.Errorf("%v", got)
	}
}

// The manifest gives the old head back, byte for byte, and keeps the first.
func TestKeepHead(t *testing.T) {
	t.Parallel()
	m := record.Manifest{Parts: []record.Part{{File: "a.flv"}}, Extra: map[string]json.RawMessage{}}
	live := newLiveHead(nil, true, false, 1800)
	for _, b := range [][]byte{live.bytes(), make([]byte, 40)} {
		if err := keepHead(&m.Parts[0], b); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := LiveHead(&m, "a.flv"); err != nil || !bytes.Equal(got, live.bytes()) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, err := LiveHead(&m, "b.flv"); err != nil || got != nil {
		t.Errorf("of another part: %d bytes, %v", len(got), err)
	}
	for _, raw := range []string{`{"heads":[{"file":"a.flv","size":5,"zeros":1000000000000}]}`, `{"heads":[{"file":"a.flv","size":-1,"zeros":-1}]}`, `[]`} {
		m.Extra[extraKey] = json.RawMessage(raw) // as manifests had it before
		if got, err := LiveHead(&m, "a.flv"); err == nil {
			t.Errorf("%s gives %d bytes", raw, len(got))
		}
	}
}
