package amf

import (
	"math"
	"slices"
)

const (
	empty3     = 0x01      // the empty string, and a length or count of 0
	maxLength3 = 1<<28 - 1 // of what has a length of 28 bits beside a flag
	dynamic3   = 0x0b      // U29O: traits follow, dynamic, no sealed members
	sealedOf3  = 0x03      // U29O: traits follow, not dynamic; count << 4
)

// begin3 writes an AMF3 value or the head of a container. One case a type.
func (e *encoder) begin3(v any) {
	if f, ok := number(v); ok {
		e.number3(f)
		return
	}
	switch v := v.(type) {
	case bool:
		e.byte(false3 + bit(v))
	case string:
		e.byte(string3)
		e.string3(v)
	case nil, Null:
		e.byte(null3)
	case *Object:
		e.object3(v)
	case ECMAArray:
		e.dst = append(e.dst, arrayMark3, empty3)
		e.push(rest{kind: props3, props: v})
	case StrictArray:
		e.byte(arrayMark3)
		e.length3(len(v))
		e.byte(empty3)
		e.push(rest{kind: items3, items: v})
	case Date:
		e.dst = append(e.dst, date3, empty3)
		e.f64(v.UnixMilli)
	case XML:
		e.byte(xml3)
		e.string3(string(v))
	case ByteArray:
		e.byte(byteArray3)
		e.string3(string(v))
	default:
		e.byte(undefined3)
	}
}

// number3 writes an integer where that keeps the value: not for −0.
func (e *encoder) number3(f float64) {
	if f >= -1<<28 && f < 1<<28 && f == math.Trunc(f) && (f != 0 || !math.Signbit(f)) {
		e.byte(integer3)
		e.u29(uint32(int32(f)) & (1<<29 - 1))
		return
	}
	e.byte(double3)
	e.f64(f)
}

func (e *encoder) object3(o *Object) {
	if o == nil {
		e.byte(null3)
		return
	}
	unnamed := slices.ContainsFunc(o.Props, func(p Property) bool { return p.Name == "" })
	if o.Class == "" && !unnamed {
		e.dst = append(e.dst, objectMark3, dynamic3, empty3)
		e.push(rest{kind: props3, props: o.Props})
		return
	}
	e.byte(objectMark3)
	e.u29(uint32(len(o.Props))<<4 | sealedOf3)
	e.string3(o.Class)
	for _, p := range o.Props {
		e.string3(p.Name)
	}
	e.push(rest{kind: sealed3, props: o.Props})
}

func (e *encoder) string3(s string) {
	s = s[:min(len(s), maxLength3)]
	e.length3(len(s))
	e.dst = append(e.dst, s...)
}

// length3 writes a length or count with the flag that says "not a reference".
func (e *encoder) length3(n int) { e.u29(uint32(n)<<1 | 1) }

// u29 writes an unsigned integer of 29 bits in 1 to 4 bytes, section 1.3.1.
func (e *encoder) u29(u uint32) {
	switch {
	case u < 1<<7:
		e.dst = append(e.dst, byte(u))
	case u < 1<<14:
		e.dst = append(e.dst, byte(u>>7)|0x80, byte(u)&0x7f)
	case u < 1<<21:
		e.dst = append(e.dst, byte(u>>14)|0x80, byte(u>>7)|0x80, byte(u)&0x7f)
	default:
		e.dst = append(e.dst, byte(u>>22)|0x80, byte(u>>15)|0x80, byte(u>>8)|0x80, byte(u))
	}
}
