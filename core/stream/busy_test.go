package stream

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// Who gets a name that is in use.
func TestBusy(t *testing.T) {
	t.Parallel()
	me := Publisher{Peer: "10.0.0.1", Query: "key=a"}
	for _, c := range []struct {
		name   string
		policy Busy
		pub    Publisher
		silent int64 // ms since the incumbent's last media
		ok     bool
	}{
		{"auto, a stranger", BusyAuto, Publisher{Peer: "10.0.0.2", Query: "key=b"}, 0, false},
		{"auto, a stranger, just not silent", BusyAuto, Publisher{Peer: "10.0.0.2"}, 1999, false},
		{"auto, a stranger, silent", BusyAuto, Publisher{Peer: "10.0.0.2"}, 2000, true},
		{"auto, the same peer and key", BusyAuto, me, 0, true},
		{"auto, the same peer, another key", BusyAuto, Publisher{Peer: "10.0.0.1", Query: "key=b"}, 0, false},
		{"auto, the same peer, no key", BusyAuto, Publisher{Peer: "10.0.0.1"}, 0, false},
		{"auto, the same key from elsewhere", BusyAuto, Publisher{Peer: "10.0.0.2", Query: "key=a"}, 0, false},
		{"reject, the same peer and key", BusyReject, me, 0, false},
		{"reject, silent", BusyReject, Publisher{Peer: "10.0.0.2"}, 60_000, false},
		{"replace, a stranger", BusyReplace, Publisher{Peer: "10.0.0.2"}, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFeed(t, func(o *Options) { o.OnBusy = c.policy })
			f.pub.Publisher = me
			evicted := ""
			f.pub.Publisher.Evict = func(reason string) { evicted = reason }
			f.start()
			old := f.pub

			c.pub.RemoteAddr = "10.0.0.9:1234"
			p, err := f.r.Publish(testKey, c.pub, epoch+(960+c.silent)*ms)
			if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrBusy) {
				t.Fatalf("publish: %v", err)
			}
			if old.Owns() == c.ok || (evicted != "") != c.ok {
				t.Errorf("the incumbent owns it: %t; it was evicted: %q", old.Owns(), evicted)
			}
			if c.ok && (p.Stream != old.Stream || !p.Owns() || !strings.Contains(evicted, "10.0.0.9:1234")) {
				t.Errorf("another stream: %t; evicted: %q", p.Stream != old.Stream, evicted)
			}
			if old.Write(audio(10), 1000, epoch+1000*ms) == c.ok {
				t.Errorf("the incumbent's frames are taken: %t", !c.ok)
			}
		})
	}
}

// An incumbent that has sent nothing yet has its time too.
func TestBusyBeforeMedia(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	stranger := Publisher{Peer: "10.0.0.2"}
	if _, err := f.r.Publish(testKey, stranger, epoch+1999*ms); !errors.Is(err, ErrBusy) {
		t.Errorf("after 1.999 s: %v", err)
	}
	if _, err := f.r.Publish(testKey, stranger, epoch+2000*ms); err != nil {
		t.Errorf("after 2 s: %v", err)
	}
}

// Sequence headers and metadata are no sign of life, frames without a keyframe
// are.
func TestBusySilence(t *testing.T) {
	t.Parallel()
	f := newFeed(t, nil)
	stranger := Publisher{Peer: "10.0.0.2"}
	f.inter(1000)
	f.write(config(1, "asc"), 2900)
	f.pub.SetMetadata(describe("x"), true, true, epoch+2900*ms)
	if got := f.pub.LastMedia(); got != epoch+1000*ms {
		t.Errorf("last media at %d ms", (got-epoch)/ms)
	}
	if _, err := f.r.Publish(testKey, stranger, epoch+2999*ms); !errors.Is(err, ErrBusy) {
		t.Errorf("at 2.999 s: %v", err)
	}
	if _, err := f.r.Publish(testKey, stranger, epoch+3000*ms); err != nil {
		t.Errorf("at 3 s: %v", err)
	}
}

// Two encoders that throw each other out are stopped: at the third time the
// incumbent keeps the name for a while.
func TestBusyFight(t *testing.T) {
	t.Parallel()
	for _, policy := range []Busy{BusyReplace, BusyAuto} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			f := newFeed(t, func(o *Options) { o.OnBusy = policy })
			me := Publisher{Peer: "10.0.0.1"}
			take := func(at int64) error {
				f.audio(at)
				p, err := f.r.Publish(testKey, me, epoch+at*ms)
				if err == nil {
					f.pub = p
				}
				return err
			}
			for i, at := range []int64{1000, 2000, 3000} {
				if err := take(at); err != nil {
					t.Fatalf("time %d: %v", i+1, err)
				}
			}
			if err := take(4000); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "3 times") {
				t.Errorf("the fourth time: %v", err)
			}
			if err := take(32_999); !errors.Is(err, ErrBusy) {
				t.Errorf("until the end of the hold: %v", err)
			}
			if err := take(33_000); err != nil {
				t.Errorf("after the hold: %v", err)
			}
		})
	}
}

// An incumbent that has gone silent does not keep the name by a hold, and
// taking its place is no fight.
func TestBusyFightSilent(t *testing.T) {
	t.Parallel()
	f := newFeed(t, func(o *Options) { o.OnBusy = BusyReplace })
	other := Publisher{Peer: "10.0.0.2"}
	at := int64(0)
	for range 10 {
		f.audio(at)
		at += 2000
		f.publish(other, at)
	}
	for range 3 {
		f.audio(at)
		f.publish(other, at)
		at += 100
	}
	if _, err := f.r.Publish(testKey, other, epoch+at*ms); !errors.Is(err, ErrBusy) {
		t.Errorf("in the hold: %v", err)
	}
	if _, err := f.r.Publish(testKey, other, epoch+(at+2000)*ms); err != nil {
		t.Errorf("in the hold, its holder silent: %v", err)
	}
}

// Replacements that are far apart are no fight.
func TestBusySlowFight(t *testing.T) {
	t.Parallel()
	f := newFeed(t, func(o *Options) { o.OnBusy = BusyReplace })
	for at := int64(0); at < 300_000; at += 15_000 {
		f.audio(at)
		f.publish(Publisher{}, at)
	}
}

// A lost stream's name is free, for anybody.
func TestBusyLost(t *testing.T) {
	t.Parallel()
	f := newFeed(t, func(o *Options) { o.OnBusy, o.ReconnectGrace = BusyReject, time.Hour })
	f.start()
	s := f.stream()
	f.pub.Close(false, "reset", epoch+1000*ms)
	f.publish(Publisher{Peer: "10.0.0.2"}, 1000)
	if f.stream() != s {
		t.Error("it is another stream")
	}
	f.pub.Close(true, "done", epoch+1000*ms)
}
