package main_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestEnhancedCodecs publishes what real encoders made, by FourCC and under the
// numbers of old, and wants each viewer to get each byte of it, in the form
// that players read.
func TestEnhancedCodecs(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	g := together(t)
	defer g.wait()
	for name, c := range map[string]struct {
		codec      string
		sent, want form
	}{
		"hevc":              {"hevc", enhancedForm, plainForm},
		"hevc labelled avc": {"hevc", numbered(7), plainForm},
		"hevc by number":    {"hevc", numbered(12), numbered(12)},
		"av1":               {"av1", enhancedForm, plainForm},
		"vp9":               {"vp9", enhancedForm, plainForm},
		"avc by FourCC":     {"h264", enhancedForm, numbered(7)},
		"vp8":               {"vp8", enhancedForm, plainForm},
		"opus":              {"opus", enhancedForm, plainForm},
		"flac":              {"flac", enhancedForm, plainForm},
		"ac3":               {"ac3", enhancedForm, plainForm},
		"eac3":              {"eac3", enhancedForm, plainForm},
	} {
		g.run(name, func(t *testing.T) {
			clip := makeClip(t, c.codec)
			path := "live/" + strings.ReplaceAll(name, " ", "-")
			if len(clip.samples) < 25 {
				t.Fatalf("the clip has %d samples", len(clip.samples))
			}
			got := srv.passOn(t, path, clip.tags(c.sent), func(info *streamInfo) {
				// There is no onMetaData: it was read from the media.
				want := fmt.Sprintf("%s 160x96, ", c.codec)
				if clip.kind == audioTag {
					want = fmt.Sprintf(" 0x0, %s 48000 Hz 2", c.codec)
				}
				got := fmt.Sprintf("%s %dx%d, %s %d Hz %d", info.Video.Codec, info.Video.Width, info.Video.Height,
					info.Audio.Codec, info.Audio.SampleRate, info.Audio.Channels)
				if !strings.HasPrefix(got, want) {
					t.Errorf("the stream is %q, want %q", got, want)
				}
			})
			for protocol, tags := range got {
				wantBodies(t, protocol, clip.kind, tags, clip.tags(c.want))
			}
		})
	}
}

// passOn publishes tags and returns what viewers got from the start on, by
// protocol. look is told of the stream while it runs.
func (s *server) passOn(t *testing.T, path string, tags []tag, look func(*streamInfo)) map[string][]tag {
	t.Helper()
	captures := s.awaitingAll(t, protocols, path)
	bare, _, _ := strings.Cut(path, "?")
	p := s.publish(t, bare)
	done := make(chan struct{})
	go func() { defer close(done); startFeedOnce(p, tags, 0)() }()
	look(s.waitStreamThat(t, bare, "has frames", func(i *streamInfo) bool { return i.FramesIn > 20 }))
	<-done
	got := map[string][]tag{}
	for _, c := range captures {
		got[c.protocol] = c.end(t)
	}
	return got
}

// TestEnhancedNumbers publishes AAC and MP3 by FourCC: viewers get them as
// every player knows them.
func TestEnhancedNumbers(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	g := together(t)
	defer g.wait()
	for name, c := range map[string]struct {
		source string
		fourCC string
		head   int
	}{"aac": {"audio", "mp4a", 2}, "mp3": {"mp3", ".mp3", 1}} {
		g.run(name, func(t *testing.T) {
			var sent, want []tag
			for _, g := range firstSeconds(sourceTags(t, c.source), 3) {
				if g.kind != audioTag {
					continue
				}
				packet := byte(1)
				if g.isConfig() {
					packet = 0
				}
				sent = append(sent, tag{audioTag, g.ts, append(append([]byte{0x90 | packet}, c.fourCC...), g.body[c.head:]...)})
				want = append(want, tag{audioTag, g.ts, append([]byte{g.body[0] | 15}, g.body[1:]...)})
			}
			got := srv.passOn(t, "live/"+name, sent, func(i *streamInfo) {
				if i.Audio.Codec != name || i.Audio.SampleRate != 48000 && i.Audio.SampleRate != 44100 || i.Audio.Channels == 0 {
					t.Errorf("the audio is %+v", i.Audio)
				}
			})
			for protocol, tags := range got {
				wantBodies(t, protocol, audioTag, tags, want)
			}
		})
	}
}

// onTrack makes tags of an enhanced form OneTrack messages of another track.
func onTrack(track byte, tags []tag) []tag {
	var all []tag
	for _, g := range tags {
		multitrack := byte(6)
		if g.kind == audioTag {
			multitrack = 5
		}
		head := append([]byte{g.body[0]&0xF0 | multitrack, g.body[0] & 15}, g.body[1:5]...)
		all = append(all, tag{g.kind, g.ts, append(append(head, track), g.body[5:]...)})
	}
	return all
}

// TestEnhancedTracks publishes two tracks of each medium: viewers get the
// default ones in plain, or what they ask for.
func TestEnhancedTracks(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	avc, av1, opus, flac := makeClip(t, "h264"), makeClip(t, "av1"), makeClip(t, "opus"), makeClip(t, "flac")
	sent := interleave(avc.tags(numbered(7)), onTrack(1, av1.tags(enhancedForm)), opus.tags(enhancedForm), onTrack(1, flac.tags(enhancedForm)))
	g := together(t)
	defer g.wait()
	for name, c := range map[string]struct {
		query        string
		video, audio []tag
	}{
		"plain":  {"", avc.tags(numbered(7)), opus.tags(plainForm)},
		"others": {"?vtrack=1&atrack=1", av1.tags(plainForm), flac.tags(plainForm)},
		"all": {"?tracks=all", interleave(avc.tags(numbered(7)), onTrack(1, av1.tags(plainForm))),
			interleave(opus.tags(plainForm), onTrack(1, flac.tags(plainForm)))},
	} {
		g.run(name, func(t *testing.T) {
			for protocol, tags := range srv.passOn(t, "live/"+name+c.query, sent, func(*streamInfo) {}) {
				wantBodies(t, protocol, videoTag, tags, c.video)
				wantBodies(t, protocol, audioTag, tags, c.audio)
			}
		})
	}
}
