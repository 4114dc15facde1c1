package main_test

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"testing"
)

// ffplay is a player that tells of each frame.
type ffplay struct{ *peer }

// startFfplay plays without a screen and without sound, to the end of the stream.
func startFfplay(t *testing.T, url string) ffplay {
	t.Helper()
	cmd := exec.Command("ffplay", "-hide_banner", "-stats", "-autoexit", "-vf", "showinfo", url)
	cmd.Env = append(os.Environ(), "SDL_VIDEODRIVER=dummy", "SDL_AUDIODRIVER=dummy")
	return ffplay{startCommand(t, lifetime, cmd)}
}

var framePTS = regexp.MustCompile(`pts_time:([0-9.]+)`)

// picture is the time of the newest picture, in seconds; 0 before the first. It
// holds few, so they come as fast as they are shown.
func (p ffplay) picture() float64 {
	all := framePTS.FindAllStringSubmatch(p.out.String(), -1)
	if len(all) == 0 {
		return 0
	}
	n, _ := strconv.ParseFloat(all[len(all)-1][1], 64)
	return n
}

// TestFfplayRepublish watches with ffplay while the publisher breaks off and
// another comes within the grace: it must not stand still, as players do when
// timestamps begin anew (ZLMediaKit #4428), and ends with the stream.
func TestFfplayRepublish(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"stream.reconnect_grace": `"1m"`}) // for a busy machine
	first := publishLoop(t, srv.rtmpURL("live/x"), source(t, "small"))
	srv.waitStream(t, "live/x")
	players := map[string]ffplay{"rtmp": startFfplay(t, srv.rtmpURL("live/x")), "http-flv": startFfplay(t, srv.flvURL("live/x"))}
	for protocol, p := range players {
		eventually(t, "ffplay plays over "+protocol, func() bool { return p.picture() > 2 })
	}
	first.kill()
	srv.waitStreamThat(t, "live/x", "is lost", func(s *streamInfo) bool { return s.State == "lost" })
	second := publishLoop(t, srv.rtmpURL("live/x"), source(t, "other"))
	srv.waitStream(t, "live/x")
	for protocol, p := range players {
		before := p.picture()
		eventually(t, "ffplay goes on over "+protocol, func() bool { return p.picture() > before+4 })
	}
	second.signal(syscall.SIGTERM)
	for _, p := range players {
		p.succeed(t)
	}
}
