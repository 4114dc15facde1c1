package amf

// Markers of AMF0, section 2.1.
const (
	number0      = 0x00
	boolean0     = 0x01
	string0      = 0x02
	objectMark0  = 0x03
	movieClip0   = 0x04
	null0        = 0x05
	undefined0   = 0x06
	reference0   = 0x07
	ecmaMark0    = 0x08
	objectEnd0   = 0x09
	strictMark0  = 0x0a
	date0        = 0x0b
	longString0  = 0x0c
	unsupported0 = 0x0d
	recordSet0   = 0x0e
	xml0         = 0x0f
	typedObject0 = 0x10
	avmPlus0     = 0x11
)

// begin0 reads an AMF0 value or the head of a container. One case a marker.
func (d *decoder) begin0() (v any, done bool) {
	switch d.u8() {
	case number0:
		return d.f64(), true
	case boolean0:
		return d.u8() != 0, true
	case string0:
		return d.text(int(d.u16())), true
	case longString0:
		return d.text(int(d.u32())), true
	case xml0:
		return XML(d.text(int(d.u32()))), true
	case null0:
		return Null{}, true
	case undefined0, unsupported0:
		return Undefined{}, true
	case date0:
		return Date{UnixMilli: d.f64(), Zone: int16(d.u16())}, true
	case reference0:
		return d.resolve(d.refs0, int(d.u16())), true
	case objectMark0:
		d.open(frame{kind: object0})
	case typedObject0:
		d.open(frame{kind: object0, class: d.text(int(d.u16()))})
	case ecmaMark0:
		d.u32() // "associative-count": encoders write 0 or a guess, the end marker decides
		d.open(frame{kind: ecma0})
	case strictMark0:
		d.openCounted(frame{kind: strict0}, int(d.u32()))
	case avmPlus0:
		return d.begin3()
	case objectEnd0:
		d.refuse("end of an object outside one")
	case movieClip0, recordSet0:
		d.refuse("reserved type")
	default:
		d.refuse("unknown AMF0 type")
	}
	return nil, false
}

// openCounted opens a container of n elements, none of which has been seen:
// more than the limit allows are refused now rather than after reading them.
func (d *decoder) openCounted(f frame, n int) {
	if n < 0 || n > d.lim.Values-d.values {
		d.fail(ErrValues)
		return
	}
	f.left = n
	d.open(f)
}

// advanceProps0 reads the name of the next property, or the end marker: an
// empty name and object-end. An empty name before any other marker is a name.
func (d *decoder) advanceProps0() bool {
	if len(d.stack) == 1 && d.off == len(d.b) {
		return false // see Decode0
	}
	name := d.text(int(d.u16()))
	if name == "" && d.err == nil && d.off < len(d.b) && d.b[d.off] == objectEnd0 {
		d.off++
		return false
	}
	return d.pend(name)
}
