package main_test

import (
	"errors"
	"io"
	"slices"
	"testing"
	"time"
)

// TestPlayerCommands says to a playing connection what players say.
func TestPlayerCommands(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	srv.feed(t, "live/x", sourceTags(t, "small"))
	srv.waitStream(t, "live/x")
	g := together(t)
	defer g.wait()
	for name, test := range map[string]func(*testing.T, *rtmpViewer){
		"receiveVideo": receiveVideo, "receiveAudio": receiveAudio, "pause": pauseAndResume, "play2": playTwo,
		"seek": seek, "deleteStream and play": playAgain, "unknown command": unknownCommand,
	} {
		g.run(name, func(t *testing.T) {
			v := srv.watch(t, "rtmp", "live/x", nil).(*rtmpViewer)
			nextThat(t, v, "a keyframe", tag.isKeyframe)
			test(t, v)
		})
	}
}

// say sends a command on the play stream.
func (v *rtmpViewer) say(t *testing.T, name string, args ...any) {
	t.Helper()
	if _, err := v.rtmpConn.command(v.stream, name, append([]any{nil}, args...)...); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// without waits for a second in which no tag is as forbidden: some may be on
// their way.
func without(t *testing.T, v viewer, what string, forbidden func(tag) bool) {
	t.Helper()
	eventually(t, "no more "+what, func() bool { return !slices.ContainsFunc(readFor(t, v, time.Second), forbidden) })
}

func receiveVideo(t *testing.T, v *rtmpViewer) {
	v.say(t, "receiveVideo", false)
	without(t, v, "video", tag.isVideo)
	v.say(t, "receiveVideo", true)
	if g := nextThat(t, v, "video again", tag.isVideo); !g.isKeyframe() {
		t.Error("video does not go on with a keyframe")
	}
}

func receiveAudio(t *testing.T, v *rtmpViewer) {
	v.say(t, "receiveAudio", false)
	without(t, v, "audio", tag.isAudio)
	v.say(t, "receiveAudio", true)
	nextThat(t, v, "audio again", tag.isAudio)
}

func pauseAndResume(t *testing.T, v *rtmpViewer) {
	v.say(t, "pause", true, 0.0)
	_ = v.SetReadDeadline(time.Now().Add(patience))
	for !slices.Contains(v.control, "NetStream.Pause.Notify") {
		if _, err := v.step(); err != nil {
			t.Fatalf("wait for the pause: %v", err)
		}
	}
	time.Sleep(1500 * time.Millisecond) // the pause
	v.say(t, "pause", false, 0.0)
	if g := nextThat(t, v, "video again", tag.isVideo); !g.isKeyframe() {
		t.Error("video does not go on with a keyframe")
	}
}

func playTwo(t *testing.T, v *rtmpViewer) {
	v.say(t, "play2", amfObject{"streamName": "y"})
	nextThat(t, v, "more video", tag.isVideo)
	readFor(t, v, time.Second)
}

func seek(t *testing.T, v *rtmpViewer) {
	v.say(t, "seek", 1000.0)
	readFor(t, v, time.Second)
}

func unknownCommand(t *testing.T, v *rtmpViewer) {
	v.say(t, "FCFantasy", "x")
	readFor(t, v, time.Second)
}

// playAgain uses the connection for a second play.
func playAgain(t *testing.T, v *rtmpViewer) {
	if _, err := v.rtmpConn.command(0, "deleteStream", nil, float64(v.stream)); err != nil {
		t.Fatal(err)
	}
	if err := v.createStream(); err != nil {
		t.Fatalf("second createStream: %v", err)
	}
	v.say(t, "play", "x", -2000.0)
	if err := v.awaitStart(); err != nil {
		t.Fatal(err)
	}
	nextThat(t, v, "a keyframe", tag.isKeyframe)
}

// TestViewerCloses ends a WebSocket as the protocol has it; the server answers.
func TestViewerCloses(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	srv.feed(t, "live/x", sourceTags(t, "small"))
	srv.waitStream(t, "live/x")
	v := srv.watch(t, "ws-flv", "live/x", nil).(*wsViewer)
	nextThat(t, v, "a keyframe", tag.isKeyframe)
	if err := v.frames.send(wsClose, []byte{3, 0xE8}); err != nil {
		t.Fatal(err)
	}
	if _, err := collect(v, time.Now().Add(patience)); !errors.Is(err, io.EOF) || v.frames.code != wsNormal {
		t.Errorf("%v, close code %d", err, v.frames.code)
	}
	srv.waitStreamThat(t, "live/x", "has no viewer", func(s *streamInfo) bool { return s.Viewers == 0 })

	bad := srv.watch(t, "ws-flv", "live/x", nil).(*wsViewer)
	if _, err := bad.Write([]byte{0x89, 0x02, 'h', 'i'}); err != nil { // no mask
		t.Fatal(err)
	}
	if _, err := collect(bad, time.Now().Add(patience)); !errors.Is(err, io.EOF) || bad.frames.code != 1002 {
		t.Errorf("an unmasked frame: %v, close code %d", err, bad.frames.code)
	}
}

// TestConfigurationChanges switches the picture's size in mid-stream: viewers
// and newcomers get the new configuration before what needs it.
func TestConfigurationChanges(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	small, av := firstSeconds(sourceTags(t, "small"), 2), firstSeconds(sourceTags(t, "av"), 6)
	captures := srv.awaitingAll(t, protocols, "live/x")
	feed := feedUntil(t, srv.publish(t, "live/x"), append(small, later(av, 2000)...), 7000)
	srv.waitStreamThat(t, "live/x", "is larger", func(s *streamInfo) bool { return s.Video.Width == 480 })
	captures = append(captures, srv.awaitingAll(t, protocols, "live/x")...)
	feed.end()
	for i, c := range captures {
		wantConfigurations(t, c, i < len(protocols), configOf(small), configOf(av), digests(t, "av"))
	}
}

func later(tags []tag, by uint32) []tag {
	moved := slices.Clone(tags)
	for i := range moved {
		moved[i].ts += by
	}
	return moved
}

func configOf(tags []tag) string {
	return string(tags[slices.IndexFunc(tags, func(g tag) bool { return g.kind == videoTag && g.isConfig() })].body)
}

// wantConfigurations follows the configuration in force at each video frame.
func wantConfigurations(t *testing.T, c *capture, both bool, small, large string, isLarge map[digest]bool) {
	t.Helper()
	force, seen := "", map[string]int{}
	for _, g := range c.end(t) {
		if g.kind == videoTag && g.isConfig() {
			force = string(g.body)
		}
		if !g.isVideo() {
			continue
		}
		seen[force]++
		if want := map[bool]string{true: large, false: small}[isLarge[sum(g)]]; force != want {
			t.Fatalf("%s: a frame at %d ms under the wrong configuration", c.protocol, g.ts)
		}
	}
	if both != (seen[small] > 0) || seen[large] < 25 {
		t.Errorf("%s: %d frames of the first and %d of the second configuration", c.protocol, seen[small], seen[large])
	}
}
