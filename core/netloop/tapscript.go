package netloop

import (
	"bytes"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
)

// Names of the script tags that a plugin's feed has and that do not count.
const (
	onSequence = "onSequence"
	onGap      = "onGap"
)

// sequenceTag says that the next frame has number seq.
func sequenceTag(session string, seq uint64, ts uint32) []byte {
	return scriptTag(ts, onSequence, amf.ECMAArray{
		{Name: "session", Value: session},
		{Name: "seq", Value: float64(seq)},
	})
}

// gapTag says that frames from up to, not including, to do not come.
func gapTag(from, to uint64, reason string, ts uint32) []byte {
	return scriptTag(ts, onGap, amf.ECMAArray{
		{Name: "from", Value: float64(from)},
		{Name: "to", Value: float64(to)},
		{Name: "reason", Value: reason},
	})
}

// scriptTag is an FLV script tag, with its PreviousTagSize (FLV 10.1, E.4.4).
func scriptTag(ts uint32, name string, v amf.ECMAArray) []byte {
	room := make([]byte, media.Headroom, 256)
	room = amf.Append0(room, name)
	room = amf.Append0(room, v)
	f := media.NewFrame(media.Data, append(room, make([]byte, media.Tailroom)...), 0)
	f.DTS = int64(ts)
	f.Seal()
	return f.Tag()
}

// isTapScript reports whether a script message of a publisher has one of the
// names that mean something to plugins.
func isTapScript(payload []byte) bool {
	const string0 = 2 // AMF0's mark of a string, with a length of 16 bits
	for _, name := range []string{onSequence, onGap} {
		if bytes.HasPrefix(payload, append([]byte{string0, 0, byte(len(name))}, name...)) {
			return true
		}
	}
	return false
}
