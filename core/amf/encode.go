package amf

import (
	"encoding/binary"
	"math"
)

// Append0 appends v in AMF0. Besides what the decoder returns it takes nil
// (null), int, int64, uint32 and uint64 (numbers); a value of any other type
// is written as "unsupported". A string of more than 65,535 bytes becomes a
// long string; a longer name is cut there, the format having no other form for
// it. A [ByteArray] is written in AMF3, behind the avmplus marker. Nothing is
// written by reference. v must not contain itself.
func Append0(dst []byte, v any) []byte { return appendValue(dst, v, false) }

// Append3 appends v in AMF3; what it takes is said at [Append0], and a value
// of any other type is written as undefined. Whole numbers of 29 bits become
// integers, as Flash writes them. The zone of a [Date] is left out, and so are
// properties of an [ECMAArray] without a name: the format has no place for
// them. An [Object] with a class, or with a property without a name, has its
// properties sealed, any other has them dynamic. Strings are cut at 2²⁸−1
// bytes, and nothing is written by reference. v must not contain itself.
func Append3(dst []byte, v any) []byte { return appendValue(dst, v, true) }

func appendValue(dst []byte, v any, amf3 bool) []byte {
	e := encoder{dst: dst}
	e.begin(v, amf3)
	for len(e.stack) > 0 {
		e.step()
	}
	return e.dst
}

// encoder writes values; stack holds the containers that are open.
type encoder struct {
	dst   []byte
	stack []rest
}

// rest is what is left to write of a container: named elements or items.
type rest struct {
	props []Property
	items []any
	kind  restKind
}

type restKind uint8

const (
	props0  restKind = iota // name and value, then the end marker
	items0                  // values
	props3                  // name and value, then an empty name
	sealed3                 // values of properties
	items3                  // values
)

// begin writes a value, or the head of a container, and pushes what is left.
func (e *encoder) begin(v any, amf3 bool) {
	if amf3 {
		e.begin3(v)
		return
	}
	e.begin0(v)
}

// step writes one element of the innermost container, or ends it.
func (e *encoder) step() {
	r := &e.stack[len(e.stack)-1]
	amf3 := r.kind >= props3
	switch {
	case len(r.items) > 0:
		v := r.items[0]
		r.items = r.items[1:]
		e.begin(v, amf3)
	case len(r.props) > 0:
		p := r.props[0]
		r.props = r.props[1:]
		if e.name(p.Name, r.kind) {
			e.begin(p.Value, amf3)
		}
	default:
		e.end(r.kind)
		e.stack = e.stack[:len(e.stack)-1]
	}
}

// name writes the name of an element where its container has names, and
// reports whether the element can be written.
func (e *encoder) name(name string, k restKind) bool {
	switch k {
	case props0:
		e.short(name)
	case props3:
		if name == "" {
			return false // it would end the container
		}
		e.string3(name)
	}
	return true
}

func (e *encoder) end(k restKind) {
	switch k {
	case props0:
		e.dst = append(e.dst, 0, 0, objectEnd0)
	case props3:
		e.dst = append(e.dst, empty3)
	}
}

func (e *encoder) push(r rest) { e.stack = append(e.stack, r) }

func (e *encoder) byte(b byte) { e.dst = append(e.dst, b) }

func (e *encoder) f64(f float64) {
	e.dst = binary.BigEndian.AppendUint64(e.dst, math.Float64bits(f))
}

// number returns a Go number as AMF's only kind.
func number(v any) (f float64, ok bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	case uint32:
		return float64(n), true
	case uint64:
		return float64(n), true
	}
	return 0, false
}
