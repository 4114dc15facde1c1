package main_test

import (
	"testing"
	"time"
)

// TestBigTimestamps starts a second before a border of timestamps: the one of
// the 24-bit field, and the one of 32 bits.
func TestBigTimestamps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		base uint32
		bare bool
	}{
		{name: "24 bits", base: 0xFFFFFF - 1000},
		{name: "24 bits, nothing on type 3 chunks", base: 0xFFFFFF - 1000, bare: true},
		{name: "32 bits", base: 0xFFFFFFFF - 1000 + 1},
		{name: "31 bits", base: 0x7FFFFFFF - 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t, nil)
			players := bigPlayers(t, srv)
			p := srv.publish(t, "live/x")
			p.out.bare = c.bare
			playThrough(t, srv, players, startFeedOnce(p, firstSeconds(sourceTags(t, "av"), 8), c.base))
		})
	}
	t.Run("ffmpeg publishes", func(t *testing.T) {
		t.Parallel()
		srv := startServer(t, nil)
		players := bigPlayers(t, srv)
		pub := publishOnce(t, srv.rtmpURL("live/x"), source(t, "av"), []string{"-t", "8"}, []string{"-output_ts_offset", "16776.215"})
		playThrough(t, srv, players, func() { pub.succeed(t) })
	})
}

// bigPlayers are started first, and wait for the publisher.
func bigPlayers(t *testing.T, srv *server) map[string]recorder {
	t.Helper()
	source(t, "av")
	players := map[string]recorder{"curl": curl(t, srv.flvURL("live/x"))}
	for name, start := range recorders {
		players[name] = start(t, srv.rtmpURL("live/x"))
	}
	eventually(t, "the players wait", func() bool { return len(srv.allClients(t)) >= len(players) })
	return players
}

// playThrough wants all frames of the source's first 8 seconds in every player.
func playThrough(t *testing.T, srv *server, players map[string]recorder, publish func()) {
	t.Helper()
	capture := srv.awaiting(t, "rtmp", "live/x")
	publish()
	tags := capture.end(t)
	if o := checkOrder(t, tags); o.video < 198 || o.audio < 370 {
		t.Errorf("%d video and %d audio frames", o.video, o.audio)
	}
	noJump(t, mediaTags(tags))
	want := readSums(t, decoded(t, source(t, "av"), "va").video)
	for name, r := range players {
		t.Run(name, func(t *testing.T) {
			r.succeed(t)
			samePictures(t, readSums(t, decoded(t, r.file, "va").video), want)
		})
	}
}

// samePictures wants the first 8 seconds of the source: 200 frames, less what
// B-frames leave undecided at the cut.
func samePictures(t *testing.T, got, want []frameSum) {
	t.Helper()
	if len(got) < 195 {
		t.Errorf("%d frames, want 200", len(got))
	}
	for i := range min(len(got), 195) {
		if got[i].hash != want[i].hash {
			t.Fatalf("frame %d differs from the source", i)
		}
		if drift := got[i].pts - want[i].pts - (got[0].pts - want[0].pts); drift.Abs() > time.Millisecond {
			t.Logf("frame %d is %v off", i, drift) // a recorder may write what wraps as it likes
			return
		}
	}
}

// firstSeconds cuts tags by timestamp.
func firstSeconds(tags []tag, seconds uint32) []tag {
	var some []tag
	for _, g := range tags {
		if g.ts < seconds*1000 {
			some = append(some, g)
		}
	}
	return some
}

// TestJumpingTimestamps moves a publisher's timestamps about; viewers see them
// rise, the publisher is not closed, and the correction is counted.
func TestJumpingTimestamps(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	g := together(t)
	defer g.wait()
	for name, base := range map[string]uint32{"back": 0, "ahead": 90_000_000} {
		g.run(name, func(t *testing.T) {
			path := "live/" + name
			p := srv.publish(t, path)
			tags := firstSeconds(sourceTags(t, "small"), 4)
			capture := srv.awaiting(t, "http-flv", path)
			play := func(base uint32) {
				begin := time.Now()
				for _, g := range tags {
					time.Sleep(time.Until(begin.Add(ms(g.ts))))
					g.ts += base
					if err := p.put(g); err != nil {
						t.Fatalf("the publisher was closed: %v", err)
					}
				}
			}
			play(1_000_000)
			play(base)
			info := srv.waitStream(t, path)
			if info.TimestampCorrections == 0 {
				t.Error("no correction counted")
			}
			_ = p.stopCleanly(name)
			got := capture.end(t)
			checkOrder(t, got)
			noJump(t, mediaTags(got))
		})
	}
}

// TestJitter moves single timestamps back a little.
func TestJitter(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	p := srv.publish(t, "live/x")
	capture := srv.awaiting(t, "ws-flv", "live/x")
	tags := firstSeconds(sourceTags(t, "small"), 4)
	for i := range tags {
		if i%7 == 6 && tags[i].ts > 500 {
			tags[i].ts -= 60
		}
	}
	startFeedOnce(p, tags, 0)()
	got := capture.end(t)
	if o := checkOrder(t, got); o.video < 95 {
		t.Errorf("%d video frames", o.video)
	}
	noJump(t, mediaTags(got))
}

// noJump wants no more than a second between two tags of the stream.
func noJump(t *testing.T, tags []tag) {
	t.Helper()
	for i := 1; i < len(tags); i++ {
		if step := int32(tags[i].ts - tags[i-1].ts); step > 1000 || step < -1000 {
			t.Errorf("step of %d ms at tag %d of %d", step, i, len(tags))
		}
	}
}
