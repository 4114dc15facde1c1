package manifest

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// logs are logs and what a manifest that lists a.flv of 1 byte has with each.
var logs = []struct {
	name, log string
	want      []Part
}{
	{"empty", "", []Part{{File: "a.flv", Size: 1}}},
	{"one more", "\n" + `{"file":"b/c.ts","number":2,"from_seq":3,"to_seq":9,"keyframe":true,"own":{"x":1}}`, []Part{
		{File: "a.flv", Size: 1},
		{File: "b/c.ts", Number: 2, FromSeq: 3, ToSeq: 9, Keyframe: true, Own: json.RawMessage(`{"x":1}`)},
	}},
	{"listed", "\n" + `{"file":"a.flv","size":9}`, []Part{{File: "a.flv", Size: 1}}},
	{"again", "\n" + `{"file":"a.flv","size":9,"again":true}`, []Part{{File: "a.flv", Size: 9}}},
	{"again, listed by the log", "\n" + `{"file":"b"}` + "\n" + `{"file":"b","size":7,"again":true}`, []Part{{File: "a.flv", Size: 1}, {File: "b", Size: 7}}},
	{"cut short", "\n" + `{"file":"b"` + "\n" + `{"file":"c"}` + "\n" + `{"fi`, []Part{{File: "a.flv", Size: 1}, {File: "c"}}},
	{"out of the folder", "\n" + `{"file":"../b"}` + "\n" + `{"file":"/b"}` + "\n{}\nnull", []Part{{File: "a.flv", Size: 1}}},
}

func TestLog(t *testing.T) {
	t.Parallel()
	for _, l := range logs {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			once := Add([]Part{{File: "a.flv", Size: 1}}, ParseLog([]byte(l.log)))
			if !reflect.DeepEqual(once, l.want) {
				t.Errorf("%+v, want %+v", once, l.want)
			}
			if twice := Add(once, ParseLog([]byte(l.log))); !reflect.DeepEqual(twice, l.want) {
				t.Errorf("a second time: %+v", twice)
			}
		})
	}
}

func FuzzParseLog(f *testing.F) {
	for _, l := range logs {
		f.Add([]byte(l.log))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		seen := map[string]bool{}
		for _, p := range Add(nil, ParseLog(b)) {
			if strings.HasPrefix(filepath.Join("root", p.File), "..") || filepath.IsAbs(p.File) || seen[p.File] {
				t.Errorf("%q is taken", p.File)
			}
			seen[p.File] = true
		}
	})
}
