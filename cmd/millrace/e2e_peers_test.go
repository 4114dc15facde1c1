package main_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ffmpegArgs come before all others.
var ffmpegArgs = []string{"-hide_banner", "-nostdin", "-loglevel", "warning"}

// publishOnce publishes a file in real time with ffmpeg and ends cleanly; in
// are more options of the input, out of the output.
func publishOnce(t *testing.T, url, file string, in, out []string) *peer {
	t.Helper()
	args := append(append([]string{"-re"}, in...), "-i", file, "-c", "copy")
	args = append(append(args, out...), "-f", "flv", url)
	return startPeer(t, lifetime, "ffmpeg", append(ffmpegArgs, args...)...)
}

// publishLoop publishes a file again and again until the test's end.
func publishLoop(t *testing.T, url, file string) *peer {
	t.Helper()
	return publishOnce(t, url, file, []string{"-stream_loop", "-1"}, nil)
}

// sums are framemd5 files, one for video and one for audio.
type sums struct {
	*peer
	video, audio string
}

// decode starts an ffmpeg that decodes a stream or file to its end and writes
// the MD5 of each frame; it takes video, audio or both ("v", "a", "va").
func decode(t *testing.T, url, tracks string, in ...string) sums {
	t.Helper()
	dir := t.TempDir()
	s := sums{video: filepath.Join(dir, "video.md5"), audio: filepath.Join(dir, "audio.md5")}
	args := append(append([]string{"-copyts"}, in...), "-i", url)
	if strings.Contains(tracks, "v") {
		args = append(args, "-map", "0:v", "-fps_mode", "passthrough", "-enc_time_base", "1:1000", "-flush_packets", "1", "-f", "framemd5", s.video)
	}
	if strings.Contains(tracks, "a") {
		args = append(args, "-map", "0:a", "-f", "framemd5", s.audio)
	}
	s.peer = startPeer(t, lifetime, "ffmpeg", append(ffmpegArgs, args...)...)
	return s
}

// frames is how many frames of video have been decoded so far.
func (s sums) frames() int {
	content, _ := os.ReadFile(s.video) // none until the first has come
	return bytes.Count(content, []byte("\n")) - bytes.Count(content, []byte("#"))
}

// decoded is decode for a file, waited for.
func decoded(t *testing.T, file, tracks string) sums {
	t.Helper()
	s := decode(t, file, tracks)
	s.succeed(t)
	return s
}

// frameSum is a decoded frame.
type frameSum struct {
	pts  time.Duration
	hash string
}

// readSums reads a framemd5 file; an absent one has no frames.
func readSums(t *testing.T, file string) []frameSum {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Errorf("read sums: %v", err)
	}
	var frames []frameSum
	base := 0.0
	for line := range strings.Lines(string(content)) {
		if rest, ok := strings.CutPrefix(line, "#tb 0: "); ok {
			over, under, _ := strings.Cut(strings.TrimSpace(rest), "/")
			base = parseFloat(t, over) / parseFloat(t, under)
		}
		fields := strings.Split(strings.TrimSpace(line), ",")
		if strings.HasPrefix(line, "#") || len(fields) < 6 {
			continue
		}
		pts := parseFloat(t, strings.TrimSpace(fields[2])) * base
		frames = append(frames, frameSum{time.Duration(pts * float64(time.Second)), strings.TrimSpace(fields[5])})
	}
	return frames
}

// recorder is a program that writes what it plays into an FLV file.
type recorder struct {
	*peer
	file string
}

// recorders start each program of the Debian machine that plays RTMP and
// writes what it got.
var recorders = map[string]func(t *testing.T, url string) recorder{
	"ffmpeg": func(t *testing.T, url string) recorder {
		return record(t, "ffmpeg", func(file string) []string {
			return append(ffmpegArgs, "-copyts", "-i", url, "-c", "copy", "-f", "flv", file)
		})
	},
	"rtmpdump": func(t *testing.T, url string) recorder {
		return record(t, "rtmpdump", func(file string) []string { return []string{"-q", "-v", "-r", url, "-o", file} })
	},
	"rtmp2src": func(t *testing.T, url string) recorder {
		return record(t, "gst-launch-1.0", func(file string) []string {
			return []string{"-q", "rtmp2src", "location=" + url, "!", "filesink", "location=" + file}
		})
	},
}

func record(t *testing.T, program string, args func(file string) []string) recorder {
	t.Helper()
	file := filepath.Join(t.TempDir(), program+".flv")
	return recorder{startPeer(t, lifetime, program, args(file)...), file}
}

// curl records an HTTP-FLV stream.
func curl(t *testing.T, url string, more ...string) recorder {
	t.Helper()
	return record(t, "curl", func(file string) []string {
		return append([]string{"-sS", "--fail", "--max-time", "170", "-o", file, url}, more...)
	})
}

// gstPublish publishes a file in real time with rtmp2sink in chunks of 128 bytes.
func gstPublish(t *testing.T, url, file string) *peer {
	t.Helper()
	pipeline := "filesrc location=" + file + " ! flvdemux name=d flvmux name=m streamable=true ! identity sync=true ! rtmp2sink location=" + url +
		" d.video ! queue ! h264parse ! m. d.audio ! queue ! aacparse ! m."
	return startPeer(t, lifetime, "gst-launch-1.0", append([]string{"-q", "-e"}, strings.Fields(pipeline)...)...)
}

// size is how many bytes the recorder has written.
func (r recorder) size() int64 {
	info, err := os.Stat(r.file)
	if err != nil {
		return 0
	}
	return info.Size()
}

// waitSize waits until the recorder has written n bytes.
func (r recorder) waitSize(t *testing.T, n int64) {
	t.Helper()
	eventually(t, r.name+" writes "+strconv.FormatInt(n, 10)+" bytes", func() bool { return r.size() >= n })
}
