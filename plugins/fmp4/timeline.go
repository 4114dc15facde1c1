package fmp4

import (
	"encoding/json"
	"fmt"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/fmp4/box"
	"github.com/millrace/millrace/plugins/record"
)

// extraKey names the timeline in a manifest.
const extraKey = "mp4"

// timeline is what segments share: where time begins, and the init segments.
type timeline struct {
	// Origin is the earliest presentation of the session, in ms of the
	// stream; Base is time 0 of the video track, which may be earlier: the
	// video's edit list leaves out what is between.
	Origin int64 `json:"origin"`
	Base   int64 `json:"base"`
	Eras   []era `json:"eras"`
	// URL is where the session is served, for who has only its folder.
	URL string `json:"url,omitempty"`
}

// era is a stretch with the same codec parameters: an init segment.
type era struct {
	Number int `json:"number"` // from 1
	// Segment is the number of its first segment.
	Segment int64      `json:"segment"`
	Tracks  []eraTrack `json:"tracks"`
}

type eraTrack struct {
	Kind    media.Kind   `json:"kind"`
	FourCC  media.FourCC `json:"fourcc"`
	Config  []byte       `json:"config,omitempty"`
	Codec   box.Codec    `json:"codec"`
	Bitrate uint32       `json:"bitrate"`
}

// trackID is the same in all files of a session.
func trackID(k media.Kind) uint32 {
	if k == media.Audio {
		return 2
	}
	return 1
}

func (e *era) track(k media.Kind) *eraTrack {
	for i := range e.Tracks {
		if e.Tracks[i].Kind == k {
			return &e.Tracks[i]
		}
	}
	return nil
}

// start is the media time at which a track's presentation starts.
func (l *timeline) start(k media.Kind) int64 {
	if k == media.Video {
		return (l.Origin - l.Base) * box.VideoTimescale / 1000
	}
	return 0
}

// clock is a new clock for a track.
func (l *timeline) clock(c *box.Codec) box.Clock {
	if c.Kind == media.Video {
		return box.NewClock(c, l.Base)
	}
	return box.NewClock(c, l.Origin)
}

// eraOf is the era that a segment belongs to; nil: none.
func (l *timeline) eraOf(segment int64) *era {
	for i := len(l.Eras) - 1; i >= 0; i-- {
		if l.Eras[i].Segment <= segment {
			return &l.Eras[i]
		}
	}
	return nil
}

// load takes the timeline out of a manifest; one without media has none.
func (l *timeline) load(m *record.Manifest) error {
	if raw, ok := m.Extra[extraKey]; ok {
		if err := json.Unmarshal(raw, l); err != nil {
			return fmt.Errorf("read timeline: %w", err)
		}
	}
	return nil
}

func (l *timeline) store(m *record.Manifest) error {
	raw, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("write timeline: %w", err)
	}
	if m.Extra == nil {
		m.Extra = map[string]json.RawMessage{}
	}
	m.Extra[extraKey] = raw
	return nil
}
