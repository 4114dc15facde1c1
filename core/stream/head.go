package stream

import (
	"bytes"

	"github.com/millrace/millrace/core/media"
)

// head is where a medium's first frame begins, if its codec's parameters are
// there: the first of a session, of a codec, or behind a new sequence header.
// For all other frames it is nil, and costs a comparison.
func (p *Publication) head(f *media.Frame) []byte {
	known := &p.headed[index(f.Kind)]
	if *known || f.Kind == media.Video && !f.Is(media.Keyframe) {
		return nil
	}
	*known = true
	if !f.Codec.InBand() {
		return nil
	}
	body := f.Body()
	return bytes.Clone(body[:min(len(body), media.HeadSize)])
}
