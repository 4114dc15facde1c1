package fmp4

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/fmp4/clip"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// killed begins a recording, and loses its process after frame last.
func killed(t *testing.T, h *host, c *clip.Clip, last uint64) {
	t.Helper()
	p := start(t, h, nil)
	s := attach(t, p, sdk.Attach{})
	write(t, s, items(c, 0, last+1))
	// What the kernel does for a process that was killed.
	if err := s.(*stream).letGo(); err != nil {
		t.Fatal(err)
	}
	h.live = append(h.live[:0], eventOf(testSession))
	stop(t, p)
}

// goOn attaches again and plays the rest of the clip.
func goOn(t *testing.T, h *host, c *clip.Clip) {
	t.Helper()
	p := start(t, h, nil)
	s := attach(t, p, sdk.Attach{Resume: true})
	at := s.(sdk.Resumer).ResumeAt()
	if at == 0 {
		t.Fatal("nothing was resumed")
	}
	write(t, s, items(c, at, ^uint64(0)))
	detach(t, s, sdk.Ended)
	stop(t, p)
}

// A process that dies costs nothing: the next one cuts what is torn, asks for
// the frames from there on, and the files are as if nothing had been.
func TestResume(t *testing.T) {
	t.Parallel()
	c := clip.Make(t, clips[0].args...)
	tear := func(folder, prefix string, cut func(size int64) int64) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for n := int64(20); n > 0; n-- {
				path := filepath.Join(dir, folder, fmt.Sprintf("%s%d.m4s", prefix, n))
				info, err := os.Stat(path)
				if err != nil {
					continue
				}
				if err := os.Truncate(path, cut(info.Size())); err != nil {
					t.Fatal(err)
				}
				return
			}
		}
	}
	for _, tt := range []struct {
		name string
		last uint64
		tear func(*testing.T, string)
	}{
		{"within a segment", 200, func(*testing.T, string) {}},
		{"just after the first fragment", 45, func(*testing.T, string) {}},
		{"muxed tail torn", 200, tear(mergeDir, "segment_", func(n int64) int64 { return n - 1 })},
		{"muxed segment torn at its start", 200, tear(mergeDir, "segment_", func(int64) int64 { return 10 })},
		{"video torn", 200, tear(separateDir, "video_", func(n int64) int64 { return n - 100 })},
		{"audio gone", 200, tear(separateDir, "audio_", func(int64) int64 { return 0 })},
		{"garbage at the end", 200, tear(mergeDir, "segment_", func(n int64) int64 { return n + 1000 })},
		{"manifest behind", 250, func(t *testing.T, dir string) {
			if err := os.Remove(record.ManifestPath(dir, true) + ".log"); err != nil {
				t.Fatal(err)
			}
		}},
		{"indexes gone", 250, func(t *testing.T, dir string) {
			for _, name := range []string{mergeDir + "/index.json", mergeDir + "/index.m3u8", separateDir + "/video.m3u8"} {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			killed(t, h, c, tt.last)
			tt.tear(t, h.dir(1))
			goOn(t, h, c)
			checkSession(t, h.dir(1), c)
		})
	}
}

// A process with other options goes on with the folders that there are.
func TestResumeOtherOptions(t *testing.T) {
	t.Parallel()
	c := tiny(t, 150)
	h := newHost(t)
	p := start(t, h, func(o *Options) { o.Separate = false })
	s := attach(t, p, sdk.Attach{})
	write(t, s, items(c, 0, 120))
	d := detach(t, s, sdk.Handover)
	stop(t, p)
	p = start(t, h, func(o *Options) { o.Merge = false })
	s = attach(t, p, sdk.Attach{Handover: d.Handover})
	write(t, s, items(c, d.Durable, ^uint64(0)))
	detach(t, s, sdk.Ended)
	stop(t, p)
	report, err := record.Verify(h.dir(1))
	if err != nil || !report.Complete() || report.To != 301 {
		t.Errorf("%v\n%s", err, report.String())
	}
	times(t, filepath.Join(h.dir(1), mergeDir, fullName), c, media.Video, media.Audio)
}

// A segment cut at any byte has the fragments that end before it.
func TestScanTorn(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	recordClip(t, h, tiny(t, 40), func(o *Options) { o.Chunk = 100 * time.Millisecond; o.Full = false })
	b, err := os.ReadFile(filepath.Join(h.dir(1), mergeDir, "segment_1.m4s"))
	if err != nil {
		t.Fatal(err)
	}
	var ends []int64
	count := func(b []byte) (n int, good int64) {
		good, err := scanFragments(bytes.NewReader(b), int64(len(b)), func(*fragmentAt) error { n++; return nil })
		if err != nil {
			t.Fatal(err)
		}
		return n, good
	}
	if _, err := scanFragments(bytes.NewReader(b), int64(len(b)), func(f *fragmentAt) error {
		ends = append(ends, f.end)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(ends) < 5 || ends[len(ends)-1] != int64(len(b)) {
		t.Fatalf("fragments end at %v of %d", ends, len(b))
	}
	for cut := range b {
		n, good := count(b[:cut])
		want, at := 0, int64(0)
		for _, e := range ends {
			if e <= int64(cut) {
				want, at = want+1, e
			}
		}
		if n != want || good != at {
			t.Fatalf("cut at %d: %d fragments to %d, want %d to %d", cut, n, good, want, at)
		}
	}
}

// tiny is a stream of n video frames of 40 ms, a keyframe each second, and as
// many audio frames beside them: small, and the same second again and again.
func tiny(t testing.TB, n int) *clip.Clip {
	t.Helper()
	second := clip.Make(t, "-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=1", "-f", "lavfi", "-i", "sine=r=48000:d=1",
		"-c:v", "libx264", "-bf", "0", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac")
	c := &clip.Clip{Headers: second.Headers}
	video, audio := second.Of(media.Video), second.Of(media.Audio)
	for i := range n {
		v := video[i%len(video)]
		c.Frames = append(c.Frames,
			clip.Frame(media.Video, media.AVC, v.Flags, int64(i*40), 0, v.Body()),
			clip.Frame(media.Audio, media.AAC, 0, int64(i*40), 0, audio[i%len(audio)].Body()))
	}
	for i, f := range c.Frames {
		f.Seq = uint64(i + 1)
	}
	return c
}

// Hot swaps leave no mark.
func TestHandover(t *testing.T) {
	t.Parallel()
	c := clip.Make(t, clips[0].args...)
	h := newHost(t)
	h.live = append(h.live, eventOf(testSession))
	a, next := sdk.Attach{}, uint64(0)
	var swaps int
	for at := uint64(40); ; at += 37 {
		p := start(t, h, nil)
		s := attach(t, p, a)
		if swaps > 0 {
			if got := s.(sdk.Resumer).ResumeAt(); got != next {
				t.Fatalf("resumes at %d instead of %d", got, next)
			}
		}
		if at > uint64(len(c.Frames)) {
			write(t, s, items(c, next, ^uint64(0)))
			detach(t, s, sdk.Ended)
			stop(t, p)
			break
		}
		write(t, s, items(c, next, at))
		d := detach(t, s, sdk.Handover)
		if d.Durable != at {
			t.Errorf("durable to %d, want %d", d.Durable, at)
		}
		a, next = sdk.Attach{Handover: d.Handover}, d.Durable
		swaps++
		stop(t, p)
	}
	if swaps < 5 {
		t.Fatalf("%d swaps", swaps)
	}
	checkSession(t, h.dir(1), c)
}

// The server died: the next start ends and merges what was left, whatever of
// it was done.
func TestFinishOthers(t *testing.T) {
	t.Parallel()
	c := clip.Make(t, clips[0].args...)
	for _, tt := range []struct {
		name string
		stop func(t *testing.T, h *host)
	}{
		{"in mid-stream", func(t *testing.T, h *host) { killed(t, h, c, uint64(len(c.Frames))); h.live = nil }},
		{"connection lost", func(t *testing.T, h *host) {
			p := start(t, h, nil)
			s := attach(t, p, sdk.Attach{})
			write(t, s, items(c, 0, ^uint64(0)))
			h.live = append(h.live, eventOf(testSession))
			detach(t, s, sdk.Lost)
			stop(t, p)
			h.live = nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			tt.stop(t, h)
			full := filepath.Join(h.dir(1), mergeDir, fullName)
			if _, err := os.Stat(full); err == nil {
				t.Fatal("it is merged already")
			}
			// A merge that was cut short leaves this.
			if err := os.WriteFile(filepath.Join(filepath.Dir(full), "."+fullName), []byte("torn"), 0o600); err != nil {
				t.Fatal(err)
			}
			p := start(t, h, nil)
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
				if left, _ := unfinished(p.todo); len(left) == 0 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("it is not merged")
				}
			}
			stop(t, p)
			report, err := record.Verify(h.dir(1))
			if err != nil || !report.Whole() || report.Complete() {
				t.Errorf("verify: %v\n%s", err, report.String())
			}
			if tt.name == "connection lost" {
				checkSession(t, h.dir(1), c)
			}
		})
	}
}

// A session that comes after one that began later, since it was missed, does
// not take the alias from that.
func TestMissedSession(t *testing.T) {
	t.Parallel()
	c := tiny(t, 60)
	h := newHost(t)
	p := start(t, h, nil)
	now := time.Now()
	for _, at := range []time.Time{now, now.Add(-time.Hour)} {
		id := ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String()
		s, err := p.Attach(t.Context(), sdk.Attach{App: "live", Name: "cam", Session: id, Next: 1})
		if err != nil {
			t.Fatal(err)
		}
		write(t, s, items(c, 0, ^uint64(0)))
		detach(t, s, sdk.Ended)
	}
	stop(t, p)
	alias := filepath.Join(h.DataDir(), "mp4/live/cam")
	for _, folder := range []string{mergeDir, separateDir} {
		to, err := os.Readlink(filepath.Join(alias, folder))
		if want := filepath.Join(filepath.Base(h.dir(1)), folder); err != nil || to != want {
			t.Errorf("%s leads to %q, want %q: %v", folder, to, want, err)
		}
	}
	if _, err := os.Stat(filepath.Join(h.dir(2), mergeDir, fullName)); err != nil {
		t.Error(err)
	}
}
