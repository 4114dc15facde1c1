package bench

import (
	"time"

	"github.com/millrace/millrace/core/media"
)

// sampled are the figures of the viewers that are read in full. They belong to
// one poller.
type sampled struct {
	from       time.Time // of the measured interval; zero outside of it
	latency    distribution
	firstKey   distribution // from connect to the first whole keyframe
	frames     uint64       // in the interval
	bytes      uint64       // of their FLV tags, in the interval
	lost       uint64       // missing between two numbers, ever
	backwards  uint64       // timestamps that went back, ever
	repeated   uint64       // frames that came again, ever
	unstamped  uint64       // audio and video without a stamp, in the interval
	stampedAny bool
}

// track follows one viewer's audio or video.
type track struct {
	seen, timed bool
	number      uint64 // of the newest stamp
	timestamp   uint32 // of the newest tag, ms
}

// reading follows one viewer that is read in full.
type reading struct {
	all         *sampled
	connected   time.Time // when it began to connect
	key         bool      // a keyframe has come
	video, last track
}

// tag takes note of a tag that was complete at now.
func (r *reading) tag(t tag, now time.Time) {
	track := &r.last
	switch t.kind {
	case media.Video:
		track = &r.video
	case media.Audio:
	default:
		return
	}
	if !isFrame(t) {
		return
	}
	if !r.key && t.kind == media.Video && isKeyframe(t.data) {
		r.key = true
		r.all.firstKey.add(now.Sub(r.connected))
	}
	if track.timed && int32(t.timestamp-track.timestamp) < 0 {
		r.all.backwards++
	}
	track.timed, track.timestamp = true, t.timestamp
	r.count(track, t, now)
}

// count takes note of a frame's number and age.
func (r *reading) count(track *track, t tag, now time.Time) {
	s, ok := findStamp(t.data)
	measured := !r.all.from.IsZero()
	if measured {
		r.all.frames++
		r.all.bytes += uint64(tagHeaderSize + len(t.data) + 4)
	}
	if !ok {
		if measured {
			r.all.unstamped++
		}
		return
	}
	r.all.stampedAny = true
	// What was sent before the interval may come from a cache.
	if measured && s.at.After(r.all.from) {
		r.all.latency.add(now.Sub(s.at))
	}
	r.follow(track, s.number)
}

func (r *reading) follow(track *track, number uint64) {
	switch {
	case !track.seen || number == track.number+1:
	case number > track.number:
		r.all.lost += number - track.number - 1
	case number == 0: // the publisher began anew
	default:
		r.all.repeated++
		return
	}
	track.seen, track.number = true, number
}

// Enhanced RTMP's packet types with frames in them.
const (
	packetCodedFrames  = 1
	packetCodedFramesX = 3
)

// isFrame tells frames from sequence headers and commands.
func isFrame(t tag) bool {
	if len(t.data) < 2 {
		return false
	}
	first := t.data[0]
	switch {
	case t.kind == media.Audio && first>>4 == 9:
		return first&0x0F == packetCodedFrames
	case t.kind == media.Audio:
		return first>>4 != 10 || t.data[1] != 0 // AAC has a sequence header
	case first&0x80 != 0:
		return first&0x0F == packetCodedFrames || first&0x0F == packetCodedFramesX
	}
	id := first & 0x0F
	return first>>4 != 5 && (id != 7 && id != 12 || t.data[1] == 1)
}

// isKeyframe reports whether the frame is one that decoders start at.
func isKeyframe(data []byte) bool { return data[0]>>4&7 == 1 }
