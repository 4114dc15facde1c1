package main_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestChromiumRecordings plays recordings of each kind, made by ffmpeg, from
// data_dir: FLV by ranges, MP4 by the browser itself, fMP4 and MPEG-TS by their
// playlists.
func TestChromiumRecordings(t *testing.T) {
	dir := t.TempDir()
	recordings(t, dir)
	srv := startServer(t, conf{"server.data_dir": `"` + dir + `"`})
	for _, c := range []struct{ name, page string }{
		{"mp4 of the newest session", "mp4.html?stream=live/cam"},
		{"fmp4 of the newest session", "play_merge.html?stream=live/cam"},
		{"flv", "video.html?stream=live/cam"},
		{"hls", "play.html?url=/hls/live/cam/20261121_120000/index.m3u8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := startChromium(t)
			if err := chromedp.Run(ctx, chromedp.Navigate("http://"+srv.http[0]+"/"+c.page), chromedp.WaitReady("#video")); err != nil {
				t.Fatalf("open the page: %v", err)
			}
			first := waitPicture(t, ctx, picture0)
			waitPicture(t, ctx, func(p pictureState) bool { return p.Time > first.Time+1 && p.Decoded > first.Decoded })
			seekPicture(t, ctx, 8)
		})
	}
}

// seekPicture goes to a time, in seconds, and waits for it to play on from there.
func seekPicture(t *testing.T, ctx context.Context, to float64) {
	t.Helper()
	if err := chromedp.Run(ctx, chromedp.Evaluate(fmt.Sprintf(`document.querySelector('#video').currentTime = %v`, to), nil)); err != nil {
		t.Fatalf("seek: %v", err)
	}
	waitPicture(t, ctx, func(p pictureState) bool { return p.Time > to+0.5 })
}

// recordings makes a data_dir as the recorders leave it.
func recordings(t *testing.T, dir string) {
	t.Helper()
	const session = "20261121_120000"
	hls, mp4, flv := filepath.Join(dir, "hls/live/cam", session), filepath.Join(dir, "mp4/live/cam", session, "output_merge"), filepath.Join(dir, "flv/live/cam")
	for _, d := range []string{hls, mp4, flv} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	in := "-f lavfi -i testsrc2=s=320x180:r=25:d=12 -f lavfi -i sine=r=44100:d=12 -c:v libx264 -preset ultrafast -g 50 -c:a aac "
	whole := filepath.Join(mp4, "stream_full.mp4")
	ffmpeg(t, in+"-movflags +faststart "+whole)
	ffmpeg(t, "-i "+whole+" -c copy -flvflags add_keyframe_index "+filepath.Join(flv, session+".flv"))
	ffmpeg(t, "-i "+whole+" -c copy -f hls -hls_time 2 -hls_playlist_type vod -hls_segment_type fmp4 "+filepath.Join(mp4, "index.m3u8"))
	ffmpeg(t, "-i "+whole+" -c copy -f hls -hls_time 2 -hls_playlist_type vod "+filepath.Join(hls, "index.m3u8"))
	if err := os.Symlink(session+"/output_merge", filepath.Join(dir, "mp4/live/cam/output_merge")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(flv, session+".flv.json"), `{"complete":true,"parts":[{"file":"`+session+`.flv","to_dts":12000}]}`)
}

func ffmpeg(t *testing.T, args string) {
	t.Helper()
	all := append(strings.Fields("-hide_banner -nostdin -loglevel error -y"), strings.Fields(args)...)
	if out, err := exec.CommandContext(t.Context(), "ffmpeg", all...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg %s: %v\n%s", args, err, out)
	}
}
