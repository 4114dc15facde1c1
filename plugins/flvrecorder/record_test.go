package flvrecorder

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/plugintest"
)

// Every tag of a stream with B-frames is in the file, with its time; the
// decoded frames are those of the source; players can seek.
func TestRecord(t *testing.T) {
	t.Parallel()
	source := makeClip(t, picture+sound+"-t 5 "+h264+aac)
	h := plugintest.NewHost(t)
	r := start(h)
	s := h.Attach(r, "live/a", "cam")
	s.FeedFLV(source)
	if d := s.End(); d.Durable != s.Next() {
		t.Errorf("durable to %d of %d", d.Durable, s.Next())
	}
	h.Stop(r)
	m := whole(t, h)
	path := files(t, h)[0]
	if want := filepath.Join(h.DataDir(), "flv/live~a/cam/20260102_030405.flv"); path != want {
		t.Errorf("recorded to %s", path)
	}
	if p := m.Parts[0]; len(m.Parts) != 1 || p.FromSeq != 1 || p.ToSeq != s.Next() || !p.Keyframe || !p.Started.Equal(s.Attached().Started) {
		t.Errorf("parts %+v", m.Parts)
	}
	items := plugintest.ReadFLV(t, source)
	props, heads, tags := content(t, path)
	equal(t, "file", tags, sourceTags(items, 0))
	if len(heads) != 2 {
		t.Errorf("%d sequence headers", len(heads))
	}
	if d := number(t, props, "duration"); d < 4.9 || d > 5.1 || number(t, props, "filesize") != float64(m.Parts[0].Size) {
		t.Errorf("duration %v", d)
	}
	for _, kind := range []string{"v", "a"} {
		if !slices.Equal(decoded(t, path, kind), decoded(t, source, kind)) {
			t.Errorf("decoded %s differ", kind)
		}
	}
	out := strings.TrimSpace(ffmpeg(t, "ffprobe", "-show_entries format=duration -of csv=p=0 "+path))
	if d, err := strconv.ParseFloat(out, 64); err != nil || d < 4.9 || d > 5.2 {
		t.Errorf("ffprobe says %s s", out)
	}
	ffmpeg(t, "ffmpeg", "-ss 3 -i "+path+" -t 1 -f null -")
	checkSeekTable(t, path, props)
}

// checkSeekTable looks at the tags to which the seek table leads. The first
// entry stands for the sequence headers.
func checkSeekTable(t *testing.T, path string, props amf.ECMAArray) {
	t.Helper()
	b := read(t, path)
	table, _ := props.Get("keyframes")
	times, _ := amf.Lookup(table, "times")
	positions, _ := amf.Lookup(table, "filepositions")
	at, when := positions.(amf.StrictArray), times.(amf.StrictArray)
	if len(at) != len(when) || len(at) != 6 || when[0] != 0.0 {
		t.Fatalf("seek table %v, %v", at, when)
	}
	w := &window{r: bytes.NewReader(b)}
	for i, p := range at {
		g, err := w.tag(int64(p.(float64)))
		if err != nil || g == nil || (i > 0) != g.key() || g.key() && seconds(g.time) != when[i] {
			t.Errorf("entry %d leads to %+v, %v", i, g, err)
		}
	}
}

// Other codec parameters begin a part; the same ones again do not.
func TestNewParameters(t *testing.T) {
	t.Parallel()
	other := plugintest.AVCConfig()
	other.Body()[1] = 0x64
	gops := plugintest.GOPs(3, 1000, 50)
	var end uint64
	h := recorded(t, func(s *plugintest.Stream) {
		s.Feed(plugintest.Header(plugintest.AVCConfig()), plugintest.Header(plugintest.AACConfig()))
		s.FeedFrames(gops[:75]...)
		s.FeedFrames(plugintest.AVCConfig(), plugintest.AACConfig())
		s.FeedFrames(gops[75:150]...)
		s.FeedFrames(other, plugintest.AACConfig())
		s.FeedFrames(gops[150:]...)
		end = s.Next()
	})
	m := whole(t, h)
	if len(m.Parts) != 2 || m.Parts[0].ToSeq != 153 || m.Parts[1].FromSeq != 153 || m.Parts[1].ToSeq != end {
		t.Fatalf("parts %+v", m.Parts)
	}
	_, heads, tags := content(t, files(t, h)[1])
	if len(heads) != 2 || heads[0].data != string(other.Payload()) || len(tags) != 75 {
		t.Errorf("%d headers, %d tags", len(heads), len(tags))
	}
	_, _, tags = content(t, files(t, h)[0])
	if len(tags) != 152 {
		t.Errorf("%d tags in the first part", len(tags))
	}
}

// Flags, hasAudio and hasVideo tell what was seen; a header alone is no track.
func TestSeen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		frames func(*media.Frame) bool
		flags  byte
	}{
		{"video only", func(f *media.Frame) bool { return f.Kind == media.Video }, 1},
		{"audio only", func(f *media.Frame) bool { return f.Kind == media.Audio }, 4},
		{"both", func(*media.Frame) bool { return true }, 5},
		{"audio comes later", func(f *media.Frame) bool { return f.Kind == media.Video || f.DTS > 900 }, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			frames := slices.DeleteFunc(plugintest.GOPs(12, 0, 50), func(f *media.Frame) bool { return !c.frames(f) })
			h := recorded(t, func(s *plugintest.Stream) {
				s.Feed(plugintest.Header(plugintest.AVCConfig()), plugintest.Header(plugintest.AACConfig()))
				for part := range slices.Chunk(frames, 20) {
					s.FeedFrames(part...)
				}
			})
			whole(t, h)
			b := read(t, files(t, h)[0])
			props, _, tags := contentOf(t, b)
			audio, _ := props.Get("hasAudio")
			video, _ := props.Get("hasVideo")
			if b[4] != c.flags || audio != (c.flags&4 != 0) || video != (c.flags&1 != 0) || len(tags) != len(frames) {
				t.Errorf("flags %d, hasAudio %v, hasVideo %v, %d tags", b[4], audio, video, len(tags))
			}
			if keys, _ := props.Get("hasKeyframes"); keys != true {
				t.Error("no seek table")
			}
		})
	}
}

// Times of a part begin at 0 wherever the stream is, and go on past 24 bits.
func TestTimes(t *testing.T) {
	t.Parallel()
	for _, base := range []int64{0, 0xFFFFFF - 1000, 1<<32 - 1000, 3<<32 + 5} {
		t.Run(fmt.Sprint(base), func(t *testing.T) {
			t.Parallel()
			frames := slices.Concat(plugintest.GOPs(2, base, 50), plugintest.GOPs(2, base+0xFFFFFF-500, 50))
			h := recorded(t, func(s *plugintest.Stream) { s.FeedFrames(frames...) })
			m := whole(t, h)
			_, _, tags := content(t, files(t, h)[0])
			equal(t, "file", tags, sourceTags(plugintest.Frames(frames...), base))
			if p := m.Parts[0]; p.FromDTS != base || p.ToDTS != base+0xFFFFFF+1500 {
				t.Errorf("from %d to %d", p.FromDTS, p.ToDTS)
			}
		})
	}
}

// onMetaData in mid-stream is in the finished head and nowhere else.
func TestMetadata(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	r := start(h)
	s := h.Attach(r, "live", "cam")
	meta := func(title string) *media.Frame {
		return plugintest.Metadata(amf.ECMAArray{{Name: "title", Value: title}, {Name: "duration", Value: 99.0}, {Name: "hasAudio", Value: true}})
	}
	s.Feed(plugintest.Header(meta("first")))
	s.FeedFrames(plugintest.NALU(media.Keyframe, 0, 50))
	live := read(t, files(t, h)[0])
	s.FeedFrames(meta("second"))
	s.FeedFrames(plugintest.GOPs(1, 40, 50)...)
	s.End()
	h.Stop(r)
	m := whole(t, h)
	props, _, tags := content(t, files(t, h)[0])
	if props.GetString("title") != "second" || number(t, props, "duration") > 2 || len(tags) != 76 {
		t.Errorf("title %q, %d tags", props.GetString("title"), len(tags))
	}
	props, _, _ = contentOf(t, live)
	_, hasDuration := props.Get("duration")
	if props.GetString("title") != "first" || hasDuration || live[4] != 5 {
		t.Errorf("while live: %v, flags %d", props, live[4])
	}
	head, err := LiveHead(&m, m.Parts[0].File)
	if err != nil || !bytes.HasPrefix(live, head) || len(head) == 0 {
		t.Errorf("the old head of %d bytes is not that of the growing file, %v", len(head), err)
	}
}

// Tracks other than the first are written as Multitrack messages.
func TestTracks(t *testing.T) {
	t.Parallel()
	second := plugintest.Audio(media.Opus, 0, 0, []byte("second"))
	second.Track, second.Flags = 1, media.Other
	nano := plugintest.NALU(media.Keyframe, 40, 20)
	nano.Nano = 5
	h := recorded(t, func(s *plugintest.Stream) {
		s.FeedFrames(plugintest.NALU(media.Keyframe, 0, 20), plugintest.Audio(media.AAC, 0, 0, []byte("first")), second, nano)
	})
	whole(t, h)
	_, _, tags := content(t, files(t, h)[0])
	if len(tags) != 4 || tags[2].data != "\x95\x01Opus\x01second" || !strings.HasPrefix(tags[3].data, "\x97\x02\x00\x00\x05\x03avc1") {
		t.Errorf("%v", tags)
	}
	// What a recorder reads from the media socket is in that form already.
	h = recorded(t, func(s *plugintest.Stream) { s.Feed(plugintest.ReadFLV(t, files(t, h)[0])...) })
	_, _, again := content(t, files(t, h)[0])
	equal(t, "copy", again, tags)
}
