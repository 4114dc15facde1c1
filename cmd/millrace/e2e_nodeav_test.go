package main_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// everyFourCC is what FFmpeg 8 is told to announce.
const everyFourCC = "hvc1,av01,vp09,Opus,fLaC,ac-3,ec-3,avc1,mp4a,.mp3"

// avTrack is what FFmpeg 8 read and decoded of one track.
type avTrack struct {
	Kind    string `json:"kind"`
	Codec   string `json:"codec"`
	Config  string `json:"config"` // MD5 of the decoder configuration, if there is one
	Packets []avPacket
	Frames  []avPacket // decoded; they have no dts
}

type avPacket struct {
	PTS int    `json:"pts"` // ms
	DTS int    `json:"dts"`
	MD5 string `json:"md5"`
}

// avConf loses nothing for a player that starts, and decodes, when a busy machine
// lets it.
var avConf = conf{"stream.play_wait": `"3m"`, "stream.ring_time": `"1m"`, "stream.max_lag": `"1m"`, "stream.stall_timeout": `"3m"`}

// avPlayer is FFmpeg 8 as the player of URLs or files.
type avPlayer struct {
	*peer
	json output
}

// nodeAV is the command that runs FFmpeg 8; `make node` installs its package.
func nodeAV(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	folder, err := filepath.Abs("testdata/node-av")
	if err != nil {
		t.Fatal(err)
	}
	if found, _ := filepath.Glob(filepath.Join(folder, "node_modules/@seydx/node-av-linux-*")); len(found) == 0 {
		t.Fatalf("run npm ci in %s first, as make test does", folder)
	}
	cmd := exec.Command("node", append([]string{filepath.Join(folder, "av.mjs")}, args...)...)
	// Each URL is read by a thread of its own.
	cmd.Env = append(os.Environ(), "UV_THREADPOOL_SIZE=16")
	return cmd
}

func startAVPlayer(t *testing.T, urls ...string) *avPlayer {
	t.Helper()
	p := &avPlayer{}
	cmd := nodeAV(t, append([]string{"play"}, urls...)...)
	cmd.Stdout = &p.json
	p.peer = startCommand(t, lifetime, cmd)
	return p
}

// end waits for the end and returns the tracks of each URL.
func (p *avPlayer) end(t *testing.T) (all [][]avTrack) {
	t.Helper()
	p.succeed(t)
	if err := json.Unmarshal([]byte(p.json.String()), &all); err != nil {
		t.Fatalf("read what FFmpeg 8 played: %v", err)
	}
	return all
}

// startAVPublisher publishes the streams of files in real time.
func startAVPublisher(t *testing.T, url string, files []string) *peer {
	t.Helper()
	return startCommand(t, lifetime, nodeAV(t, append([]string{"publish", url, everyFourCC}, files...)...))
}

// TestNodeAV has FFmpeg 8 publish what real encoders made, and play all tracks
// of it over RTMP and HTTP-FLV: each packet arrives, and decodes as the source
// does. A second track of AVC, AAC or MP3 is how FFmpeg sends these by FourCC.
func TestNodeAV(t *testing.T) {
	t.Parallel()
	srv := startServer(t, avConf)
	g := together(t)
	defer g.wait()
	for name, c := range map[string]struct {
		codecs, wire string
	}{
		"hevc and opus": {"hevc opus", "hvc1/0 Opus/0"},
		"av1 and flac":  {"av1 flac", "av01/0 fLaC/0"},
		// Not with a picture that begins after it: sound before the first
		// keyframe is not sent.
		"vp9":  {"vp9", "vp09/0"},
		"ac3":  {"ac3", "ac-3/0"},
		"eac3": {"eac3", "ec-3/0"},
		"tracks": {"h264 h264 hevc av1 vp9 aac aac mp3 opus flac ac3 eac3",
			"7/0 avc1/1 hvc1/2 av01/3 vp09/4 10/0 mp4a/1 .mp3/2 Opus/3 fLaC/4 ac-3/5 ec-3/6 " +
				"hvc1/0 av01/0 vp09/0"}, // colour information, which FFmpeg sends without a track
	} {
		g.run(name, func(t *testing.T) {
			var files []string
			for _, codec := range strings.Fields(c.codecs) {
				files = append(files, makeClip(t, codec).file)
			}
			path := "live/" + strings.ReplaceAll(name, " ", "-")
			played, tags := srv.playedByAV(t, path, func() { startAVPublisher(t, srv.rtmpURL(path), files).succeed(t) })
			want := slices.Sorted(slices.Values(strings.Fields(c.wire)))
			if got := wireForms(tags); !slices.Equal(got, want) {
				t.Errorf("on the wire: %v, want %v", got, want)
			}
			source := slices.Concat(startAVPlayer(t, files...).end(t)...)
			for protocol, tracks := range played {
				t.Run("over "+protocol, func(t *testing.T) { sameAV(t, tracks, source) })
			}
		})
	}
}

// TestNodeAVPlays has FFmpeg 8 play what it cannot publish.
func TestNodeAVPlays(t *testing.T) {
	t.Parallel()
	srv := startServer(t, avConf)
	g := together(t)
	defer g.wait()
	for name, c := range map[string]struct {
		codec string
		sent  form
	}{
		"avc by FourCC":     {"h264", enhancedForm},
		"aac by FourCC":     {"aac", enhancedForm},
		"mp3 by FourCC":     {"mp3", enhancedForm},
		"hevc labelled avc": {"hevc", numbered(7)},
	} {
		g.run(name, func(t *testing.T) {
			clip := makeClip(t, c.codec)
			path := "live/" + strings.ReplaceAll(name, " ", "-")
			played, _ := srv.playedByAV(t, path, func() { startFeedOnce(srv.publish(t, path), clip.tags(c.sent), 0)() })
			source := startAVPlayer(t, clip.file).end(t)[0]
			for protocol, tracks := range played {
				t.Run("over "+protocol, func(t *testing.T) { sameAV(t, tracks, source) })
			}
		})
	}
}

// playedByAV returns what FFmpeg 8 gets of a whole publish, all tracks of it,
// by protocol, and what is on the wire then.
func (s *server) playedByAV(t *testing.T, path string, publish func()) (map[string][]avTrack, []tag) {
	t.Helper()
	all := path + "?tracks=all"
	player := startAVPlayer(t, s.rtmpURL(all), s.flvURL(all))
	wire := s.capturing(t, "http-flv", all)
	eventually(t, "the viewers wait", func() bool { return s.connected(t, path) >= 3 })
	publish()
	tracks := player.end(t)
	return map[string][]avTrack{"rtmp": tracks[0], "http-flv": tracks[1]}, wire.end(t)
}

// wireForms lists how tracks are labelled, by FourCC or number, with the number
// of each.
func wireForms(tags []tag) []string {
	forms := map[string]bool{}
	for _, g := range tags {
		if g.isMedia() {
			forms[wireForm(g)] = true
		}
	}
	return slices.Sorted(maps.Keys(forms))
}

func wireForm(g tag) string {
	number, enhanced, multitrack := g.body[0]&15, g.body[0]&0x80 != 0, byte(6)
	if g.kind == audioTag {
		number, enhanced, multitrack = g.body[0]>>4, g.body[0]>>4 == 9, 5
	}
	switch {
	case !enhanced:
		return fmt.Sprintf("%d/0", number)
	case g.body[0]&15 == multitrack:
		return fmt.Sprintf("%s/%d", g.body[2:6], g.body[6])
	default:
		return fmt.Sprintf("%s/0", g.body[1:5])
	}
}

// sameAV compares tracks with those of the source: the same packets and frames,
// their times moved by what is the same for all.
func sameAV(t *testing.T, got, want []avTrack) {
	got, want = videoFirst(got), videoFirst(want)
	if len(got) != len(want) {
		t.Fatalf("tracks: %v, want %v", codecsOf(got), codecsOf(want))
	}
	moved := got[0].Packets[0].DTS - want[0].Packets[0].DTS
	for i := range got {
		what := fmt.Sprintf("track %d, %s", i, want[i].Codec)
		if got[i].Codec != want[i].Codec {
			t.Errorf("%s: came as %s", what, got[i].Codec)
		}
		// FFmpeg leaves that of VP9 out when it reads MP4.
		if got[i].Config != want[i].Config && want[i].Codec != "vp9" {
			t.Errorf("%s: came with another configuration", what)
		}
		if len(want[i].Packets) < 25 || len(want[i].Frames) < 25 {
			t.Errorf("%s: the source has %d packets and %d frames", what, len(want[i].Packets), len(want[i].Frames))
		}
		samePackets(t, what+": packet", got[i].Packets, want[i].Packets, moved)
		samePackets(t, what+": frame", got[i].Frames, want[i].Frames, moved)
	}
}

func videoFirst(tracks []avTrack) []avTrack {
	tracks = slices.Clone(tracks)
	slices.SortStableFunc(tracks, func(a, b avTrack) int { return -strings.Compare(a.Kind, b.Kind) })
	return tracks
}

func codecsOf(tracks []avTrack) (codecs []string) {
	for _, track := range tracks {
		codecs = append(codecs, track.Kind+" "+track.Codec)
	}
	return codecs
}

func samePackets(t *testing.T, what string, got, want []avPacket, moved int) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%ss: %d, want %d", what, len(got), len(want))
	}
	near := func(a, b int) bool { return a-b-moved >= -1 && a-b-moved <= 1 }
	for i := range min(len(got), len(want)) {
		g, w := got[i], want[i]
		if g.MD5 != w.MD5 {
			t.Errorf("%s %d of %d differs", what, i, len(want))
			return
		}
		if !near(g.PTS, w.PTS) || !near(g.DTS, w.DTS) && g.DTS != w.DTS {
			t.Errorf("%s %d of %d: pts %d, dts %d, want %d and %d later than %d and %d", what, i, len(want), g.PTS, g.DTS, moved, moved, w.PTS, w.DTS)
			return
		}
	}
}
