package amf

// A decoded value is one of float64, bool, string, [Null], [Undefined],
// [*Object], [ECMAArray], [StrictArray], [Date], [XML] and [ByteArray]. AMF3
// integers are float64 too. A container that the wire refers to more than once
// is the same Go value in each place, so treat decoded containers as
// read-only, or copy before changing them.

// Property is a named value of an [Object] or an [ECMAArray].
type Property struct {
	Name  string
	Value any
}

// Object is an anonymous object, or a typed one if Class is not empty. The
// properties stand in the order of the wire.
type Object struct {
	Class string
	Props []Property
}

// ECMAArray is an array indexed by name, in the order of the wire. An AMF3
// array that has both named and numbered elements, and an AMF3 dictionary, are
// decoded as one; numbers become decimal names.
type ECMAArray []Property

// StrictArray is an array indexed from 0: an AMF0 strict array, an AMF3 dense
// array or an AMF3 vector.
type StrictArray []any

// Null is the null value.
type Null struct{}

// Undefined is the undefined value, and what AMF0's "unsupported" decodes to.
type Undefined struct{}

// Date is a point in time. Zone, in minutes, is reserved in AMF0 (section
// 2.13) and absent from AMF3.
type Date struct {
	UnixMilli float64
	Zone      int16
}

// XML is the text of an XML document.
type XML string

// ByteArray is AMF3's array of bytes. AMF0 has none; there it is written as an
// AMF3 value behind the avmplus marker.
type ByteArray []byte
