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

// fileOnly are properties of a finished file: in a live stream players would
// show a fixed length, or seek by an index that is not there.
var fileOnly = []string{"duration", "filesize", "keyframes", "lasttimestamp", "lastkeyframetimestamp", "canSeekToEnd"}

// Live returns the frame of an onMetaData for viewers: the publisher's
// properties without those that only a file has, and what was really seen.
func (m Metadata) Live(hasAudio, hasVideo bool) *media.Frame {
	props := slices.DeleteFunc(slices.Clone(m.Props), func(p amf.Property) bool {
		return p.Name == "hasAudio" || p.Name == "hasVideo" || slices.Contains(fileOnly, p.Name)
	})
	props = append(props,
		amf.Property{Name: "hasVideo", Value: hasVideo},
		amf.Property{Name: "hasAudio", Value: hasAudio})
	b := make([]byte, media.Headroom, 512)
	b = amf.Append0(b, onMetaData)
	b = amf.Append0(b, props)
	b = append(b, make([]byte, media.Tailroom)...)
	f := media.NewFrame(media.Data, b, 0)
	f.Flags = media.Metadata
	return f
}
