package object

import (
	"bytes"
	"math"
	"strconv"
	"time"
)

// defaultTarget stands for the target duration of what does not tell.
const defaultTarget = 6 * time.Second

// position is how far a playlist goes.
type position struct {
	playlist bool // it was read from an HLS playlist
	// next is the media sequence number of the segment after the last whole
	// one, parts how many parts of it are there, last how many parts the last
	// whole one has, 0 if they are listed no more.
	next, parts, last  int64
	target, partTarget time.Duration // 0: not told
	ended              bool          // there will be no more
}

// positionOf reads an HLS media playlist (RFC 8216bis section 4). Whatever it
// does not know it skips.
func positionOf(blocks [][]byte) position {
	var p position
	text := bytes.Join(blocks, nil)
	if isPlaylist(text) {
		p.lines(text)
	}
	return p
}

func isPlaylist(text []byte) bool { return bytes.HasPrefix(text, []byte("#EXTM3U")) }

// positionBehind reads on where a blob ends, nil: from the start. It returns nil
// for what is no playlist, or does not end with a line.
func positionBehind(before *blob, blocks [][]byte) *position {
	var p position
	switch {
	case len(blocks) == 0 || before == nil && !isPlaylist(blocks[0]):
		return nil
	case before != nil && before.at == nil:
		return nil
	case before != nil:
		p = *before.at
	}
	text := bytes.Join(blocks, nil)
	if !bytes.HasSuffix(text, []byte("\n")) {
		return nil
	}
	p.lines(text)
	return &p
}

func (p *position) lines(text []byte) {
	for line := range bytes.Lines(text) {
		p.line(bytes.TrimSpace(line))
	}
}

func (p *position) line(line []byte) {
	tag, value, _ := bytes.Cut(line, []byte(":"))
	switch string(tag) {
	case "":
	case "#EXT-X-TARGETDURATION":
		p.playlist = true // required in a media playlist, and only there
		p.target = seconds(value)
	case "#EXT-X-PART-INF":
		if _, v, ok := bytes.Cut(value, []byte("PART-TARGET=")); ok {
			v, _, _ = bytes.Cut(v, []byte(","))
			p.partTarget = seconds(v)
		}
	case "#EXT-X-MEDIA-SEQUENCE":
		if n, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 53); err == nil && n >= 0 {
			p.next += n
		}
	case "#EXT-X-PART":
		p.parts++
	case "#EXT-X-ENDLIST":
		p.ended = true
	default:
		if line[0] != '#' { // the URI of a segment
			p.next++
			p.last, p.parts = p.parts, 0
		}
	}
}

// seconds reads a decimal number of seconds; 0 if it is none, or absurd.
func seconds(b []byte) time.Duration {
	f, err := strconv.ParseFloat(string(bytes.TrimSpace(b)), 64)
	if err != nil || !(f > 0 && f < 3600) {
		return 0
	}
	return time.Duration(f * float64(time.Second))
}

// reached tells whether the playlist holds what d asks for.
func (p position) reached(d Directives) bool {
	switch {
	case p.ended, d.MSN < p.next-1:
		return true
	case d.Part < 0:
		return d.MSN < p.next
	case d.MSN == p.next-1:
		// "If the Client requests a Part Index greater than that of the final
		// Partial Segment of the Parent Segment, the Server MUST treat the
		// request as one for Part Index 0 of the following Parent Segment."
		return p.last == 0 || d.Part < p.last || p.parts > 0
	}
	return d.MSN == p.next && d.Part < p.parts
}

// tooFar tells whether d asks for what is not to be waited for: "If the Client
// requests a Media Sequence Number greater than the Media Sequence Number of
// the last Media Segment in the current Playlist plus two, or if the _HLS_part
// exceeds the last Partial Segment in the current Playlist by the Advance Part
// Limit, then the server SHOULD immediately return Bad Request" (RFC 8216bis
// section 6.2.5.2).
func (p position) tooFar(d Directives) bool {
	if p.ended {
		return false
	}
	last := p.next - 1
	return d.MSN > last+2 || d.MSN == p.next && d.Part > p.parts-1+p.advance() ||
		d.MSN > p.next && d.Part > p.advance()
}

// advance is the Advance Part Limit: "three if the Part Target Duration is
// more than one second, otherwise three divided by it, rounded up".
func (p position) advance() int64 {
	if p.partTarget <= 0 || p.partTarget >= time.Second {
		return 3
	}
	return int64(math.Ceil(3 / p.partTarget.Seconds()))
}

// patience is how long to have a request wait: three target durations.
func (p position) patience() time.Duration {
	if p.target <= 0 {
		return 3 * defaultTarget
	}
	return 3 * p.target
}
