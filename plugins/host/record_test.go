package host_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/host"
	"github.com/millrace/millrace/plugins/host/place"
	"github.com/millrace/millrace/plugins/plugintest"
)

func TestRecords(t *testing.T) {
	t.Parallel()
	r := upRig(t, plugintest.ModeJournal)
	p := r.Publish("live/deep", "cam", 10_000)
	p.Feed(plugintest.GOPs(4, 0, 2000)...)
	awaitLast(r, p)
	p.Feed(plugintest.GOPs(4, 4000, 200_000)...)
	r.End(p)
	r.Await("the record is announced", func() bool { return len(r.Announced()) == 1 })
	whole(t, journal(t, r), 600)
	e := r.Announced()[0]
	if e.Event != event.RecordDone || e.ToSeq != 601 || e.Plugin != "rec" || e.StreamID != "live/deep/cam" || e.Session != p.Session {
		t.Errorf("announced %+v", e)
	}
	if !strings.HasPrefix(e.File, "journal/live~deep/cam/") {
		t.Errorf("the file is %s", e.File)
	}
	reads := r.Media.Reads()
	if want := "/live/deep/cam.flv?tracks=all&merge=0s&lag=64MiB&from=" + p.Session + ":1"; len(reads) != 1 || reads[0] != want {
		t.Errorf("read %v, want %s", reads, want)
	}
	r.Stop()
	if n := r.Media.Tokens(); n != 0 {
		t.Errorf("%d tokens are left", n)
	}
}

// TestInfoAfterConfigure has the table say how frames come.
func TestInfoAfterConfigure(t *testing.T) {
	t.Parallel()
	r := upRig(t, plugintest.ModeJournal, func(c *host.Config) { c.Values = map[string]any{"merge": "10ms"} })
	p := r.Publish("live", "cam", 100)
	p.Feed(plugintest.GOPs(1, 0, 100)...)
	awaitLast(r, p)
	if reads := r.Media.Reads(); !strings.Contains(reads[0], "merge=10ms") {
		t.Errorf("read %v", reads)
	}
}

// TestSlowDisk has a plugin that runs now and then only lose nothing.
func TestSlowDisk(t *testing.T) {
	t.Parallel()
	r := upRig(t, plugintest.ModeJournal)
	if err := r.SlowDisk("rec", 3*time.Second); err != nil {
		t.Fatal(err)
	}
	p := r.Publish("live", "cam", 10_000)
	p.Feed(plugintest.GOPs(8, 0, 2000)...)
	awaitLast(r, p)
	whole(t, journal(t, r), 600)
	if s := r.Status("rec"); s.Restarts != 0 {
		t.Errorf("%+v", s)
	}
}

func TestOnRecord(t *testing.T) {
	t.Parallel()
	asked := make(chan event.Event, 10)
	r := plugintest.NewRig(t, map[string]host.Config{"rec": plugintest.Command(plugintest.ModeJournal)}, host.Options{
		Decide: func(_ context.Context, e event.Event) (place.Verdict, error) {
			asked <- e
			return place.Verdict{Path: "flv/by-hook/deep/{name}"}, nil
		},
	})
	p := r.Media.Publish("live", "cam", 100)
	start := p.Event(event.StreamStart)
	start.Labels, start.Params = map[string]string{"room": "7"}, map[string]string{"token": "x"}
	r.Event(start)
	p.Feed(plugintest.GOPs(1, 0, 100)...)
	awaitLast(r, p)
	r.End(p)
	r.Await("the record is announced", func() bool { return len(r.Announced()) == 1 })
	if e := r.Announced()[0]; e.File != "flv/by-hook/deep/cam.txt" {
		t.Errorf("announced %+v", e)
	}
	if e := <-asked; e.Event != event.Record || e.Plugin != "rec" || e.Params["token"] != "x" || e.Labels["room"] != "7" || e.VideoCodec != "h264" {
		t.Errorf("asked with %+v", e)
	}
}

func TestReconnectsToMedia(t *testing.T) {
	t.Parallel()
	r := upRig(t, plugintest.ModeJournal)
	p := r.Publish("live", "cam", 10_000)
	for i := range 5 {
		p.Feed(plugintest.GOPs(1, int64(i)*1000, 5000)...)
		if i%2 == 0 {
			awaitLast(r, p)
		}
		p.Break()
	}
	awaitLast(r, p)
	r.End(p)
	r.Await("the record is announced", func() bool { return len(r.Announced()) == 1 })
	whole(t, journal(t, r), 5*75)
}

func TestGapIsTold(t *testing.T) {
	t.Parallel()
	r := rig(t, plugintest.ModeJournal)
	p := r.Media.Publish("live", "cam", 50)
	p.Feed(plugintest.GOPs(2, 0, 100)...) // 150, of which the last 50 are held
	r.Event(p.Event(event.StreamStart))
	awaitLast(r, p)
	if text := journal(t, r); !strings.HasPrefix(text, "gap 1 101\n101 ") {
		t.Errorf("journal:\n%.100s", text)
	}
}

func TestResumesAfterKill(t *testing.T) {
	t.Parallel()
	r := upRig(t, plugintest.ModeCrashOnce)
	p := r.Publish("live", "cam", 10_000)
	p.Feed(plugintest.GOPs(4, 0, 1000)...)
	r.Await("the process was replaced", func() bool { return r.Status("rec").Restarts == 1 })
	awaitLast(r, p)
	kill(t, r)
	p.Feed(plugintest.GOPs(1, 4000, 1000)...)
	awaitLast(r, p)
	r.End(p)
	r.Await("the record is announced", func() bool { return len(r.Announced()) == 1 })
	whole(t, journal(t, r), 375)
}

// TestResumesAtTheFirst kills a plugin that has nothing on disk yet.
func TestResumesAtTheFirst(t *testing.T) {
	t.Parallel()
	r := upRig(t, plugintest.ModeCrashFirst)
	p := r.Publish("live", "cam", 10_000)
	p.Feed(plugintest.GOPs(4, 0, 1000)...)
	awaitLast(r, p)
	r.End(p)
	awaitDone(r)
	whole(t, journal(t, r), 300)
	if s := r.Status("rec"); s.Restarts != 1 {
		t.Errorf("%+v", s)
	}
}
