package box

import "github.com/millrace/millrace/core/media"

// Track is one track of an init segment.
type Track struct {
	ID    uint32
	Codec *Codec
	// Start is the media time, in the track's timescale, at which the
	// presentation starts: if it is not 0, an edit list says so.
	Start int64
	// Bitrate is in bits per second; 0: it is not known.
	Bitrate uint32
}

// Trak is the track's head.
func (t Track) Trak() Trak {
	k := Trak{ID: t.ID, Kind: t.Codec.Kind, Timescale: t.Codec.Timescale(), Entries: [][]byte{t.Codec.Entry(t.Bitrate)}}
	if k.Kind == media.Video {
		k.Width, k.Height = shown(t.Codec)
	}
	if t.Start != 0 {
		k.Edits = []Edit{{MediaTime: t.Start}}
	}
	return k
}

// shown is the size on the screen, in square pixels.
func shown(c *Codec) (width, height int) {
	if c.PixelAspect.square() {
		return c.Width, c.Height
	}
	w := (uint64(c.Width)*uint64(c.PixelAspect.H) + uint64(c.PixelAspect.V)/2) / uint64(c.PixelAspect.V)
	return int(min(w, 0xFFFF)), c.Height
}

// Init makes an init segment: ftyp and a moov without samples (ISO/IEC
// 14496-12, 8.8).
func Init(tracks []Track) []byte {
	var body []byte
	next := uint32(1)
	for _, t := range tracks {
		trak := t.Trak()
		body = trak.Append(body, len(noSamples))
		body = append(body, noSamples...)
		next = max(next, t.ID+1)
	}
	body = appendMovieExtends(body, tracks)
	dst := AppendFileType(nil, true)
	return append(AppendMovieHead(dst, 0, next, len(body)), body...)
}

// noSamples are the tables of a track whose samples are in fragments.
var noSamples = emptyTables()

func emptyTables() []byte {
	var dst []byte
	for _, kind := range []string{"stts", "stsc", "stco"} {
		var at int
		dst, at = beginFull(dst, kind, 0, 0)
		dst = end(zeros(dst, 4), at)
	}
	dst, at := beginFull(dst, "stsz", 0, 0)
	return end(zeros(dst, 8), at)
}

// AppendFileType appends ftyp. iso6 is the brand of fragments whose offsets
// count from their moof, isom with mp41 that of plain files.
func AppendFileType(dst []byte, fragmented bool) []byte {
	dst, at := begin(dst, "ftyp")
	if fragmented {
		return end(append(dst, "iso6\x00\x00\x00\x01iso6mp41"...), at)
	}
	return end(append(dst, "isom\x00\x00\x02\x00isomiso2mp41"...), at)
}

// AppendSegmentType appends the styp that a media segment begins with.
func AppendSegmentType(dst []byte) []byte {
	dst, at := begin(dst, "styp")
	return end(append(dst, "msdh\x00\x00\x00\x00msdhmsix"...), at)
}

// Sample flags (8.8.3.1): a sync sample depends on no other; others do, and
// are no sync samples.
const (
	flagsSync    = 0x02000000
	flagsNotSync = 0x01010000
)

func defaultFlags(k media.Kind) uint32 {
	if k == media.Audio {
		return flagsSync
	}
	return flagsNotSync
}

// appendMovieExtends appends mvex, whose defaults make fragments compact.
func appendMovieExtends(dst []byte, tracks []Track) []byte {
	dst, mvex := begin(dst, "mvex")
	for _, t := range tracks {
		var at int
		dst, at = beginFull(dst, "trex", 0, 0)
		dst = u32(u32(dst, t.ID), 1)
		dst = u32(dst, uint32(t.Codec.FrameSamples))
		dst = u32(dst, 0)
		dst = end(u32(dst, defaultFlags(t.Codec.Kind)), at)
	}
	return end(dst, mvex)
}
