package host_test

import (
	"errors"
	"testing"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/host"
	"github.com/millrace/millrace/plugins/plugintest"
)

func TestRecordingByHand(t *testing.T) {
	t.Parallel()
	r := rig(t, plugintest.ModeJournal)
	p := begun(r)
	if err := r.StartRecording("live", "cam", "rec"); !errors.Is(err, host.ErrRunning) {
		t.Error(err)
	}
	if err := r.StopRecording("live", "cam", "rec"); err != nil {
		t.Fatal(err)
	}
	r.Await("the record is announced", func() bool { return len(r.Announced()) == 1 })
	p.Feed(plugintest.GOPs(2, 1000, 100)...)
	r.Await("it is detached", func() bool { return len(r.Status("rec").Streams) == 0 })
	if err := r.StopRecording("live", "cam", "rec"); !errors.Is(err, host.ErrNotActive) {
		t.Error(err)
	}
	if err := r.StartRecording("live", "cam", "rec"); err != nil {
		t.Fatal(err)
	}
	r.Await("there is a second record", func() bool { return len(r.Journals()) == 2 })
	for _, err := range []error{
		r.StartRecording("live", "other", "rec"), r.StartRecording("live", "cam", "other"),
	} {
		if !errors.Is(err, host.ErrNoStream) && !errors.Is(err, host.ErrNoPlugin) {
			t.Error(err)
		}
	}
}

// TestRecordingByHandBeforeMedia starts a recording of a stream that has no
// media yet, however long it has been there: the plugin has it at once.
func TestRecordingByHandBeforeMedia(t *testing.T) {
	t.Parallel()
	c := plugintest.Command(plugintest.ModeJournal)
	c.StartTimeout = time.Hour
	r := plugintest.NewRig(t, map[string]host.Config{"rec": c}, host.Options{
		Wants: func(string, event.Event) (want, decided bool) { return false, true },
	})
	r.AwaitState("rec", host.Running)
	p := r.Media.Publish("live", "cam", 10_000)
	start := p.Event(event.StreamStart)
	start.VideoCodec, start.AudioCodec, start.Started = "", "", time.Now().Add(-time.Minute)
	r.Event(start)
	if err := r.StartRecording("live", "cam", "rec"); err != nil {
		t.Fatal(err)
	}
	r.Await("it is attached", func() bool { s := r.Status("rec").Streams; return len(s) == 1 && s[0].Attached })
	p.Feed(plugintest.GOPs(1, 0, 100)...)
	r.Event(p.Event(event.Codec))
	awaitLast(r, p)
	r.End(p)
	awaitDone(r)
	whole(t, journal(t, r), 75)
}

// TestStopRecordingOfKilled has a plugin die that is asked to end a recording:
// the next process ends it.
func TestStopRecordingOfKilled(t *testing.T) {
	t.Parallel()
	r := patientRig(t, plugintest.ModeJournal)
	begun(r)
	stopProcess(t, r)
	if err := r.StopRecording("live", "cam", "rec"); err != nil {
		t.Fatal(err)
	}
	kill(t, r)
	awaitDone(r)
	if err := r.StopRecording("live", "cam", "rec"); err == nil {
		t.Error("stopped twice")
	}
}
