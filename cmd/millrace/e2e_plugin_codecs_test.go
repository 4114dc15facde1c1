package main_test

import (
	"path/filepath"
	"slices"
	"testing"
)

// TestRecordedCodecs records what real encoders made of each codec that an MP4
// can hold: each byte is in the FLV, each frame in all others.
func TestRecordedCodecs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	srv := startRecording(t, recording(dir, recorderNames...))
	g := together(t)
	defer g.wait()
	for _, c := range []struct {
		video, audio string
		kept         form // in which an FLV has the video
	}{
		{"hevc", "opus", plainForm}, {"av1", "flac", enhancedForm}, {"vp9", "ac3", enhancedForm}, {"h264", "eac3", numbered(7)},
	} {
		g.run(c.video+" and "+c.audio, func(t *testing.T) {
			video, audio := makeClip(t, c.video), makeClip(t, c.audio)
			path := "live/" + c.video
			startFeedOnce(srv.publish(t, path), interleave(video.tags(enhancedForm), audio.tags(enhancedForm)), 0)()
			r := waitRecords(t, data, path, 1, recorderNames...)[0]
			flv := slices.DeleteFunc(readFLV(t, r.flv), func(g tag) bool { return g.kind == scriptTag })
			wantBodies(t, "flv", videoTag, flv, video.tags(c.kept))
			wantBodies(t, "flv", audioTag, flv, audio.tags(enhancedForm))
			r.flv = "" // this ffmpeg reads no FourCC
			// The stream has no edits: what the encoder has ahead of the sound
			// is heard, and pictures that wait for others come later.
			want, sound := decode(t, video.file, "v", "-ignore_editlist", "1"), decode(t, audio.file, "a", "-ignore_editlist", "1")
			want.succeed(t)
			sound.succeed(t)
			want.audio = sound.audio
			r.check(t, want)
		})
	}
}
