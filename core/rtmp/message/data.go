package message

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
)

const (
	setDataFrame   = "@setDataFrame"
	clearDataFrame = "@clearDataFrame"
	onMetaData     = "onMetaData"
)

// ErrClear is returned for @clearDataFrame, which carries nothing for viewers.
var ErrClear = errors.New("metadata is cleared")

// Data is a message of metadata or user data (section 7.1.2), in AMF0.
type Data struct {
	Name   string
	Values []any
}

// Type implements [Body].
func (Data) Type() uint8 { return TypeDataAMF0 }

// Append implements [Body].
func (d Data) Append(dst []byte) []byte {
	dst = amf.Append0(dst, d.Name)
	for _, v := range d.Values {
		dst = amf.Append0(dst, v)
	}
	return dst
}

// UnifyData makes a data message as publishers send it (type 18 or 15, in a
// roomy buffer, see [media.NewRoom]) into what viewers get: AMF0, without
// @setDataFrame, onMetaData as an ECMA array, which is the only form that
// ffmpeg reads. It takes ownership of room; the result is room itself, a part
// of it, or a new one.
func UnifyData(typ uint8, room []byte, lim amf.Limits) ([]byte, error) {
	b := media.Payload(room)
	if typ == TypeDataAMF3 {
		return rewriteData(stripFormat(typ, b), lim)
	}
	name, skip, err := dataName(b, lim)
	if err != nil {
		return nil, err
	}
	const objectMarker = 3
	if rest := b[skip+3+len(name):]; name == onMetaData && len(rest) > 0 && rest[0] == objectMarker {
		return rewriteData(b, lim)
	}
	// The stripped bytes become headroom.
	return room[skip:], nil
}

// dataName returns the name of a data message, and how many bytes of
// @setDataFrame stand before it.
func dataName(b []byte, lim amf.Limits) (name string, skip int, err error) {
	name, n, err := leadingString(b, lim)
	if err != nil || name != setDataFrame {
		return name, 0, err
	}
	name, _, err = leadingString(b[n:], lim)
	return name, n, err
}

func leadingString(b []byte, lim amf.Limits) (string, int, error) {
	v, n, err := amf.Decode0(b, lim)
	if err != nil {
		return "", 0, fmt.Errorf("decode data: %w", err)
	}
	name, ok := v.(string)
	if !ok || n != 3+len(name) {
		return "", 0, errors.New("decode data: it has no name")
	}
	if name == clearDataFrame {
		return "", 0, fmt.Errorf("decode data: %w", ErrClear)
	}
	return name, n, nil
}

// rewriteData decodes the values of a data message and writes them afresh.
func rewriteData(b []byte, lim amf.Limits) ([]byte, error) {
	vals, err := amf.DecodeAll0(b, lim)
	if err != nil {
		return nil, fmt.Errorf("decode data: %w", err)
	}
	if len(vals) > 0 && vals[0] == setDataFrame {
		vals = vals[1:]
	}
	if len(vals) == 0 {
		return nil, fmt.Errorf("decode data: %w", ErrShort)
	}
	name, ok := vals[0].(string)
	if !ok {
		return nil, errors.New("decode data: it has no name")
	}
	if name == clearDataFrame {
		return nil, fmt.Errorf("decode data: %w", ErrClear)
	}
	if o, ok := valueAt(vals, 1).(*amf.Object); ok && name == onMetaData {
		vals[1] = amf.ECMAArray(o.Props)
	}
	room := make([]byte, media.Headroom, media.Headroom+len(b)+media.Tailroom)
	room = Data{Name: name, Values: vals[1:]}.Append(room)
	return append(room, make([]byte, media.Tailroom)...), nil
}

func valueAt(vals []any, i int) any {
	if i >= len(vals) {
		return nil
	}
	return vals[i]
}
