package flvrecorder

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/host/place"
	"github.com/millrace/millrace/plugins/plugintest"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
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
			h := plugintest.NewHost(t)
			r := start(h, pairs...)
			s := h.Attach(r, "live", "cam")
			s.FeedFLV(source)
			s.End()
			h.Stop(r)
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

// Other codec parameters begin a part; the same ones again do not.
func TestNewParameters(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	r := start(h)
	s := h.Attach(r, "live", "cam")
	other := plugintest.AVCConfig()
	other.Body()[1] = 0x64
	gops := plugintest.GOPs(3, 1000, 50)
	s.Feed(plugintest.Header(plugintest.AVCConfig()), plugintest.Header(plugintest.AACConfig()))
	s.FeedFrames(gops[:75]...)
	s.FeedFrames(plugintest.AVCConfig(), plugintest.AACConfig())
	s.FeedFrames(gops[75:150]...)
	s.FeedFrames(other, plugintest.AACConfig())
	s.FeedFrames(gops[150:]...)
	s.End()
	h.Stop(r)
	m := whole(t, h)
	if len(m.Parts) != 2 || m.Parts[0].ToSeq != 153 || m.Parts[1].FromSeq != 153 || m.Parts[1].ToSeq != s.Next() {
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
			h := plugintest.NewHost(t)
			r := start(h)
			s := h.Attach(r, "live", "cam")
			s.Feed(plugintest.Header(plugintest.AVCConfig()), plugintest.Header(plugintest.AACConfig()))
			frames := slices.DeleteFunc(plugintest.GOPs(12, 0, 50), func(f *media.Frame) bool { return !c.frames(f) })
			for part := range slices.Chunk(frames, 20) {
				s.FeedFrames(part...)
			}
			s.End()
			h.Stop(r)
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
			h := plugintest.NewHost(t)
			r := start(h)
			s := h.Attach(r, "live", "cam")
			frames := plugintest.GOPs(2, base, 50)
			late := plugintest.GOPs(2, base+0xFFFFFF-500, 50)
			s.FeedFrames(slices.Concat(frames, late)...)
			s.End()
			h.Stop(r)
			m := whole(t, h)
			_, _, tags := content(t, files(t, h)[0])
			equal(t, "file", tags, sourceTags(plugintest.Frames(slices.Concat(frames, late)...), base))
			if p := m.Parts[0]; p.FromDTS != base || p.ToDTS != base+0xFFFFFF+1500 {
				t.Errorf("from %d to %d", p.FromDTS, p.ToDTS)
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
			h := plugintest.NewHost(t)
			r := start(h, "split_time", "1s")
			s := h.Attach(r, "live", "cam")
			var frames []*media.Frame
			for i := range int64(120) {
				flags := media.Flags(0)
				if i%25 == 0 {
					flags = media.Keyframe
				}
				frames = append(frames, plugintest.NALU(flags, 100+i*40, 50), plugintest.Audio(media.AAC, 0, 85+i*40, []byte{1, byte(i)}))
			}
			for part := range slices.Chunk(frames, size) {
				s.FeedFrames(part...)
			}
			s.End()
			h.Stop(r)
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

// A gap is in the manifest with its length, and the file goes on.
func TestGap(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	r := start(h)
	s := h.Attach(r, "live", "cam")
	s.FeedFrames(plugintest.GOPs(1, 0, 50)...)
	s.Gap(10, "slow")
	s.Gap(5, "slow")
	s.FeedFrames(plugintest.GOPs(1, 3000, 50)...)
	s.SetNext(s.Next() + 3) // never said
	s.FeedFrames(plugintest.GOPs(1, 5000, 50)...)
	s.Gap(7, "at the end")
	s.End()
	h.Stop(r)
	m := whole(t, h)
	want := []record.Gap{
		{From: 76, To: 91, Reason: "slow", Seconds: 2.02}, {From: 166, To: 169, Reason: "frames were not delivered", Seconds: 1.02},
		{From: 244, To: 251, Reason: "at the end"},
	}
	for i := range m.Gaps {
		m.Gaps[i].At = time.Time{}
	}
	if !slices.Equal(m.Gaps, want) || len(m.Parts) != 1 || m.Parts[0].ToSeq != 251 {
		t.Errorf("gaps %+v, part %+v", m.Gaps, m.Parts)
	}
	if report, err := record.Verify(files(t, h)[0]); err != nil || report.Complete() {
		t.Errorf("%v\n%s", err, report.String())
	}
}

// A publisher that comes back within the grace goes on in the same file; how
// long it was away is noted.
func TestGrace(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	r := start(h)
	s := h.Attach(r, "live", "cam")
	s.Feed(plugintest.Header(plugintest.AVCConfig()), plugintest.Header(plugintest.AACConfig()))
	s.FeedFrames(plugintest.GOPs(1, 0, 50)...)
	h.Send(r, event.Event{Event: event.StreamBack, Session: s.Session(), Gap: 4.5, Time: time.Now()})
	h.Send(r, event.Event{Event: event.StreamBack, Session: "another", Gap: 1, Time: time.Now()})
	s.FeedFrames(plugintest.AVCConfig(), plugintest.AACConfig())
	s.FeedFrames(plugintest.GOPs(1, 1000, 50)...)
	s.End()
	h.Stop(r)
	m := whole(t, h)
	if len(m.Gaps) != 1 || m.Gaps[0].From != 76 || m.Gaps[0].To != 76 || m.Gaps[0].Seconds != 4.5 || len(m.Parts) != 1 || !m.Complete {
		t.Errorf("%+v", m)
	}
	if report, err := record.Verify(files(t, h)[0]); err != nil || !report.Complete() {
		t.Errorf("%v\n%s", err, report.String())
	}
}

// The next session is another record.
func TestNextSession(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	r := start(h)
	for range 2 {
		s := h.Attach(r, "live", "cam")
		s.FeedFrames(plugintest.GOPs(1, 0, 50)...)
		s.End()
	}
	h.Stop(r)
	if n := len(files(t, h)); n != 2 {
		t.Errorf("%d files", n)
	}
	whole(t, h)
}

// A recording that is stopped and started within a session is two records,
// also when the first is being finished still, or that failed.
func TestStoppedAndStarted(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]bool{"finished": false, "not finished": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stoppedAndStarted(t, fails)
		})
	}
}

func stoppedAndStarted(t *testing.T, fails bool) {
	h := plugintest.NewHost(t)
	r := startTap(h)
	if fails {
		r.Recorder.host = mute{h}
	}
	s := h.Attach(r, "live", "cam")
	s.FeedFrames(plugintest.GOPs(1, 0, 50)...)
	s.Detach(sdk.Stopped)
	r.drain()
	a := s.Attached()
	a.Next = s.Next()
	s = h.AttachWith(r, a)
	s.FeedFrames(plugintest.GOPs(1, 1000, 50)...)
	next := start(h)
	s = s.Resume(next)
	s.FeedFrames(plugintest.GOPs(1, 2000, 50)...)
	s.End()
	next.finishOrphans()
	h.Stop(next)
	all := files(t, h)
	if len(all) != 2 || !strings.HasSuffix(all[1], "_2.flv") {
		t.Fatalf("files: %q", all)
	}
	for i, path := range all {
		report, err := Verify(path)
		if err != nil || !report.Complete() || len(report.Record.Parts) != 1 {
			t.Errorf("%d: %v\n%s", i, err, report.String())
		}
	}
	if left, _ := filepath.Glob(filepath.Join(h.StateDir(), "flv/*")); len(left) > 0 {
		t.Errorf("left in the state folder: %v", left)
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
	h := plugintest.NewHost(t)
	r := start(h)
	s := h.Attach(r, "live", "cam")
	second := plugintest.Audio(media.Opus, 0, 0, []byte("second"))
	second.Track, second.Flags = 1, media.Other
	nano := plugintest.NALU(media.Keyframe, 40, 20)
	nano.Nano = 5
	s.FeedFrames(plugintest.NALU(media.Keyframe, 0, 20), plugintest.Audio(media.AAC, 0, 0, []byte("first")), second, nano)
	s.End()
	h.Stop(r)
	whole(t, h)
	_, _, tags := content(t, files(t, h)[0])
	if len(tags) != 4 || tags[2].data != "\x95\x01Opus\x01second" || !strings.HasPrefix(tags[3].data, "\x97\x02\x00\x00\x05\x03avc1") {
		t.Errorf("%v", tags)
	}
	h2 := plugintest.NewHost(t) // what a recorder reads from the media socket is in that form already
	r = start(h2)
	s = h2.Attach(r, "live", "cam")
	s.Feed(plugintest.ReadFLV(t, files(t, h)[0])...)
	s.End()
	h2.Stop(r)
	_, _, again := content(t, files(t, h2)[0])
	equal(t, "copy", again, tags)
}

// on_record may say that a session is not recorded.
func TestSkip(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	h.OnRecord(func(event.Event) (place.Verdict, error) { return place.Verdict{Skip: true}, nil })
	r := start(h)
	s := h.Attach(r, "live", "cam")
	for i := range int64(3) {
		s.FeedFrames(plugintest.GOPs(1, i*1000, 50)...)
	}
	s.End()
	h.Stop(r)
	if left, _ := filepath.Glob(filepath.Join(h.StateDir(), "flv/*")); len(files(t, h)) > 0 || len(left) > 0 {
		t.Errorf("files %v, states %v", files(t, h), left)
	}
}

// A session without frames leaves nothing.
func TestNothing(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	r := start(h)
	s := h.Attach(r, "live", "cam")
	s.Feed(plugintest.Header(plugintest.AVCConfig()))
	s.FeedFrames(plugintest.AACConfig())
	s.End()
	h.Stop(r)
	if left, _ := filepath.Glob(filepath.Join(h.StateDir(), "flv/*")); len(files(t, h)) > 0 || len(left) > 0 {
		t.Errorf("files %v, states %v", files(t, h), left)
	}
}

// Whoever removes a growing file does not stop the recorder.
func TestRemovedWhileLive(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	r := start(h)
	s := h.Attach(r, "live", "cam")
	s.FeedFrames(plugintest.GOPs(1, 0, 50)...)
	if err := os.Remove(files(t, h)[0]); err != nil {
		t.Fatal(err)
	}
	s.FeedFrames(plugintest.GOPs(1, 1000, 50)...)
	s.End()
	h.Stop(r)
	if left, _ := filepath.Glob(filepath.Join(h.StateDir(), "flv/*")); len(left) > 0 {
		t.Errorf("states %v", left)
	}
}

// Nor does it keep a session from being recorded after a crash.
func TestRemovedBeforeResume(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	a, b := startTap(h), startTap(h)
	s := h.Attach(a, "live", "cam")
	s.FeedFrames(plugintest.GOPs(1, 0, 50)...)
	a.stream.kill()
	path := files(t, h)[0]
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s = s.Resume(b)
	if s.ResumeAt() != 0 {
		t.Errorf("resumes at %d", s.ResumeAt())
	}
	s.FeedFrames(plugintest.GOPs(1, 1000, 50)...)
	s.End()
	h.Stop(b)
	if n := len(files(t, h)); n != 1 || files(t, h)[0] == path {
		t.Errorf("files %v", files(t, h))
	}
}
