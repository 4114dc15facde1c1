package hls

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/millrace/millrace/plugins/sdk"
)

// setMuxer makes the muxer for the tracks as they are now, and a new init
// segment. If none of them can be had, there is no muxer.
func (s *stream) setMuxer() error {
	s.tracks.changed = false
	if !s.makeMuxer() {
		return nil
	}
	if err := s.saveTracks(); err != nil {
		return err
	}
	return s.writeInit()
}

// reuseMuxer makes the muxer for tracks whose segments go on.
func (s *stream) reuseMuxer(saved *savedTracks) error {
	if !s.makeMuxer() || (s.mux.init() == nil) != saved.TS {
		// Settings say otherwise than before.
		s.mux = nil
		s.tracks.changed = true
		err := s.endSegment(s.end, s.next)
		s.interrupt()
		if err != nil {
			return err
		}
		return s.setMuxer()
	}
	return nil
}

// makeMuxer tries all tracks, then each alone.
func (s *stream) makeMuxer() bool {
	video, audio := s.carried()
	for _, try := range [][2]*track{{video, audio}, {video, nil}, {nil, audio}} {
		if try[0] == nil && try[1] == nil {
			continue
		}
		mux, err := s.newMuxer(try[0], try[1])
		if err == nil {
			s.mux, s.video, s.audio = mux, try[0] != nil, try[1] != nil
			return true
		}
		s.log.Warn("cannot take all tracks", "err", err)
	}
	s.mux, s.video, s.audio = nil, false, false
	return false
}

func (s *stream) newMuxer(video, audio *track) (muxer, error) {
	if s.isTS() {
		return newTSMuxer(&s.state, video, audio)
	}
	s.sticky = true
	return newFMP4Muxer(&s.state, video, audio, s.head.Origin)
}

func (s *stream) isTS() bool {
	switch {
	case s.sticky, s.set.format == formatFMP4:
		return false
	case s.set.format == formatTS:
		return true
	}
	return s.tracks.fits()
}

// carried are the tracks that were seen and that the format has.
func (s *stream) carried() (video, audio *track) {
	return s.carry(&s.tracks.video), s.carry(&s.tracks.audio)
}

func (s *stream) carry(t *track) *track {
	if !t.seen {
		return nil
	}
	if s.isTS() && !inTS(t.codec) {
		if !t.told {
			s.log.Warn("MPEG-TS does not have the codec: the track is left out", "codec", t.codec.String())
			t.told = true
		}
		return nil
	}
	return t
}

// saveTracks notes for the next process what is in the segments.
func (s *stream) saveTracks() error {
	saved := savedTracks{TS: s.mux.init() == nil}
	if s.video {
		t := &s.tracks.video
		saved.Video = &savedTrack{t.codec, t.config, t.first}
	}
	if s.audio {
		t := &s.tracks.audio
		saved.Audio = &savedTrack{t.codec, t.config, t.first}
	}
	if err := s.j.save("tracks.json", saved); err != nil {
		return err
	}
	return s.j.saveHeader(s.head) // Origin
}

// writeInit writes and publishes the init segment, if there is one.
func (s *stream) writeInit() error {
	b := s.mux.init()
	if b == nil {
		s.mapURI = ""
		return nil
	}
	s.maps++
	name := "init.mp4"
	if s.maps > 1 {
		name = fmt.Sprintf("init_%d.mp4", s.maps)
	}
	s.mapURI = s.paths.uri(name)
	if s.set.disk {
		if err := os.WriteFile(filepath.Join(s.paths.dir, name), b, 0o644); err != nil {
			return fmt.Errorf("write the init segment: %w", err)
		}
	}
	s.putInit(name, b)
	return nil
}

func (s *stream) putInit(name string, b []byte) {
	if s.set.memory {
		s.p.put(sdk.Object{
			Path: s.paths.object(name), ContentType: "video/mp4", CacheControl: immutable, TTL: s.segmentTTL(), Body: b,
		})
	}
}
