package main_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Pictures and sounds of the sources, and how they are coded. No two frames
// are alike; the groups of pictures are closed and have a fixed length; no
// perceptual noise in AAC, whose decoder draws it at random.
const (
	picture  = "-f lavfi -i testsrc2=size=480x270:rate=25"
	sound    = "-f lavfi -i aevalsrc=0.3*sin(2*PI*t*(300+20*t)):s=48000"
	little   = "size=320x180:rate=25"
	x264     = "-c:v libx264 -preset veryfast -threads 1 -pix_fmt yuv420p -keyint_min 50 -sc_threshold 0 -bf 2"
	aac      = "-c:a aac -aac_pns 0 -b:a 64k -ac 2"
	constant = "-b:v 2M -minrate 2M -maxrate 2M -bufsize 2M -x264-params nal-hrd=cbr:force-cfr=1"
)

// recipes are ffmpeg's arguments for each source, all FLV files.
var recipes = map[string]string{
	"av":         picture + " " + sound + " -t 20 -g 50 -b:v 800k " + x264 + " " + aac,
	"minute":     picture + " " + sound + " -t 60 -g 50 -b:v 800k " + x264 + " " + aac,
	"gop10":      picture + " " + sound + " -t 20 -g 250 -b:v 800k " + x264 + " " + aac,
	"rate2m":     picture + " " + sound + " -t 20 -g 50 " + x264 + " " + constant + " " + aac,
	"small":      "-f lavfi -i testsrc2=" + little + " " + sound + " -t 20 -g 50 -b:v 200k " + x264 + " " + aac,
	"long":       "-f lavfi -i testsrc2=" + little + " " + sound + " -t 120 -g 50 -b:v 200k " + x264 + " " + aac,
	"unsteady":   irregular + " " + sound + " -t 60 -g 24 -b:v 400k -fps_mode vfr " + x264 + " " + aac,
	"other":      "-f lavfi -i testsrc=" + little + " " + sound + " -t 20 -g 50 -b:v 200k " + x264 + " " + aac,
	"audio":      sound + " -t 20 " + aac,
	"video":      picture + " -t 20 -g 50 -b:v 800k " + x264,
	"irregular":  irregular + " " + sound + " -t 12 -g 24 -b:v 400k -fps_mode vfr " + x264 + " " + aac,
	"mp3":        picture + " " + sound + " -t 20 -g 50 -b:v 400k " + x264 + " -c:a libmp3lame -ar 44100",
	"nellymoser": legacyPicture + " " + sound + " -t 12 -g 25 -c:v flv1 -c:a nellymoser -ar 22050 -ac 1",
	"adpcm":      legacyPicture + " " + sound + " -t 12 -g 25 -c:v flashsv -c:a adpcm_swf -ar 22050 -ac 1",
	"speex":      legacyPicture + " " + sound + " -t 12 -g 25 -c:v flv1 -c:a libspeex -ar 16000 -ac 1",
}

// irregular leaves out frames of a regular picture, by no simple rule.
const irregular = "-f lavfi -i testsrc2=" + little + ",select=mod(n+1\\,7)*mod(n+1\\,5)*mod(n*n+3\\,11)"

const legacyPicture = "-f lavfi -i testsrc2=size=160x96:rate=25"

// made holds each source once it is asked for.
var made struct {
	sync.Mutex
	sources map[string]func() (string, error)
}

// source returns the file of a source; the first to ask makes it.
func source(t *testing.T, name string) string {
	t.Helper()
	made.Lock()
	if made.sources == nil {
		made.sources = map[string]func() (string, error){}
	}
	if made.sources[name] == nil {
		made.sources[name] = sync.OnceValues(func() (string, error) { return makeSource(name) })
	}
	get := made.sources[name]
	made.Unlock()
	file, err := get()
	if err != nil {
		t.Fatalf("make source %s: %v", name, err)
	}
	return file
}

func makeSource(name string) (string, error) {
	file := filepath.Join(world.dir, name+".flv")
	args := strings.Fields("-hide_banner -nostdin -loglevel error -y " + recipes[name] + " -flvflags no_duration_filesize")
	return file, exec.Command("ffmpeg", append(args, file)...).Run()
}

// sourceTags returns the tags of a source.
func sourceTags(t *testing.T, name string) []tag {
	t.Helper()
	return readFLV(t, source(t, name))
}
