package main_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestFidelity watches a publish with B-frames over every protocol from its
// beginning and from the middle, and compares with the source what is decoded
// and what is on the wire.
func TestFidelity(t *testing.T) {
	t.Parallel()
	name := "minute"
	if testing.Short() {
		name = "av"
	}
	srv := startServer(t, nil)
	file, tags := source(t, name), sourceTags(t, name)
	want := decoded(t, file, "va")

	early := startAudience(t, srv, "live/x")
	pub := publishOnce(t, srv.rtmpURL("live/x"), file, nil, nil)
	srv.waitStreamThat(t, "live/x", "has some seconds", func(s *streamInfo) bool { return s.FramesIn > 400 })
	late := startAudience(t, srv, "live/x")
	pub.succeed(t)

	t.Run("early", func(t *testing.T) { early.check(t, want, tags) })
	t.Run("late", func(t *testing.T) { late.check(t, want, tags) })
	if n := srv.metric(t, "millrace_timestamp_corrections_total"); n != 0 {
		t.Errorf("%v timestamps corrected", n)
	}
}

// audience watches one stream in every way.
type audience struct {
	captures []*capture
	decoders map[string]sums
}

func startAudience(t *testing.T, srv *server, path string) audience {
	t.Helper()
	a := audience{decoders: map[string]sums{}}
	for _, protocol := range protocols {
		a.captures = append(a.captures, srv.capturing(t, protocol, path))
	}
	a.decoders["rtmp"] = decode(t, srv.rtmpURL(path), "va")
	a.decoders["http-flv"] = decode(t, srv.flvURL(path), "va")
	return a
}

// check compares all that the audience got with the source.
func (a audience) check(t *testing.T, want sums, source []tag) {
	for _, c := range a.captures {
		tags := c.end(t)
		t.Run("tags over "+c.protocol, func(t *testing.T) { sameTags(t, tags, source) })
		if c.protocol == "ws-flv" {
			file := filepath.Join(t.TempDir(), "ws.flv")
			writeFLV(t, file, tags)
			a.decoders["ws-flv"] = decode(t, file, "va")
		}
	}
	for protocol, d := range a.decoders {
		t.Run("frames over "+protocol, func(t *testing.T) {
			d.succeed(t)
			sameFrames(t, d, want)
		})
	}
}

// sameTags compares from the first keyframe of got on: the same payloads in
// the same order, timestamps moved by a constant, nothing missing at the end.
func sameTags(t *testing.T, got, source []tag) {
	t.Helper()
	checkOrder(t, got)
	got = mediaTags(got)
	if len(got) == 0 {
		t.Fatal("no media")
	}
	want := fromKeyframe(mediaTags(source), got[0])
	if len(got) != len(want) {
		t.Errorf("%d tags, want %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		g, w := got[i], want[i]
		if g.kind != w.kind || !bytes.Equal(g.body, w.body) {
			t.Fatalf("tag %d of %d: kind %d at %d ms, want kind %d at %d ms of the source, or the payload differs",
				i, len(got), g.kind, g.ts, w.kind, w.ts)
		}
		if drift := int32(g.ts - got[0].ts - (w.ts - want[0].ts)); drift < -1 || drift > 1 {
			t.Fatalf("tag %d of %d is moved by %d ms", i, len(got), drift)
		}
	}
}

func mediaTags(tags []tag) []tag {
	var media []tag
	for _, g := range tags {
		if g.isMedia() {
			media = append(media, g)
		}
	}
	return media
}

// fromKeyframe is what a newcomer gets whose first tag is first: no frame that
// comes after the keyframe but belongs before it.
func fromKeyframe(source []tag, first tag) []tag {
	audioOnly := !slices.ContainsFunc(source, tag.isVideo)
	for i, g := range source {
		if (g.isKeyframe() || audioOnly) && bytes.Equal(g.body, first.body) {
			return notBefore(source[i:], g.ts)
		}
	}
	return nil
}

func notBefore(tags []tag, ts uint32) []tag {
	var rest []tag
	for _, g := range tags {
		if g.ts >= ts {
			rest = append(rest, g)
		}
	}
	return rest
}

// sameFrames compares decoded frames from the first keyframe on; both ends are
// the end of the stream.
func sameFrames(t *testing.T, got, want sums) {
	t.Helper()
	video := sameEnd(t, "video", readSums(t, got.video), readSums(t, want.video))
	audio := sameEnd(t, "audio", readSums(t, got.audio), readSums(t, want.audio))
	if skew := video - audio; skew < -time.Millisecond || skew > time.Millisecond {
		t.Errorf("audio and video are %v apart from what they were", skew)
	}
}

// sameEnd returns by how much the timestamps are moved. The first audio frame
// after a join is left out: it overlaps one that was not received.
func sameEnd(t *testing.T, what string, got, want []frameSum) time.Duration {
	t.Helper()
	if len(got) == 0 || len(got) > len(want) {
		t.Fatalf("%s: %d frames decoded, of %d", what, len(got), len(want))
	}
	want = want[len(want)-len(got):]
	moved := got[0].pts - want[0].pts
	for i := range got {
		if got[i].hash != want[i].hash && (what == "video" || i > 0) {
			t.Fatalf("%s: frame %d of %d differs from the source", what, i, len(got))
		}
		if drift := got[i].pts - want[i].pts - moved; drift < -time.Millisecond || drift > time.Millisecond {
			t.Fatalf("%s: frame %d of %d is %v off", what, i, len(got), drift)
		}
	}
	return moved
}
