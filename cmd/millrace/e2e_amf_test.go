package main_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// amfObject is an object or ECMA array of AMF0.
type amfObject map[string]any

var errAMF = errors.New("bad AMF0")

// amfEncode writes numbers, booleans, strings, nil and objects.
func amfEncode(values ...any) []byte {
	var b []byte
	for _, v := range values {
		b = amfAppend(b, v)
	}
	return b
}

func amfAppend(b []byte, v any) []byte {
	switch v := v.(type) {
	case float64:
		return binary.BigEndian.AppendUint64(append(b, 0), math.Float64bits(v))
	case bool:
		if v {
			return append(b, 1, 1)
		}
		return append(b, 1, 0)
	case string:
		return amfAppendText(append(b, 2), v)
	case amfObject:
		b = append(b, 3)
		for _, key := range slices.Sorted(maps.Keys(v)) {
			b = amfAppend(amfAppendText(b, key), v[key])
		}
		return append(b, 0, 0, 9)
	}
	return append(b, 5)
}

func amfAppendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// amfDecode reads values to the end of b.
func amfDecode(b []byte) ([]any, error) {
	d := amfDecoder{b: b}
	var values []any
	for len(d.b) > 0 && d.err == nil {
		values = append(values, d.value())
	}
	return values, d.err
}

type amfDecoder struct {
	b   []byte
	err error
}

func (d *amfDecoder) take(n int) []byte {
	if d.err != nil || n > len(d.b) {
		d.err = fmt.Errorf("%w: %d bytes of %d", errAMF, n, len(d.b))
		return make([]byte, min(n, 16))
	}
	taken := d.b[:n]
	d.b = d.b[n:]
	return taken
}

func (d *amfDecoder) text() string {
	return string(d.take(int(binary.BigEndian.Uint16(d.take(2)))))
}

func (d *amfDecoder) value() any {
	switch marker := d.take(1)[0]; marker {
	case 0:
		return math.Float64frombits(binary.BigEndian.Uint64(d.take(8)))
	case 1:
		return d.take(1)[0] != 0
	case 2:
		return d.text()
	case 3:
		return d.object()
	case 5, 6:
		return nil
	case 8:
		d.take(4)
		return d.object()
	case 10:
		return d.array(int(binary.BigEndian.Uint32(d.take(4))))
	case 11:
		return d.take(10)[:8]
	case 12:
		return string(d.take(int(binary.BigEndian.Uint32(d.take(4)))))
	default:
		d.err = fmt.Errorf("%w: marker %d", errAMF, marker)
		return nil
	}
}

func (d *amfDecoder) object() amfObject {
	object := amfObject{}
	for d.err == nil {
		key := d.text()
		if key == "" && len(d.b) > 0 && d.b[0] == 9 {
			d.take(1)
			return object
		}
		object[key] = d.value()
	}
	return object
}

func (d *amfDecoder) array(n int) []any {
	var values []any
	for i := 0; i < n && d.err == nil; i++ {
		values = append(values, d.value())
	}
	return values
}
