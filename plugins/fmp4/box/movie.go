package box

import (
	"math"

	"github.com/millrace/millrace/core/media"
)

// MovieTimescale is that of durations and edits of a whole movie, in ticks per
// second: that of video, so that edits are exact.
const MovieTimescale = VideoTimescale

// Trak is the head of a track, of an init segment as of a progressive file.
type Trak struct {
	ID        uint32
	Kind      media.Kind
	Timescale uint32
	// Width and Height are in pixels as shown, after PixelAspect.
	Width, Height int
	// Duration is in the track's timescale, MovieDuration (edits included) in
	// the movie's; 0 in an init segment.
	Duration, MovieDuration uint64
	Edits                   []Edit
	// Entries are the sample entries.
	Entries [][]byte
}

// Edit is one entry of an edit list (ISO/IEC 14496-12, 8.6.6). Duration is in
// MovieTimescale, 0 for "to the end" of a fragmented movie; MediaTime is in the
// track's timescale, −1 for nothing.
type Edit struct {
	Duration  uint64
	MediaTime int64
}

// AppendMovieHead appends the header of a moov that is followed by body bytes,
// and mvhd. next is the next free track ID.
func AppendMovieHead(dst []byte, duration uint64, next uint32, body int) []byte {
	dst, moov := begin(dst, "moov")
	version := versionFor(duration)
	dst, at := beginFull(dst, "mvhd", version, 0)
	dst = appendTimes(dst, version)
	dst = u32(dst, MovieTimescale)
	dst = appendDuration(dst, version, duration)
	dst = u32(dst, 0x10000)          // rate
	dst = zeros(u16(dst, 0x100), 10) // volume
	dst = appendMatrix(dst)
	dst = end(u32(zeros(dst, 24), next), at)
	return endPlus(dst, moov, body)
}

// endPlus ends a box that more bytes follow in.
func endPlus(dst []byte, at, more int) []byte {
	n := uint32(len(dst) - at + more)
	dst[at], dst[at+1], dst[at+2], dst[at+3] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	return dst
}

// versionFor is 1 if a number needs 64 bits.
func versionFor(n uint64) byte {
	if n > math.MaxUint32 {
		return 1
	}
	return 0
}

// appendTimes appends creation and modification times: none, so that the same
// media makes the same bytes.
func appendTimes(dst []byte, version byte) []byte { return zeros(dst, 8<<version) }

func appendDuration(dst []byte, version byte, n uint64) []byte {
	if version == 1 {
		return u64(dst, n)
	}
	return u32(dst, uint32(n))
}

// appendMatrix appends the unity matrix (6.2.2).
func appendMatrix(dst []byte) []byte {
	for _, v := range [9]uint32{0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000} {
		dst = u32(dst, v)
	}
	return dst
}

// Append appends the track up to its sample tables: what follows must be
// tables bytes of children of stbl.
func (t *Trak) Append(dst []byte, tables int) []byte {
	dst, trak := begin(dst, "trak")
	dst = t.appendHeader(dst)
	dst = t.appendEdits(dst)
	dst, mdia := begin(dst, "mdia")
	dst = t.appendMediaHeader(dst)
	dst, minf := begin(dst, "minf")
	dst = t.appendMediaInfo(dst)
	dst, stbl := begin(dst, "stbl")
	dst, stsd := beginFull(dst, "stsd", 0, 0)
	dst = u32(dst, uint32(len(t.Entries)))
	for _, e := range t.Entries {
		dst = append(dst, e...)
	}
	dst = end(dst, stsd)
	for _, at := range [...]int{stbl, minf, mdia, trak} {
		dst = endPlus(dst, at, tables)
	}
	return dst
}

// appendHeader appends tkhd (8.3.2): enabled, in movie. Audio and video are
// alternatives of nothing.
func (t *Trak) appendHeader(dst []byte) []byte {
	version := versionFor(t.MovieDuration)
	dst, at := beginFull(dst, "tkhd", version, 3)
	dst = appendTimes(dst, version)
	dst = zeros(u32(dst, t.ID), 4)
	dst = appendDuration(dst, version, t.MovieDuration)
	dst = zeros(dst, 12) // reserved, layer, alternate_group
	volume := uint16(0)
	if t.Kind == media.Audio {
		volume = 0x100
	}
	dst = zeros(u16(dst, volume), 2)
	dst = appendMatrix(dst)
	return end(u32(u32(dst, uint32(t.Width)<<16), uint32(t.Height)<<16), at)
}

func (t *Trak) appendEdits(dst []byte) []byte {
	if len(t.Edits) == 0 {
		return dst
	}
	version := byte(0)
	for _, e := range t.Edits {
		if e.Duration > math.MaxUint32 || e.MediaTime > math.MaxInt32 {
			version = 1
		}
	}
	dst, edts := begin(dst, "edts")
	dst, at := beginFull(dst, "elst", version, 0)
	dst = u32(dst, uint32(len(t.Edits)))
	for _, e := range t.Edits {
		dst = appendDuration(dst, version, e.Duration)
		dst = appendDuration(dst, version, uint64(e.MediaTime))
		dst = u32(dst, 0x10000) // media_rate
	}
	return end(end(dst, at), edts)
}

func (t *Trak) appendMediaHeader(dst []byte) []byte {
	version := versionFor(t.Duration)
	dst, at := beginFull(dst, "mdhd", version, 0)
	dst = appendTimes(dst, version)
	dst = u32(dst, t.Timescale)
	dst = appendDuration(dst, version, t.Duration)
	dst = end(append(dst, 0x55, 0xC4, 0, 0), at) // "und"
	dst, at = beginFull(dst, "hdlr", 0, 0)
	handler := "vide"
	if t.Kind == media.Audio {
		handler = "soun"
	}
	dst = append(zeros(dst, 4), handler...)
	return end(append(zeros(dst, 12), "Millrace\x00"...), at)
}

func (t *Trak) appendMediaInfo(dst []byte) []byte {
	var at int
	if t.Kind == media.Audio {
		dst, at = beginFull(dst, "smhd", 0, 0)
		dst = end(zeros(dst, 4), at)
	} else {
		dst, at = beginFull(dst, "vmhd", 0, 1)
		dst = end(zeros(dst, 8), at)
	}
	dst, at = begin(dst, "dinf")
	dst, dref := beginFull(dst, "dref", 0, 0)
	dst, url := beginFull(u32(dst, 1), "url ", 0, 1) // in this file
	return end(end(end(dst, url), dref), at)
}
