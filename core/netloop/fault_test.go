package netloop

import (
	"context"
	"testing"
	"time"
)

// the is the only connection that has a role.
func (r *rig) the(role string) ClientStatus {
	r.t.Helper()
	for _, c := range r.clients() {
		if c.Role == role {
			return c
		}
	}
	r.t.Fatalf("there is no %s", role)
	return ClientStatus{}
}

// TestStall has a viewer that reads be written nothing to for a while: it gets
// all of it afterwards, although no more frames come then.
func TestStall(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		r := newRig(t)
		f := r.start("live/a")
		p := r.watch(how, manner{}, "live/a")
		p.waitLast(f)
		id, before := r.the(RolePlayer).ID, r.the(RolePlayer).BytesOut
		began := time.Now()
		if ok, err := r.engine.Stall(context.Background(), id, time.Second); !ok || err != nil {
			t.Fatalf("stall: %v, %v", ok, err)
		}
		for time.Since(began) < 500*time.Millisecond {
			f.gop(2, 1000)
			time.Sleep(20 * time.Millisecond) // the stream's own pace
		}
		if c := r.the(RolePlayer); time.Since(began) < time.Second && (c.BytesOut != before || c.LagMS == 0) {
			t.Errorf("%d bytes went out, then %d: %+v", before, c.BytesOut, c)
		}
		p.waitLast(f)
		f.check(t, p.got(), wantsBoth, false)
	})
}

// TestStallTooLong has a stalled viewer meet the policy for those whose
// sockets stay full.
func TestStallTooLong(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings(func(s *Settings) { s.Viewers.StallTimeout = 600 * time.Millisecond }))
	f := r.start("live/a")
	p := r.watch(chunked, manner{}, "live/a")
	p.waitLast(f)
	if ok, err := r.engine.Stall(context.Background(), r.the(RolePlayer).ID, time.Hour); !ok || err != nil {
		t.Fatalf("stall: %v, %v", ok, err)
	}
	f.gop(2, 1000)
	if p.waitEnd() == nil {
		t.Error("the end is clean")
	}
	eventually(t, "it counts as stalled", func() bool { return r.engine.Stats().Closed["stalled"] == 1 })
	for _, l := range r.engine.loops {
		r.on(l, func() {
			if len(l.stalls) > 0 {
				t.Error("the loop remembers it")
			}
		})
	}
}

// TestCut has a publisher's connection end without a word.
func TestCut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.start("live/a")
	v := r.watch(chunked, manner{}, "live/a")
	v.waitLast(f)
	p := r.publishing("live/b")
	publisher := r.the(RolePublisher).ID
	for id, want := range map[string]bool{r.the(RolePlayer).ID: false, "0-99999": false, publisher: true} {
		if ok, err := r.engine.Cut(context.Background(), id); ok != want || err != nil {
			t.Errorf("cut %s: %v, %v", id, ok, err)
		}
	}
	if ok, err := r.engine.Stall(context.Background(), publisher, time.Second); ok || err != nil {
		t.Errorf("stall a publisher: %v, %v", ok, err)
	}
	_ = p.waitEnd()
	for _, said := range p.heard() {
		if said == "onStatus NetStream.Publish.Rejected" || said == "onStatus NetStream.Unpublish.Success" {
			t.Errorf("it was told %s", said)
		}
	}
}
