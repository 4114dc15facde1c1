package amf

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
)

// Markers of AMF3, section 3.1.
const (
	undefined3    = 0x00
	null3         = 0x01
	false3        = 0x02
	true3         = 0x03
	integer3      = 0x04
	double3       = 0x05
	string3       = 0x06
	xmlDocument3  = 0x07
	date3         = 0x08
	arrayMark3    = 0x09
	objectMark3   = 0x0a
	xml3          = 0x0b
	byteArray3    = 0x0c
	vectorInt3    = 0x0d
	vectorUint3   = 0x0e
	vectorDouble3 = 0x0f
	vectorObject3 = 0x10
	dictMark3     = 0x11
)

// flexPrefix starts the names of the classes whose external form is one value:
// ArrayCollection, ArrayList, ObjectProxy and their kin.
const flexPrefix = "flex.messaging.io."

// traits describes the class of an AMF3 object, section 3.12.
type traits struct {
	class    string
	names    []string
	bytes    int // of class and names
	dynamic  bool
	external bool
}

// begin3 reads an AMF3 value or the head of a container. One case a marker.
func (d *decoder) begin3() (v any, done bool) {
	switch m := d.u8(); m {
	case undefined3:
		return Undefined{}, true
	case null3:
		return Null{}, true
	case false3, true3:
		return m == true3, true
	case integer3:
		return float64(int32(d.u29()<<3) >> 3), true // sign-extend 29 bits
	case double3:
		return d.f64(), true
	case string3:
		return d.name3(), true
	case date3, xmlDocument3, xml3, byteArray3, vectorInt3, vectorUint3, vectorDouble3:
		return d.leaf3(m)
	case arrayMark3, objectMark3, vectorObject3, dictMark3:
		return d.container3(m)
	default:
		d.refuse("unknown AMF3 type")
		return nil, false
	}
}

// u29 reads an unsigned integer of 29 bits in 1 to 4 bytes, section 1.3.1.
func (d *decoder) u29() uint32 {
	var u uint32
	for range 3 {
		c := d.u8()
		u = u<<7 | uint32(c&0x7f)
		if c&0x80 == 0 {
			return u
		}
	}
	return u<<8 | uint32(d.u8())
}

// name3 reads a string behind its marker, or a name: "the empty string is
// never sent by reference", nor does it get an index.
func (d *decoder) name3() string {
	u := d.u29()
	if u&1 == 0 {
		return d.stringRef(int(u >> 1))
	}
	s := d.text(int(u >> 1))
	if s != "" {
		d.strings = append(d.strings, s)
	}
	return s
}

func (d *decoder) stringRef(i int) string {
	if d.err != nil {
		return ""
	}
	if i >= len(d.strings) {
		d.refuse("reference to no string")
		return ""
	}
	d.repeat(len(d.strings[i]))
	return d.strings[i]
}

// leaf3 reads what is sent by reference but contains no other value.
func (d *decoder) leaf3(marker byte) (v any, done bool) {
	values, bytes := d.values, d.bytes
	u := d.u29()
	if u&1 == 0 {
		return d.resolve(d.refs3, int(u>>1)), true
	}
	n := int(u >> 1)
	switch marker {
	case date3:
		v = Date{UnixMilli: d.f64()}
	case byteArray3:
		v = d.byteArray(n)
	case vectorInt3:
		v = d.numbers(n, 4, func(b []byte) float64 { return float64(int32(binary.BigEndian.Uint32(b))) })
	case vectorUint3:
		v = d.numbers(n, 4, func(b []byte) float64 { return float64(binary.BigEndian.Uint32(b)) })
	case vectorDouble3:
		v = d.numbers(n, 8, func(b []byte) float64 { return math.Float64frombits(binary.BigEndian.Uint64(b)) })
	default:
		v = XML(d.text(n))
	}
	if d.err == nil {
		d.refs3 = append(d.refs3, entry{v: v, values: d.values - values, bytes: d.bytes - bytes})
	}
	return v, true
}

func (d *decoder) byteArray(n int) ByteArray {
	b := d.next(n)
	d.bytes += len(b)
	return append(ByteArray{}, b...)
}

// numbers reads a vector of n numbers of size bytes each.
func (d *decoder) numbers(n, size int, number func([]byte) float64) any {
	d.u8() // "fixed-vector": whether its length may change later
	if !d.charge(n) {
		return nil
	}
	b := d.next(n * size)
	items := make(StrictArray, 0, len(b)/size)
	for ; len(b) > 0; b = b[size:] {
		items = append(items, number(b[:size]))
	}
	return items
}

// container3 reads the head of what contains other values.
func (d *decoder) container3(marker byte) (v any, done bool) {
	u := d.u29()
	if u&1 == 0 {
		return d.resolve(d.refs3, int(u>>1)), true
	}
	switch marker {
	case arrayMark3:
		d.openCounted(frame{kind: named3}, int(u>>1))
	case vectorObject3:
		d.u8()    // "fixed-vector"
		d.name3() // the class of the elements, which they repeat
		d.openCounted(frame{kind: vector3}, int(u>>1))
	case dictMark3:
		d.u8() // "weak-keys"
		d.openCounted(frame{kind: dictionary3}, int(u>>1))
	default:
		d.object3(u)
	}
	return nil, false
}

// object3 opens an object whose U29O is u: "U29O-traits-ref" has the low bits
// 01, "U29O-traits" 011 and "U29O-traits-ext" 111.
func (d *decoder) object3(u uint32) {
	if u&2 != 0 {
		d.readTraits(u)
		d.openObject3(len(d.traits) - 1)
		return
	}
	i := int(u >> 2)
	if d.err == nil && i >= len(d.traits) {
		d.refuse("reference to no traits")
	}
	if d.err == nil {
		d.repeat(d.traits[i].bytes)
		d.openObject3(i)
	}
}

func (d *decoder) openObject3(i int) {
	if d.err != nil {
		return
	}
	t := &d.traits[i]
	switch {
	case !t.external:
		d.open(frame{kind: object3, class: t.class, traits: i})
	case strings.HasPrefix(t.class, flexPrefix):
		d.open(frame{kind: proxy3, left: 1})
	default:
		d.refuse("object in a form that only its class knows")
	}
}

// readTraits reads a class description and appends it to the table.
func (d *decoder) readTraits(u uint32) {
	before := d.bytes
	t := traits{dynamic: u&8 != 0, external: u&4 != 0, class: d.name3()}
	if n := int(u >> 4); !t.external && d.charge(n) {
		for range n {
			if d.err != nil {
				return
			}
			t.names = append(t.names, d.name3())
		}
	}
	t.bytes = d.bytes - before
	d.traits = append(d.traits, t)
}

// advanceObject3 pends the next sealed member, in the order of the traits, or
// then the next dynamic one, up to an empty name.
func (d *decoder) advanceObject3(f *frame) bool {
	t := &d.traits[f.traits]
	if i := len(d.props) - f.start; i < len(t.names) {
		return d.pend(t.names[i])
	}
	if !t.dynamic {
		return false
	}
	name := d.name3()
	return name != "" && d.pend(name)
}

// advanceArray3 pends the next named element; an empty name ends them, and the
// numbered ones follow.
func (d *decoder) advanceArray3(f *frame) bool {
	if name := d.name3(); name != "" {
		f.named++
		return d.pend(name)
	}
	f.kind = dense3
	return d.err == nil && d.advanceItems(f)
}

// advanceDictionary3 reads the next key. A dictionary may have objects as
// keys; they have no name and are refused.
func (d *decoder) advanceDictionary3(f *frame) bool {
	if f.left == 0 {
		return false
	}
	f.left--
	key, done := d.begin(true)
	name, ok := keyName(key)
	if !done || !ok {
		d.refuse("dictionary key that is no name")
	}
	return d.pend(name)
}

func keyName(key any) (name string, ok bool) {
	switch k := key.(type) {
	case string:
		return k, true
	case float64:
		return strconv.FormatFloat(k, 'g', -1, 64), true
	case bool:
		return strconv.FormatBool(k), true
	}
	return "", false
}
