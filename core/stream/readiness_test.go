package stream

import (
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/core/media"
)

// readinessCases: what a publisher sends, and with which word of it the stream
// becomes ready. "Mav" is metadata that announces audio and video, "cv" a
// sequence header, "k40" a keyframe at 40 ms, "p" an inter frame, "a" audio.
var readinessCases = []struct{ name, in, ready, has string }{
	{"both announced, both there", "Mav cv ca k0 a0 p40", "a0", "av"},
	{"audio comes first", "Mav cv ca a0 a23 k40", "k40", "av"},
	{"audio only, announced", "Ma ca a0 a23", "a0", "a"},
	{"audio only, by its header", "ca a0 a23", "a0", "a"},
	{"audio only, by nothing", "a0 a23", "a0", "a"},
	{"video only, announced", "Mv cv k0 p40", "k0", "v"},
	{"video only, by nothing", "k0 p40", "k0", "v"},
	{"metadata of nothing", "M cv k0 p40", "k0", "v"},
	{"metadata comes last", "cv ca k0 a0 Mav", "a0", "av"},
	{"audio announced and absent", "Mav cv k0 p40 p480 p500 p520", "p500", "v"},
	{"video announced and absent", "Mav ca a0 a499 a522", "a522", "a"},
	{"a sequence header alone is no track", "cv ca k0 p480 p500", "p500", "v"},
	{"audio by its header while video runs", "cv k0 ca", "k0", "v"},
	{"joined in mid-GOP: there is video, it cannot be shown yet", "Mav cv ca p0 a0 p40 a700 k800", "a0", "av"},
	{"joined in mid-GOP, video only", "Mv cv p0 p40 p800 k840", "k840", "v"},
	{"nothing but headers", "Mav cv ca", "", ""},
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	for _, c := range readinessCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFeed(t, nil)
			ready := ""
			for _, word := range strings.Fields(c.in) {
				f.do(word)
				if ready == "" && f.stream().ready.Load() {
					ready = word
				}
			}
			if st := f.stream().State(); ready != c.ready || has(st) != c.has {
				t.Errorf("ready at %q, want %q; has %q, want %q", ready, c.ready, has(st), c.has)
			}
			if n, want := f.noted(Settled), len(c.ready); (n == 1) != (want > 0) || n > 1 {
				t.Errorf("settled %d times", n)
			}
			if n := f.noted(LateTrack); n != 0 {
				t.Errorf("%d late tracks", n)
			}
		})
	}
}

// do sends what a word of a script says.
func (f *feed) do(word string) {
	f.t.Helper()
	var ts int64
	_, _ = fmt.Sscanf(word[1:], "%d", &ts)
	switch word[0] {
	case 'M':
		f.pub.SetMetadata(describe("meta"), strings.Contains(word, "a"), strings.Contains(word, "v"), epoch)
	case 'c':
		kind := media.Audio
		if word[1] == 'v' {
			kind = media.Video
		}
		f.write(config(kind, "config "+word), ts)
	case 'k':
		f.key(ts)
	case 'p':
		f.inter(ts)
	case 'a':
		f.audio(ts)
	}
}

func has(st *media.State) (s string) {
	if st.HasAudio {
		s += "a"
	}
	if st.HasVideo {
		s += "v"
	}
	return s
}

// A track that comes after the stream is ready is told of once, in a new
// onMetaData before its first frame.
func TestLateTrack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, early, late string }{
		{"audio", "Mav cv k0 p500", "ca520 a520 a543"},
		{"video", "Mav ca a0 a500", "cv520 k520 p560"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFeed(t, nil)
			for _, word := range strings.Fields(c.early) {
				f.do(word)
			}
			v := f.join()
			v.read(500)
			v.got = nil
			for _, word := range strings.Fields(c.late) {
				f.do(word)
			}
			v.read(560)
			if n := f.noted(LateTrack); n != 1 {
				t.Errorf("%d late tracks", n)
			}
			if len(v.got) != 4 {
				t.Fatalf("the viewer got %d frames: %v", len(v.got), v.seqs())
			}
			meta, first := v.got[1], v.got[2]
			if text(meta) != "meta audio=true video=true" {
				t.Errorf("before the track came %q", text(meta))
			}
			if !first.IsMedia() || has(first.State) != "av" || first.State.Metadata != meta {
				t.Errorf("its first frame has state %+v", first.State)
			}
		})
	}
}
