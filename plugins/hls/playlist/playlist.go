// Package playlist writes HLS media playlists: RFC 8216, and for low latency
// draft-pantos-hls-rfc8216bis ("RFC 8216bis"). Values in, text out.
package playlist

import (
	"math"
	"strconv"
	"time"
)

// Playlist is a media playlist at one moment.
type Playlist struct {
	// Target is EXT-X-TARGETDURATION in seconds: no segment's duration,
	// rounded, is longer.
	Target int
	// Event: segments are only ever appended (EXT-X-PLAYLIST-TYPE:EVENT, and
	// VOD once Ended).
	Event bool
	// Ended: there will be no more (EXT-X-ENDLIST).
	Ended bool
	// Breaks is EXT-X-DISCONTINUITY-SEQUENCE: the discontinuities before the
	// first segment.
	Breaks int64
	// Segments are those that are complete; there may be none when Open has
	// Parts. Text are more before them, whose lines are elsewhere.
	Segments []Segment
	Text     Text

	// PartTarget is more than 0 in low-latency playlists only; none of the
	// parts is longer. Open is the segment whose parts come; its Parts may be
	// empty. Hint is the URI of the next part, "" if there is none.
	PartTarget time.Duration
	Open       *Segment
	Hint       string
}

// Segment is one media segment.
type Segment struct {
	// Number is the media sequence number.
	Number   int64         `json:"number"`
	URI      string        `json:"uri"`
	Duration time.Duration `json:"duration"`
	// Started is the wall clock of the first frame.
	Started time.Time `json:"started"`
	// Break: EXT-X-DISCONTINUITY stands before it.
	Break bool `json:"break,omitempty"`
	// Map is the URI of the init segment, "" for MPEG-TS; Key that of the
	// AES-128 key, "" for none. The IV is the sequence number (RFC 8216,
	// section 5.2).
	Map string `json:"map,omitempty"`
	Key string `json:"key,omitempty"`
	// Parts are listed while they may be wanted.
	Parts []Part `json:"parts,omitempty"`
}

// Part is a partial segment.
type Part struct {
	URI      string        `json:"uri"`
	Duration time.Duration `json:"duration"`
	// Independent: it holds a frame that a decoder can start at.
	Independent bool `json:"independent,omitempty"`
}

// Round is a duration as it counts against the target: in seconds, rounded to
// the nearest (RFC 8216, section 4.3.3.1).
func Round(d time.Duration) int { return int(math.Round(d.Seconds())) }

// version is the least that has what the playlist needs (RFC 8216, section 7;
// RFC 8216bis, section 8).
func (p *Playlist) version() int {
	switch {
	case p.PartTarget > 0:
		return 9 // EXT-X-SKIP
	case p.hasMap():
		return 6
	}
	return 3
}

func (p *Playlist) hasMap() bool {
	if p.Text.mapped {
		return true
	}
	for i := range p.Segments {
		if p.Segments[i].Map != "" {
			return true
		}
	}
	return p.Open != nil && p.Open.Map != ""
}

// first is the number that EXT-X-MEDIA-SEQUENCE names.
func (p *Playlist) first() int64 {
	switch {
	case p.Text.n > 0:
		return p.Text.first
	case len(p.Segments) > 0:
		return p.Segments[0].Number
	case p.Open != nil:
		return p.Open.Number
	}
	return 0
}

// Len is the number of segments that are complete.
func (p *Playlist) Len() int { return p.Text.n + len(p.Segments) }

// Duration of all that is listed, parts of the open segment too.
func (p *Playlist) Duration() time.Duration {
	d := p.Text.long
	for i := range p.Segments {
		d += p.Segments[i].Duration
	}
	if p.Open != nil {
		for _, part := range p.Open.Parts {
			d += part.Duration
		}
	}
	return d
}

// seconds appends a duration as a decimal number of seconds.
func seconds(dst []byte, d time.Duration) []byte {
	return strconv.AppendFloat(dst, d.Seconds(), 'f', 6, 64)
}
