package flv

import (
	"errors"
	"slices"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
)

// onMetaData is the name of the message that describes a stream (E.5).
const onMetaData = "onMetaData"

// ErrNotMetadata is returned for a data message that is no onMetaData.
var ErrNotMetadata = errors.New("not an onMetaData message")

// Metadata is a publisher's onMetaData.
type Metadata struct {
	Props amf.ECMAArray
}

// ParseMetadata reads the payload of a data message (type 18, AMF0).
func ParseMetadata(payload []byte, lim amf.Limits) (Metadata, error) {
	name, n, err := amf.Decode0(payload, lim)
	if err != nil {
		return Metadata{}, err
	}
	if name != onMetaData {
		return Metadata{}, ErrNotMetadata
	}
	v, _, err := amf.Decode0(payload[n:], lim)
	if err != nil {
		return Metadata{}, err
	}
	switch v := v.(type) {
	case amf.ECMAArray:
		return Metadata{Props: v}, nil
	case *amf.Object:
		return Metadata{Props: v.Props}, nil
	}
	return Metadata{}, ErrNotMetadata
}

// Number returns a numeric property, or 0.
func (m Metadata) Number(name string) float64 {
	v, _ := amf.Lookup(m.Props, name)
	n, _ := v.(float64)
	return n
}

// Announces reports which media the metadata speaks of.
func (m Metadata) Announces() (audio, video bool) {
	_, audio = amf.Lookup(m.Props, "audiocodecid")
	_, video = amf.Lookup(m.Props, "videocodecid")
	return audio, video
}

// Properties that viewers do not get.
var (
	// fileOnly describe a finished file: in a live stream players would show
	// a fixed length, or seek by an index that is not there.
	// OBS writes fileSize.
	fileOnly = []string{"duration", "filesize", "fileSize", "keyframes", "lasttimestamp", "lastkeyframetimestamp", "canSeekToEnd"}
	// seen are told afresh.
	seen = []string{"hasAudio", "hasVideo"}
	// audioOnly and videoOnly go with a medium that is not there: ffmpeg as
	// an RTMP player waits for each whose codec id is named, whatever the id.
	audioOnly = []string{"audiocodecid", "audiodatarate", "audiosamplerate", "audiosamplesize", "audiochannels", "stereo"}
	videoOnly = []string{"videocodecid", "videodatarate", "width", "height", "framerate"}
)

// maxLive bounds a live onMetaData in bytes, since each viewer gets a copy of
// its own.
const maxLive = 64 << 10

// Live returns the frame of an onMetaData for viewers: the publisher's
// properties without those that only a file has, or a medium that is not
// there, and what was really seen. One that would be huge is left with the
// latter.
func (m Metadata) Live(hasAudio, hasVideo bool) *media.Frame {
	props := slices.DeleteFunc(slices.Clone(m.Props), func(p amf.Property) bool {
		return slices.Contains(fileOnly, p.Name) || slices.Contains(seen, p.Name) ||
			!hasAudio && slices.Contains(audioOnly, p.Name) ||
			!hasVideo && slices.Contains(videoOnly, p.Name)
	})
	props = append(props,
		amf.Property{Name: "hasVideo", Value: hasVideo},
		amf.Property{Name: "hasAudio", Value: hasAudio})
	b := make([]byte, media.Headroom, 512)
	b = amf.Append0(b, onMetaData)
	b = amf.Append0(b, props)
	if len(b) > maxLive && len(m.Props) > 0 {
		return Metadata{}.Live(hasAudio, hasVideo)
	}
	b = append(b, make([]byte, media.Tailroom)...)
	f := media.NewFrame(media.Data, b, 0)
	f.Flags = media.Metadata
	return f
}
