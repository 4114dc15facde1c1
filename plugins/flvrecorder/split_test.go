package flvrecorder

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/plugintest"
)

// The parts together are the stream: no tag is lost or repeated at a cut, each
// begins with what a decoder needs, and the decoded frames are the source's.
func TestSplit(t *testing.T) {
	t.Parallel()
	source := makeClip(t, picture+sound+"-t 6 "+h264+aac)
	items := plugintest.ReadFLV(t, source)
	for name, pairs := range map[string][]any{
		"time": {"split_time", "1s"}, "size": {"split_size", "64KiB"}, "both": {"split_time", "2s", "split_size", "64KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := recorded(t, func(s *plugintest.Stream) { s.FeedFLV(source) }, pairs...)
			m := whole(t, h)
			if len(m.Parts) < 2 {
				t.Fatalf("%d parts", len(m.Parts))
			}
			var all []written
			var video, audio []string
			for i, p := range m.Parts {
				path := filepath.Join(filepath.Dir(files(t, h)[0]), p.File)
				_, heads, tags := content(t, path)
				if len(heads) != 2 || tags[0].kind != media.Video || !p.Keyframe || tags[0].time > 50 {
					t.Errorf("part %d begins with %d headers, %v at %d", i+1, len(heads), tags[0].kind, tags[0].time)
				}
				least := int64(1 << 60)
				for _, g := range tags {
					least = min(least, g.time)
					g.time += p.FromDTS
					all = append(all, g)
				}
				if least != 0 {
					t.Errorf("part %d begins at %d ms", i+1, least)
				}
				video = append(video, decoded(t, path, "v")...)
				audio = append(audio, decoded(t, path, "a")...)
			}
			equal(t, "parts", all, sourceTags(items, 0))
			if !slices.Equal(video, decoded(t, source, "v")) {
				t.Error("decoded pictures differ")
			}
			if want := decoded(t, source, "a"); len(audio) != len(want) {
				t.Errorf("%d frames of sound decoded, want %d", len(audio), len(want))
			}
		})
	}
}

// Audio that comes after a keyframe but is from before it does not get lost at
// the beginning of a part, whether it comes in the same batch or later.
func TestEarlyAudio(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"together": 1000, "one by one": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var frames []*media.Frame
			for i := range int64(120) {
				flags := media.Flags(0)
				if i%25 == 0 {
					flags = media.Keyframe
				}
				frames = append(frames, plugintest.NALU(flags, 100+i*40, 50), plugintest.Audio(media.AAC, 0, 85+i*40, []byte{1, byte(i)}))
			}
			h := recorded(t, func(s *plugintest.Stream) {
				for part := range slices.Chunk(frames, size) {
					s.FeedFrames(part...)
				}
			}, "split_time", "1s")
			m := whole(t, h)
			var all []written
			for _, p := range m.Parts {
				_, _, tags := content(t, filepath.Join(filepath.Dir(files(t, h)[0]), p.File))
				for _, g := range tags {
					g.time += p.FromDTS
					all = append(all, g)
				}
			}
			want := sourceTags(plugintest.Frames(frames...), 0)
			if size == 1 { // nobody could know
				want[1].time = 100
			}
			equal(t, "parts", all, want)
		})
	}
}

// However many parts there are, one more costs the manifest a few lines, and a
// process that is killed among them leaves nothing that the next does not know.
func TestManyParts(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	a := startTap(h, "split_time", "1s")
	s := h.Attach(a, "live", "cam")
	feedParts := func(from, to int64) {
		for i := from; i < to; i++ {
			s.FeedFrames(plugintest.GOPs(1, i*1000, 50)...)
		}
		waitFor(t, "the parts are done", func() bool { return len(h.Announced(event.RecordDone)) == int(to)-1 })
	}
	feedParts(0, 100)
	path := files(t, h)[0] + ".json"
	sizes := func() (manifest os.FileInfo, log int64) {
		manifest, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path + ".log")
		if err != nil {
			t.Fatal(err)
		}
		return manifest, info.Size()
	}
	before, log := sizes()
	feedParts(100, 150)
	after, grown := sizes()
	if !os.SameFile(before, after) || before.Size() != after.Size() || grown-log > 50*3000 {
		t.Errorf("%d parts more, and the manifest grew by %d bytes, its log by %d", 50, after.Size()-before.Size(), grown-log)
	}
	for _, p := range manifestOf(t, h).Parts[:149] {
		if p.SHA256 == "" || p.Own == nil || p.Size == 0 {
			t.Fatalf("%+v", p)
		}
	}
	a.stream.kill()
	b := startTap(h, "split_time", "1s")
	s = s.Resume(b)
	s.FeedFrames(plugintest.GOPs(1, 150*1000, 50)...)
	s.End()
	h.Stop(b)
	if m := whole(t, h); len(m.Parts) != 151 {
		t.Errorf("%d parts", len(m.Parts))
	}
	if _, err := os.Stat(path + ".log"); err == nil {
		t.Error("the log is still there")
	}
}
