package amf

import (
	"encoding/binary"
	"math"
)

// begin0 writes an AMF0 value or the head of a container. One case a type.
func (e *encoder) begin0(v any) {
	if f, ok := number(v); ok {
		e.byte(number0)
		e.f64(f)
		return
	}
	switch v := v.(type) {
	case bool:
		e.dst = append(e.dst, boolean0, bit(v))
	case string:
		e.string0(v)
	case nil, Null:
		e.byte(null0)
	case Undefined:
		e.byte(undefined0)
	case *Object:
		e.object0(v)
	case ECMAArray:
		e.byte(ecmaMark0)
		e.u32(len(v))
		e.push(rest{kind: props0, props: v})
	case StrictArray:
		e.byte(strictMark0)
		e.u32(len(v))
		e.push(rest{kind: items0, items: v})
	case Date:
		e.byte(date0)
		e.f64(v.UnixMilli)
		e.dst = binary.BigEndian.AppendUint16(e.dst, uint16(v.Zone))
	case XML:
		e.byte(xml0)
		e.long(string(v))
	case ByteArray:
		e.byte(avmPlus0)
		e.begin3(v)
	default:
		e.byte(unsupported0)
	}
}

func (e *encoder) object0(o *Object) {
	switch {
	case o == nil:
		e.byte(null0)
		return
	case o.Class != "":
		e.byte(typedObject0)
		e.short(o.Class)
	default:
		e.byte(objectMark0)
	}
	e.push(rest{kind: props0, props: o.Props})
}

func (e *encoder) string0(s string) {
	if len(s) > math.MaxUint16 {
		e.byte(longString0)
		e.long(s)
		return
	}
	e.byte(string0)
	e.short(s)
}

// short writes a string with a length of 16 bits, cut to what that allows.
func (e *encoder) short(s string) {
	s = s[:min(len(s), math.MaxUint16)]
	e.dst = binary.BigEndian.AppendUint16(e.dst, uint16(len(s)))
	e.dst = append(e.dst, s...)
}

func (e *encoder) long(s string) {
	e.u32(len(s))
	e.dst = append(e.dst, s...)
}

func (e *encoder) u32(n int) { e.dst = binary.BigEndian.AppendUint32(e.dst, uint32(n)) }

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}
