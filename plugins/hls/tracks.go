package hls

import (
	"bytes"
	"time"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/fmp4/box"
)

// track is what is known of the default track of a kind.
type track struct {
	codec  media.FourCC
	config []byte // body of its sequence header
	first  []byte // body of a frame that a decoder can start at
	seen   bool   // frames came: a header alone is no track
	absent bool   // the server has seen none of it
	fresh  bool   // codec and header are not in use yet
	told   bool   // the log was told that it is left out
}

// parse reads the parameters for MP4.
func (t *track) parse() (*box.Codec, error) { return box.Parse(t.codec, t.config, t.first) }

// tracks are the default tracks of a stream.
type tracks struct {
	video, audio track
	// changed is set when the muxer in use does not fit any more.
	changed bool
}

// probeTime is for how much media a stream is held back at its beginning until
// the tracks that the server has seen have shown themselves.
const probeTime = time.Second

func (t *tracks) of(kind media.Kind) *track {
	if kind == media.Video {
		return &t.video
	}
	return &t.audio
}

// header takes a sequence header. It counts from the track's next frame on.
func (t *tracks) header(f *media.Frame) {
	tr := t.of(f.Kind)
	if tr.codec != f.Codec || !bytes.Equal(tr.config, f.Body()) {
		*tr = track{codec: f.Codec, config: bytes.Clone(f.Body()), seen: tr.seen, absent: tr.absent, fresh: true}
	}
}

// metadata takes the server's onMetaData, which tells what it has seen of the
// session's media: what it has not is not waited for.
func (t *tracks) metadata(f *media.Frame) {
	m, err := flv.ParseMetadata(f.Payload(), amf.Limits{})
	if err != nil {
		return
	}
	for name, tr := range map[string]*track{"hasVideo": &t.video, "hasAudio": &t.audio} {
		if v, _ := amf.Lookup(m.Props, name); v != nil {
			tr.absent = v == false
		}
	}
}

// known reports whether each track has shown itself or is known not to be
// there.
func (t *tracks) known() bool {
	return (t.video.seen || t.video.absent) && (t.audio.seen || t.audio.absent)
}

// usable notes a frame and reports whether it can be muxed: its codec is
// known, its header is there, and the first one is one to start at.
func (t *tracks) usable(f *media.Frame) bool {
	tr := t.of(f.Kind)
	if tr.codec != f.Codec {
		*tr = track{codec: f.Codec, seen: tr.seen, absent: tr.absent, fresh: true}
	}
	if box.HasConfig(f.Codec) && tr.config == nil {
		return false
	}
	if tr.first == nil {
		if f.Kind == media.Audio || f.Is(media.Keyframe) {
			tr.first = startOf(f)
		} else if !tr.seen || f.Codec != media.AVC && f.Codec != media.HEVC {
			return false // it is of no use, or its size is not known
		}
	}
	t.changed = t.changed || tr.fresh || !tr.seen
	tr.fresh, tr.seen = false, true
	return true
}

// startOf keeps what the parameters of a codec are read from: all of an audio
// frame, the beginning of a video frame.
func startOf(f *media.Frame) []byte {
	b := f.Body()
	if f.Kind == media.Video {
		b = b[:min(len(b), 4096)]
	}
	return bytes.Clone(b)
}

// fits reports whether MPEG-TS has what was seen.
func (t *tracks) fits() bool {
	return (!t.video.seen || inTS(t.video.codec)) && (!t.audio.seen || inTS(t.audio.codec))
}
