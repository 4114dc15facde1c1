package plugintest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/host/place"
	"github.com/millrace/millrace/plugins/plugintest"
	"github.com/millrace/millrace/plugins/sdk"
)

// tape is a recorder that writes nothing but notes what it was given.
type tape struct {
	host    sdk.Host
	streams []*tapeStream
}

func (*tape) Info() sdk.Info {
	return sdk.Info{Name: "tape", Version: "1", Capabilities: sdk.Capabilities{
		Media: &sdk.MediaWanted{}, Objects: []string{"tape/"}, Handover: true, Events: []string{"*"},
	}}
}

func (*tape) Configure(c sdk.Config) []sdk.Problem {
	for key := range c.Values {
		return []sdk.Problem{{Key: key, Message: "unknown key"}}
	}
	return nil
}

func (p *tape) Start(_ context.Context, h sdk.Host) error { p.host = h; return nil }
func (p *tape) Stop(context.Context) error                { return nil }

func (p *tape) Attach(_ context.Context, a sdk.Attach) (sdk.Stream, error) {
	s := &tapeStream{attach: a}
	p.streams = append(p.streams, s)
	return s, nil
}

type tapeStream struct {
	attach sdk.Attach
	items  []sdk.Item
	detach sdk.Detach
}

func (s *tapeStream) Write(items []sdk.Item) error { s.items = append(s.items, items...); return nil }
func (s *tapeStream) ResumeAt() uint64             { return 5 }
func (s *tapeStream) Detach(_ context.Context, d sdk.Detach) (sdk.Detached, error) {
	s.detach = d
	return sdk.Detached{Durable: d.At, Handover: []byte("open part")}, nil
}

func TestHostFeeds(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	p := &tape{}
	s := h.Attach(p, "live", "cam")
	s.Feed(plugintest.Header(plugintest.AVCConfig()), plugintest.Header(plugintest.AACConfig()))
	s.FeedFrames(plugintest.GOPs(1, 0, 100)...)
	s.Gap(10, "slow")
	s.FeedFrames(plugintest.NALU(media.Keyframe, 2000, 100))
	s.End()
	got := p.streams[0]
	if n := len(got.items); n != 2+75+1+1 {
		t.Fatalf("%d items", n)
	}
	if gap := got.items[77]; gap.From != 76 || gap.To != 86 || gap.Reason != "slow" {
		t.Errorf("gap %+v", gap)
	}
	if last := got.items[78]; last.Seq != 86 || last.Frame.Seq != 86 || !last.Frame.Is(media.Keyframe) {
		t.Errorf("last frame is %d", last.Seq)
	}
	if got.detach != (sdk.Detach{Why: sdk.Ended, At: 87, Final: true}) {
		t.Errorf("detach %+v", got.detach)
	}
}

func TestHostHandoverAndResume(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	a, b, c := &tape{}, &tape{}, &tape{}
	s := h.Attach(a, "live/deep", "cam")
	s.FeedFrames(plugintest.GOPs(1, 0, 50)...)
	s = s.Handover(b)
	if at := b.streams[0].attach; at.Next != 76 || string(at.Handover) != "open part" || at.Session != a.streams[0].attach.Session {
		t.Errorf("handed over with %+v", at)
	}
	s.FeedFrames(plugintest.NALU(0, 1000, 50))
	s = s.Resume(c)
	if at := c.streams[0].attach; !at.Resume || at.Handover != nil {
		t.Errorf("resumed with %+v", at)
	}
	if s.Next() != 5 || b.streams[0].detach.Why != 0 {
		t.Errorf("resumed at %d; the crashed one got %+v", s.Next(), b.streams[0].detach)
	}
}

func TestHostFeedsFLV(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a.flv")
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=1",
		"-f", "lavfi", "-i", "sine=d=1", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-c:a", "aac", "-f", "flv", file)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	p := &tape{}
	h := plugintest.NewHost(t)
	h.Attach(p, "live", "cam").FeedFLV(file)
	headers, pictures := 0, 0
	for _, it := range p.streams[0].items {
		if it.Type == sdk.Header {
			headers++
		}
		if it.Type == sdk.Frame && it.Frame.Kind == media.Video && it.Frame.IsMedia() {
			pictures++
		}
	}
	if headers != 3 || pictures != 25 {
		t.Errorf("%d headers, %d pictures", headers, pictures)
	}
}

func TestHostRecordsAndObjects(t *testing.T) {
	t.Parallel()
	h := plugintest.NewHost(t)
	p := &tape{}
	s := h.Attach(p, "live", "cam")
	r := sdk.RecordRequest{App: "live", Name: "cam", Session: s.Session(), Kind: "flv", Part: 1, Ext: ".flv", Started: s.Attached().Started}
	at, err := h.OpenRecord(t.Context(), r)
	if err != nil || at.Rel != "flv/live/cam/20260102_030405.flv" || at.Alias != filepath.Join(h.DataDir(), "flv/live/cam") {
		t.Fatalf("%+v, %v", at, err)
	}
	if _, err := os.Stat(filepath.Join(at.Dir, at.Name)); err != nil {
		t.Error(err)
	}
	h.OnRecord(func(event.Event) (place.Verdict, error) { return place.Verdict{Skip: true}, nil })
	r.Kind = "mp4"
	if at, err = h.OpenRecord(t.Context(), r); err != nil || !at.Skip {
		t.Errorf("%+v, %v", at, err)
	}
	ctx := t.Context()
	for _, o := range []sdk.Object{{Path: "tape/1", Body: []byte("a")}, {Path: "tape/2", Body: []byte("b")}, {Path: "tape/3", Parts: []string{"tape/1", "tape/2"}}} {
		if err := h.PutObject(ctx, o); err != nil {
			t.Error(err)
		}
	}
	if o, ok := h.Object("tape/3"); !ok || string(o.Body) != "ab" {
		t.Errorf("object %+v", o)
	}
	if h.PutObject(ctx, sdk.Object{Path: "hls/1"}) == nil {
		t.Error("an object outside the prefixes was stored")
	}
	full := errors.New("full")
	h.FailPut(full)
	if err := h.PutObject(ctx, sdk.Object{Path: "tape/4"}); !errors.Is(err, full) {
		t.Error(err)
	}
}
