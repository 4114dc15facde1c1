package main_test

import (
	"slices"
	"testing"
	"time"
)

// TestOneTrack starts streams of one medium: at once, and described as what
// they are.
func TestOneTrack(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	g := together(t)
	defer g.wait()
	for name, c := range map[string]struct {
		flags byte
		is    func(tag) bool
	}{
		"audio": {4, tag.isAudio},
		"video": {1, tag.isVideo},
	} {
		g.run(name, func(t *testing.T) {
			path := "live/" + name
			publishLoop(t, srv.rtmpURL(path), source(t, name))
			srv.waitStreamThat(t, path, "has frames", func(s *streamInfo) bool { return s.FramesIn > 20 })
			for _, protocol := range protocols {
				begin := time.Now()
				var meta amfObject
				v := srv.watch(t, protocol, path, nil)
				nextThat(t, v, "the first frame", func(g tag) bool {
					if m, is := g.metadata(); is {
						meta = m
					}
					return c.is(g)
				})
				t.Logf("first frame over %s after %v", protocol, time.Since(begin))
				checkDescription(t, protocol, v, meta, c.flags)
			}
		})
	}
}

// checkDescription compares header flags and metadata with the tracks.
func checkDescription(t *testing.T, protocol string, v viewer, meta amfObject, flags byte) {
	t.Helper()
	var f *flvReader
	switch v := v.(type) {
	case *httpViewer:
		f = v.flvReader
	case *wsViewer:
		f = v.flvReader
	}
	if f != nil && f.flags != flags {
		t.Errorf("%s: header flags %d, want %d", protocol, f.flags, flags)
	}
	if meta["hasAudio"] != (flags&4 != 0) || meta["hasVideo"] != (flags&1 != 0) {
		t.Errorf("%s: metadata says hasAudio %v, hasVideo %v; want flags %d", protocol, meta["hasAudio"], meta["hasVideo"], flags)
	}
	if _, has := meta["duration"]; has {
		t.Errorf("%s: metadata has a duration", protocol)
	}
}

// TestHeaderIsNoTrack publishes the sequence headers of both media but frames
// of one only.
func TestHeaderIsNoTrack(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	g := together(t)
	defer g.wait()
	for name, c := range map[string]struct {
		flags byte
		drop  func(tag) bool
	}{
		"video": {1, tag.isAudio},
		"audio": {4, tag.isVideo},
	} {
		g.run(name, func(t *testing.T) {
			path := "live/" + name
			srv.feed(t, path, slices.DeleteFunc(sourceTags(t, "small"), c.drop))
			srv.waitStreamThat(t, path, "has frames", func(s *streamInfo) bool { return s.FramesIn > 20 })
			for _, protocol := range protocols {
				v := srv.watch(t, protocol, path, nil)
				meta, _ := nextThat(t, v, "metadata", func(g tag) bool { _, is := g.metadata(); return is }).metadata()
				checkDescription(t, protocol, v, meta, c.flags)
			}
		})
	}
}

// TestTrackAppears adds sound to a stream that had none: viewers are told by
// new metadata before it, and the log says so.
func TestTrackAppears(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	all := sourceTags(t, "small")
	p := srv.publish(t, "live/x")
	silent := slices.DeleteFunc(firstSeconds(all, 4), func(g tag) bool { return g.kind == audioTag && (g.isConfig() || g.ts < 3000) })
	tags := slices.Insert(silent, slices.IndexFunc(silent, tag.isAudio), all[slices.IndexFunc(all, isAudioConfig)])
	feed := feedUntil(t, p, tags, 3000)
	srv.waitStreamThat(t, "live/x", "has frames", func(s *streamInfo) bool { return s.FramesIn > 10 })
	v := srv.watch(t, "http-flv", "live/x", nil)
	var meta amfObject
	feed.release()
	nextThat(t, v, "audio", func(g tag) bool {
		if m, is := g.metadata(); is {
			meta = m
		}
		return g.isAudio()
	})
	if meta["hasAudio"] != true || meta["hasVideo"] != true {
		t.Errorf("metadata before the first audio: %v", meta)
	}
	if flags := v.(*httpViewer).flags; flags != 1 {
		t.Errorf("header flags %d before there was audio", flags)
	}
	srv.waitLog(t, map[string]string{"level": "WARN", "stream": "live/x", "kind": "audio"})
}

// TestOneFrame plays from a publisher that has sent a single frame of the only
// medium that it announces: that frame comes, with or without metadata.
func TestOneFrame(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	isMetadata := func(g tag) bool { return g.kind == scriptTag }
	g := together(t)
	defer g.wait()
	for name, tags := range map[string][]tag{
		"video":             sourceTags(t, "video"),
		"audio":             sourceTags(t, "audio"),
		"video_no_metadata": slices.DeleteFunc(sourceTags(t, "video"), isMetadata),
		"audio_no_metadata": slices.DeleteFunc(sourceTags(t, "audio"), isMetadata),
	} {
		g.run(name, func(t *testing.T) {
			path := "live/" + name
			p := srv.publish(t, path)
			begin := time.Now()
			for _, g := range tags[:1+slices.IndexFunc(tags, tag.isMedia)] {
				if err := p.put(g); err != nil {
					t.Fatal(err)
				}
			}
			for _, protocol := range protocols {
				nextThat(t, srv.watch(t, protocol, path, nil), "the frame over "+protocol, tag.isMedia)
				t.Logf("the frame over %s: after %v", protocol, time.Since(begin))
			}
		})
	}
}

func isAudioConfig(g tag) bool { return g.kind == audioTag && g.isConfig() }

// TestFirstViewerHearsOfBothTracks waits for the stream before there is one.
func TestFirstViewerHearsOfBothTracks(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	file := source(t, "small")
	captures := srv.awaitingAll(t, protocols, "live/x")
	publishOnce(t, srv.rtmpURL("live/x"), file, []string{"-t", "3"}, nil).succeed(t)
	for _, c := range captures {
		var meta amfObject
		for _, g := range c.end(t) {
			if m, is := g.metadata(); is {
				meta = m
			}
		}
		checkDescription(t, c.protocol, nil, meta, 5)
	}
}

// TestOtherCodecs passes MP3 and the codecs of old on.
func TestOtherCodecs(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	g := together(t)
	defer g.wait()
	for name, codecs := range map[string][2]string{
		"mp3": {"h264", "mp3"}, "nellymoser": {"h263", "nellymoser"}, "adpcm": {"screen", "adpcm"}, "speex": {"h263", "speex"},
	} {
		g.run(name, func(t *testing.T) {
			path := "live/" + name
			file, tags := source(t, name), sourceTags(t, name)
			want := decoded(t, file, "va")
			captures := srv.awaitingAll(t, protocols, path)
			decoder := decode(t, srv.flvURL(path), "va")
			eventually(t, "the decoder waits", func() bool { return srv.connected(t, path) > len(captures) })
			pub := publishOnce(t, srv.rtmpURL(path), file, nil, nil)
			info := srv.waitStreamThat(t, path, "has frames", func(s *streamInfo) bool { return s.FramesIn > 50 })
			if info.Video.Codec != codecs[0] || info.Audio.Codec != codecs[1] {
				t.Errorf("codecs %q and %q, want %v", info.Video.Codec, info.Audio.Codec, codecs)
			}
			pub.succeed(t)
			for _, c := range captures {
				sameTags(t, c.end(t), tags)
			}
			decoder.succeed(t)
			if got, all := len(readSums(t, decoder.video)), len(readSums(t, want.video)); got < all-25 {
				t.Errorf("%d of %d frames decoded", got, all)
			}
		})
	}
}
