package fmp4

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/fmp4/clip"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// after is a clip's frames a while later, numbered on.
func after(c *clip.Clip, seq uint64, dts int64) *clip.Clip {
	out := &clip.Clip{Headers: c.Headers}
	for _, f := range c.Frames {
		g := clip.Frame(f.Kind, f.Codec, f.Flags, f.DTS+dts, f.CTS, f.Body())
		g.Seq = f.Seq + seq
		out.Frames = append(out.Frames, g)
	}
	return out
}

// A change of codec parameters begins new init segments; the plain MP4 has
// both descriptions, and all frames at their times.
func TestCodecChange(t *testing.T) {
	t.Parallel()
	small := clip.Make(t, clips[0].args...)
	args := append([]string{"-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=3", "-f", "lavfi", "-i", "sine=r=48000:d=3"}, x264...)
	large := after(clip.Make(t, append(args, "-c:a", "aac")...), uint64(len(small.Frames)), 4100)
	h := newHost(t)
	p := start(t, h, nil)
	s := attach(t, p, sdk.Attach{})
	write(t, s, items(small, 0, ^uint64(0)))
	write(t, s, items(large, 0, ^uint64(0)))
	detach(t, s, sdk.Ended)
	stop(t, p)

	whole := &clip.Clip{Frames: append(append([]*media.Frame(nil), small.Frames...), large.Frames...)}
	full := filepath.Join(h.dir(1), mergeDir, fullName)
	times(t, full, whole, media.Video, media.Audio)
	f, err := mp4.ReadMP4File(full)
	if err != nil {
		t.Fatal(err)
	}
	for _, trak := range f.Moov.Traks {
		if n := len(trak.Mdia.Minf.Stbl.Stsd.Children); n != 2 {
			t.Errorf("track %d has %d descriptions", trak.Tkhd.TrackID, n)
		}
	}
	list, err := os.ReadFile(filepath.Join(h.dir(1), mergeDir, "index.m3u8"))
	if err != nil || strings.Count(string(list), "#EXT-X-DISCONTINUITY\n") != 1 || !strings.Contains(string(list), "init_2.mp4") {
		t.Errorf("%v\n%s", err, list)
	}
	report, err := record.Verify(h.dir(1))
	if err != nil || !report.Complete() {
		t.Errorf("verify: %v\n%s", err, report.String())
	}
}

// The same sequence headers again, as after a reconnect, change nothing.
func TestReconnect(t *testing.T) {
	t.Parallel()
	c := clip.Make(t, clips[0].args...)
	h := newHost(t)
	p := start(t, h, nil)
	s := attach(t, p, sdk.Attach{})
	for at := uint64(0); at < uint64(len(c.Frames)); at += 50 {
		write(t, s, items(c, at, at+50))
	}
	detach(t, s, sdk.Ended)
	stop(t, p)
	checkSession(t, h.dir(1), c)
	if _, err := os.Stat(filepath.Join(h.dir(1), mergeDir, "init_2.mp4")); err == nil {
		t.Error("there are second init segments")
	}
}

// play records frames and returns the session's manifest.
func play(t *testing.T, h *host, change func(*Options), all ...sdk.Item) record.Manifest {
	t.Helper()
	p := start(t, h, change)
	s := attach(t, p, sdk.Attach{})
	write(t, s, all)
	detach(t, s, sdk.Ended)
	stop(t, p)
	m, err := record.Load(record.ManifestPath(h.dir(1), true))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Timestamps as large as they get, and the wraps of the wire, are only
// numbers here.
func TestLargeTimestamps(t *testing.T) {
	t.Parallel()
	for _, from := range []int64{0xFFFFFF - 1000, 1<<32 - 1000, 1 << 45} {
		c := after(tiny(t, 100), 0, from)
		h := newHost(t)
		m := play(t, h, nil, items(c, 0, ^uint64(0))...)
		if !m.Complete || m.NextSeq() != 201 {
			t.Errorf("from %d: %+v", from, m)
		}
		times(t, filepath.Join(h.dir(1), mergeDir, fullName), c, media.Video, media.Audio)
	}
}

// Without a keyframe segments are cut by time, and say so.
func TestEndlessGOP(t *testing.T) {
	t.Parallel()
	c := tiny(t, 200)
	for i, f := range c.Of(media.Video) {
		if i > 0 {
			f.Flags = 0
		}
	}
	m := play(t, newHost(t), nil, items(c, 0, ^uint64(0))...)
	n := 0
	for _, p := range m.Parts {
		if p.Tracks != "" {
			continue
		}
		n++
		if p.Keyframe != (n == 1) || p.ToDTS-p.FromDTS > 2000 {
			t.Errorf("segment %d: %+v", n, p)
		}
	}
	if n != 4 {
		t.Errorf("%d segments of 8 s", n)
	}
}

// Frames that are lost are named, and those behind them keep their time.
func TestGap(t *testing.T) {
	t.Parallel()
	c := tiny(t, 150)
	all := items(c, 0, 80)
	all = append(all, sdk.Item{Type: sdk.Gap, From: 80, To: 151, Reason: "too slow"})
	all = append(all, items(c, 151, 200)[2:]...)
	all = append(all, items(c, 210, ^uint64(0))[2:]...) // and without a word
	h := newHost(t)
	m := play(t, h, nil, all...)
	if len(m.Gaps) != 2 || m.Gaps[0].From != 80 || m.Gaps[0].To != 151 || m.Gaps[0].Reason != "too slow" || m.Gaps[1].From != 200 || m.Gaps[1].To != 210 {
		t.Errorf("gaps: %+v", m.Gaps)
	}
	kept := &clip.Clip{}
	for _, f := range c.Frames {
		if f.Seq < 80 || f.Seq >= 151 && f.Seq < 200 || f.Seq >= 210 {
			kept.Frames = append(kept.Frames, f)
		}
	}
	times(t, filepath.Join(h.dir(1), mergeDir, fullName), kept, media.Video, media.Audio)
}

// The manifest says how long a publisher was away; nothing else shows it.
func TestAway(t *testing.T) {
	t.Parallel()
	c := tiny(t, 100)
	h := newHost(t)
	p := start(t, h, nil)
	s := attach(t, p, sdk.Attach{})
	write(t, s, items(c, 0, 101))
	p.HandleEvent(t.Context(), &event.Event{Event: event.StreamBack, Session: testSession, Gap: 3.5, Time: time.Unix(1700000000, 0)})
	write(t, s, items(c, 101, ^uint64(0)))
	detach(t, s, sdk.Ended)
	stop(t, p)
	report, err := record.Verify(h.dir(1))
	gaps := report.Record.Gaps
	if err != nil || !report.Complete() || len(gaps) != 1 || gaps[0].From != gaps[0].To || gaps[0].Seconds != 3.5 {
		t.Errorf("%v\n%s", err, report.String())
	}
	times(t, filepath.Join(h.dir(1), mergeDir, fullName), c, media.Video, media.Audio)
}

// A session that was ended too early goes on in its folder, and keeps what it
// had.
func TestAgain(t *testing.T) {
	t.Parallel()
	c := tiny(t, 150)
	h := newHost(t)
	p := start(t, h, nil)
	s := attach(t, p, sdk.Attach{})
	write(t, s, items(c, 0, 141))
	detach(t, s, sdk.Stopped)
	stop(t, p)
	h.names = 0 // the host answers with the same folder
	p = start(t, h, nil)
	s = attach(t, p, sdk.Attach{Resume: true})
	write(t, s, items(c, 151, ^uint64(0)))
	detach(t, s, sdk.Ended)
	stop(t, p)
	report, err := record.Verify(h.dir(1))
	gaps := report.Record.Gaps
	if err != nil || len(report.Problems) > 0 || len(gaps) != 1 || gaps[0].From != 141 || gaps[0].To != 151 || report.To != 301 {
		t.Errorf("%v\n%s%+v", err, report.String(), gaps)
	}
	kept := &clip.Clip{}
	for _, f := range c.Frames {
		if f.Seq < 141 || f.Seq >= 151 {
			kept.Frames = append(kept.Frames, f)
		}
	}
	times(t, filepath.Join(h.dir(1), mergeDir, fullName), kept, media.Video, media.Audio)
}

// A track that comes later begins an era of its own; one whose header came,
// and nothing else, is no track.
func TestLateTrack(t *testing.T) {
	t.Parallel()
	c := tiny(t, 150)
	var all []sdk.Item
	for _, it := range items(c, 0, ^uint64(0)) {
		if it.Type == sdk.Frame && it.Frame.Kind == media.Audio && it.Frame.DTS < 3000 {
			it = sdk.Item{Type: sdk.Frame, Seq: it.Seq, Frame: clip.Frame(media.Data, 0, 0, it.Frame.DTS, 0, nil)}
		}
		all = append(all, it)
	}
	h := newHost(t)
	m := play(t, h, nil, all...)
	var line timeline
	if err := line.load(&m); err != nil {
		t.Fatal(err)
	}
	if len(line.Eras) != 2 || len(line.Eras[0].Tracks) != 1 || len(line.Eras[1].Tracks) != 2 {
		t.Fatalf("eras: %+v", line.Eras)
	}
	late := &clip.Clip{}
	for _, f := range c.Frames {
		if f.Kind == media.Video || f.DTS >= 3000 {
			late.Frames = append(late.Frames, f)
		}
	}
	times(t, filepath.Join(h.dir(1), mergeDir, fullName), late, media.Video, media.Audio)
}

// With a full disk recording pauses, and goes on when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	c := tiny(t, 250)
	h := newHost(t)
	p := start(t, h, nil)
	s := attach(t, p, sdk.Attach{})
	low := false
	s.(*stream).w.low = func(time.Time) bool { return low }
	write(t, s, items(c, 0, 140))
	low = true
	write(t, s, items(c, 140, 320))
	low = false
	write(t, s, items(c, 320, ^uint64(0)))
	detach(t, s, sdk.Ended)
	stop(t, p)
	report, err := record.Verify(h.dir(1))
	if err != nil || len(report.Problems) > 0 || len(report.Record.Gaps) != 1 || report.Record.Gaps[0].Reason != diskFull {
		t.Errorf("%v\n%s", err, report.String())
	}
	run(t, "ffprobe", "-v", "warning", filepath.Join(h.dir(1), mergeDir, fullName))
}

// While a session is live its alias shows the newest finished MP4; then its
// own.
func TestAlias(t *testing.T) {
	t.Parallel()
	c := tiny(t, 60)
	h := newHost(t)
	recordClip(t, h, c, nil)
	alias := filepath.Join(h.DataDir(), "mp4/live/cam", mergeDir)
	shown := func(dir string) bool {
		t.Helper()
		path, err := filepath.EvalSymlinks(filepath.Join(alias, fullName))
		return err == nil && path == filepath.Join(dir, mergeDir, fullName)
	}
	if !shown(h.dir(1)) {
		t.Error("the alias does not show the first session's")
	}
	p := start(t, h, nil)
	s := attach(t, p, sdk.Attach{})
	write(t, s, items(c, 0, ^uint64(0)))
	if to, err := os.Readlink(alias); err != nil || to != "20261121_142402/output_merge" {
		t.Errorf("the alias leads to %q: %v", to, err)
	}
	if _, err := os.Lstat(filepath.Join(h.dir(2), mergeDir, fullName)); err == nil {
		t.Error("a live session has an MP4 of the whole")
	}
	detach(t, s, sdk.Ended)
	stop(t, p)
	if !shown(h.dir(2)) {
		t.Error("the alias does not show the second session's")
	}
}

// Each fragment says when its first frame came, by the clock on the wall.
func TestWallClock(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	begun := time.Now()
	recordClip(t, h, tiny(t, 60), nil)
	b, err := os.ReadFile(filepath.Join(h.dir(1), mergeDir, "segment_1.m4s"))
	if err != nil {
		t.Fatal(err)
	}
	last, clocks := begun, 0
	var clock *mp4.PrftBox
	for r, at := bytes.NewReader(b), uint64(0); r.Len() > 0; {
		box, err := mp4.DecodeBox(at, r)
		if err != nil {
			t.Fatal(err)
		}
		at += box.Size()
		switch box := box.(type) {
		case *mp4.PrftBox:
			clock = box
		case *mp4.MoofBox:
			ntp := uint64(clock.NTPTimestamp)
			came := time.Unix(int64(ntp>>32)-2208988800, int64(ntp&0xFFFFFFFF*1e9>>32)+1)
			if came.Before(last.Add(-time.Microsecond)) || came.After(time.Now()) || clock.MediaTime != box.Traf.Tfdt.BaseMediaDecodeTime() {
				t.Errorf("fragment %d: %v, media time %d", clocks, came, clock.MediaTime)
			}
			last, clocks = came, clocks+1
		}
	}
	if clocks < 2 {
		t.Errorf("%d fragments", clocks)
	}
}

// Old sessions go, with what was made of them; one that grows stays.
func TestKeep(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	for range 2 {
		recordClip(t, h, tiny(t, 60), nil)
	}
	p := start(t, h, func(opt *Options) { opt.KeepBytes = 1 })
	s := attach(t, p, sdk.Attach{})
	write(t, s, items(tiny(t, 60), 0, ^uint64(0)))
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		left, err := filepath.Glob(filepath.Join(h.DataDir(), "mp4/live/cam/2*"))
		if err == nil && len(left) == 1 && left[0] == h.dir(3) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("left: %q, %v", left, err)
		}
	}
	detach(t, s, sdk.Ended)
	stop(t, p)
}

// A session that hooks do not want leaves nothing.
func TestSkip(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.skip = true
	p := start(t, h, nil)
	s := attach(t, p, sdk.Attach{})
	write(t, s, items(tiny(t, 60), 0, ^uint64(0)))
	detach(t, s, sdk.Ended)
	stop(t, p)
	if left, _ := filepath.Glob(filepath.Join(h.DataDir(), "mp4/live/cam/*/*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// Each set can be left out.
func TestSets(t *testing.T) {
	t.Parallel()
	c := clip.Make(t, clips[0].args...)
	for name, o := range map[string]struct{ merge, separate, full bool }{
		"muxed only": {true, false, true}, "separate only": {false, true, true}, "no plain MP4": {true, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			recordClip(t, h, c, func(opt *Options) { opt.Merge, opt.Separate, opt.Full = o.merge, o.separate, o.full })
			for folder, want := range map[string]bool{mergeDir + "/init.mp4": o.merge, separateDir + "/video_init.mp4": o.separate, mergeDir + "/" + fullName: o.full} {
				if _, err := os.Stat(filepath.Join(h.dir(1), folder)); (err == nil) != want {
					t.Errorf("%s: %v", folder, err)
				}
			}
			if o.full {
				times(t, filepath.Join(h.dir(1), mergeDir, fullName), c, media.Video, media.Audio)
			}
			report, err := record.Verify(h.dir(1))
			if err != nil || !report.Complete() {
				t.Errorf("verify: %v\n%s", err, report.String())
			}
		})
	}
}
