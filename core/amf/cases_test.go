package amf

import (
	"math"
	"strings"
)

// wireCase is one value on the wire: dec is what it decodes to, enc its bytes.
// If dec is written in another form than enc, canon is that form.
type wireCase struct {
	name  string
	dec   any
	enc   string
	canon string
}

func obj(props ...Property) *Object { return &Object{Props: append([]Property{}, props...)} }

const pi = "\x40\x09\x21\xfb\x54\x44\x2d\x18"

var long = strings.Repeat("x", math.MaxUint16+1)

var cases0 = []wireCase{
	{name: "number", dec: math.Pi, enc: "\x00" + pi},
	{name: "true", dec: true, enc: "\x01\x01"},
	{name: "false", dec: false, enc: "\x01\x00"},
	{name: "true that is 2", dec: true, enc: "\x01\x02", canon: "\x01\x01"},
	{name: "string", dec: "live", enc: "\x02\x00\x04live"},
	{name: "empty string", dec: "", enc: "\x02\x00\x00"},
	{name: "long string", dec: long, enc: "\x0c\x00\x01\x00\x00" + long},
	{name: "short long string", dec: "ab", enc: "\x0c\x00\x00\x00\x02ab", canon: "\x02\x00\x02ab"},
	{name: "null", dec: Null{}, enc: "\x05"},
	{name: "undefined", dec: Undefined{}, enc: "\x06"},
	{name: "unsupported", dec: Undefined{}, enc: "\x0d", canon: "\x06"},
	{name: "date", dec: Date{UnixMilli: math.Pi, Zone: -60}, enc: "\x0b" + pi + "\xff\xc4"},
	{name: "xml", dec: XML("<a/>"), enc: "\x0f\x00\x00\x00\x04<a/>"},
	{name: "empty object", dec: obj(), enc: "\x03\x00\x00\x09"},
	{
		name: "object",
		dec:  obj(Property{"app", "live"}, Property{"x", true}),
		enc:  "\x03\x00\x03app\x02\x00\x04live\x00\x01x\x01\x01\x00\x00\x09",
	},
	{name: "property without a name", dec: obj(Property{"", Null{}}), enc: "\x03\x00\x00\x05\x00\x00\x09"},
	{
		name: "typed object",
		dec:  &Object{Class: "Foo", Props: []Property{{"x", true}}},
		enc:  "\x10\x00\x03Foo\x00\x01x\x01\x01\x00\x00\x09",
	},
	{
		name: "ECMA array",
		dec:  ECMAArray{{"a", Null{}}},
		enc:  "\x08\x00\x00\x00\x01\x00\x01a\x05\x00\x00\x09",
	},
	{
		name:  "ECMA array whose count lies",
		dec:   ECMAArray{{"a", Null{}}},
		enc:   "\x08\xff\xff\xff\xff\x00\x01a\x05\x00\x00\x09",
		canon: "\x08\x00\x00\x00\x01\x00\x01a\x05\x00\x00\x09",
	},
	{
		name:  "ECMA array without an end",
		dec:   ECMAArray{{"a", Null{}}},
		enc:   "\x08\x00\x00\x00\x01\x00\x01a\x05",
		canon: "\x08\x00\x00\x00\x01\x00\x01a\x05\x00\x00\x09",
	},
	{
		name:  "object without an end",
		dec:   obj(Property{"a", Null{}}),
		enc:   "\x03\x00\x01a\x05",
		canon: "\x03\x00\x01a\x05\x00\x00\x09",
	},
	{name: "empty strict array", dec: StrictArray{}, enc: "\x0a\x00\x00\x00\x00"},
	{
		name: "nested",
		dec:  StrictArray{obj(Property{"a", ECMAArray{}}, Property{"b", StrictArray{true}}), Null{}},
		enc: "\x0a\x00\x00\x00\x02\x03\x00\x01a\x08\x00\x00\x00\x00\x00\x00\x09" +
			"\x00\x01b\x0a\x00\x00\x00\x01\x01\x01\x00\x00\x09\x05",
	},
	{
		name:  "reference",
		dec:   StrictArray{obj(Property{"a", true}), obj(Property{"a", true})},
		enc:   "\x0a\x00\x00\x00\x02\x03\x00\x01a\x01\x01\x00\x00\x09\x07\x00\x01",
		canon: "\x0a\x00\x00\x00\x02\x03\x00\x01a\x01\x01\x00\x00\x09\x03\x00\x01a\x01\x01\x00\x00\x09",
	},
	{name: "byte array behind avmplus", dec: ByteArray("ab"), enc: "\x11\x0c\x05ab"},
	{name: "integer behind avmplus", dec: 5.0, enc: "\x11\x04\x05", canon: "\x00\x40\x14\x00\x00\x00\x00\x00\x00"},
	{
		name:  "avmplus in an object",
		dec:   obj(Property{"a", obj(Property{"b", "c"})}, Property{"d", "b"}),
		enc:   "\x03\x00\x01a\x11\x0a\x0b\x01\x03b\x06\x03c\x01\x00\x01d\x11\x06\x00\x00\x00\x09",
		canon: "\x03\x00\x01a\x03\x00\x01b\x02\x00\x01c\x00\x00\x09\x00\x01d\x02\x00\x01b\x00\x00\x09",
	},
}

var cases3 = []wireCase{
	{name: "undefined", dec: Undefined{}, enc: "\x00"},
	{name: "null", dec: Null{}, enc: "\x01"},
	{name: "false", dec: false, enc: "\x02"},
	{name: "true", dec: true, enc: "\x03"},
	{name: "integer 0", dec: 0.0, enc: "\x04\x00"},
	{name: "integer 127", dec: 127.0, enc: "\x04\x7f"},
	{name: "integer 128", dec: 128.0, enc: "\x04\x81\x00"},
	{name: "integer 16383", dec: 16383.0, enc: "\x04\xff\x7f"},
	{name: "integer 16384", dec: 16384.0, enc: "\x04\x81\x80\x00"},
	{name: "integer 2097151", dec: 2097151.0, enc: "\x04\xff\xff\x7f"},
	{name: "integer 2097152", dec: 2097152.0, enc: "\x04\x80\xc0\x80\x00"},
	{name: "largest integer", dec: 268435455.0, enc: "\x04\xbf\xff\xff\xff"},
	{name: "smallest integer", dec: -268435456.0, enc: "\x04\xc0\x80\x80\x00"},
	{name: "integer -1", dec: -1.0, enc: "\x04\xff\xff\xff\xff"},
	{name: "whole number past 29 bits", dec: 268435456.0, enc: "\x05\x41\xb0\x00\x00\x00\x00\x00\x00"},
	{name: "double", dec: math.Pi, enc: "\x05" + pi},
	{name: "minus zero", dec: math.Copysign(0, -1), enc: "\x05\x80\x00\x00\x00\x00\x00\x00\x00"},
	{name: "string", dec: "live", enc: "\x06\x09live"},
	{name: "empty string", dec: "", enc: "\x06\x01"},
	{name: "xml document", dec: XML("<a/>"), enc: "\x07\x09<a/>", canon: "\x0b\x09<a/>"},
	{name: "xml", dec: XML("<a/>"), enc: "\x0b\x09<a/>"},
	{name: "date", dec: Date{UnixMilli: math.Pi}, enc: "\x08\x01" + pi},
	{name: "byte array", dec: ByteArray("ab"), enc: "\x0c\x05ab"},
	{name: "empty byte array", dec: ByteArray{}, enc: "\x0c\x01"},
	{name: "empty array", dec: StrictArray{}, enc: "\x09\x01\x01"},
	{name: "dense array", dec: StrictArray{true, "a"}, enc: "\x09\x05\x01\x03\x06\x03a"},
	{name: "named array", dec: ECMAArray{{"a", true}}, enc: "\x09\x01\x03a\x03\x01"},
	{
		name:  "array of both",
		dec:   ECMAArray{{"a", true}, {"0", false}, {"1", Null{}}},
		enc:   "\x09\x05\x03a\x03\x01\x02\x01",
		canon: "\x09\x01\x03a\x03\x030\x02\x031\x01\x01",
	},
	{name: "empty object", dec: obj(), enc: "\x0a\x0b\x01\x01"},
	{name: "dynamic object", dec: obj(Property{"a", true}), enc: "\x0a\x0b\x01\x03a\x03\x01"},
	{
		name: "sealed object",
		dec:  &Object{Class: "Foo", Props: []Property{{"a", true}, {"b", "a"}}},
		enc:  "\x0a\x23\x07Foo\x03a\x03b\x03\x06\x03a",
	},
	{name: "sealed property without a name", dec: obj(Property{"", true}), enc: "\x0a\x13\x01\x01\x03"},
	{
		name:  "sealed and dynamic object",
		dec:   &Object{Class: "Foo", Props: []Property{{"a", true}, {"b", false}}},
		enc:   "\x0a\x1b\x07Foo\x03a\x03\x03b\x02\x01",
		canon: "\x0a\x23\x07Foo\x03a\x03b\x03\x02",
	},
	{
		name:  "references to strings and traits",
		dec:   StrictArray{&Object{Class: "Foo", Props: []Property{{"a", "x"}}}, &Object{Class: "Foo", Props: []Property{{"a", "x"}}}},
		enc:   "\x09\x05\x01\x0a\x13\x07Foo\x03a\x06\x03x\x0a\x01\x06\x04",
		canon: "\x09\x05\x01\x0a\x13\x07Foo\x03a\x06\x03x\x0a\x13\x07Foo\x03a\x06\x03x",
	},
	{
		name:  "references to objects",
		dec:   StrictArray{obj(), obj(), Date{UnixMilli: math.Pi}, Date{UnixMilli: math.Pi}},
		enc:   "\x09\x09\x01\x0a\x0b\x01\x01\x0a\x02\x08\x01" + pi + "\x08\x04",
		canon: "\x09\x09\x01\x0a\x0b\x01\x01\x0a\x0b\x01\x01\x08\x01" + pi + "\x08\x01" + pi,
	},
	{name: "vector of int", dec: StrictArray{-1.0}, enc: "\x0d\x03\x00\xff\xff\xff\xff", canon: "\x09\x03\x01\x04\xff\xff\xff\xff"},
	{name: "vector of uint", dec: StrictArray{1.0, 2.0}, enc: "\x0e\x05\x01\x00\x00\x00\x01\x00\x00\x00\x02", canon: "\x09\x05\x01\x04\x01\x04\x02"},
	{name: "vector of double", dec: StrictArray{math.Pi}, enc: "\x0f\x03\x00" + pi, canon: "\x09\x03\x01\x05" + pi},
	{name: "vector of object", dec: StrictArray{Null{}, obj()}, enc: "\x10\x05\x00\x07Foo\x01\x0a\x0b\x01\x01", canon: "\x09\x05\x01\x01\x0a\x0b\x01\x01"},
	{
		name:  "dictionary",
		dec:   ECMAArray{{"a", true}, {"7", StrictArray{}}, {"true", Null{}}},
		enc:   "\x11\x07\x00\x06\x03a\x03\x04\x07\x09\x01\x01\x03\x01",
		canon: "\x09\x01\x03a\x03\x037\x09\x01\x01\x09true\x01\x01",
	},
	{
		name:  "ArrayCollection",
		dec:   StrictArray{true},
		enc:   "\x0a\x07\x43flex.messaging.io.ArrayCollection\x09\x03\x01\x03",
		canon: "\x09\x03\x01\x03",
	},
	{
		name:  "ObjectProxy and a reference to it",
		dec:   StrictArray{obj(Property{"a", true}), obj(Property{"a", true})},
		enc:   "\x09\x05\x01\x0a\x07\x3bflex.messaging.io.ObjectProxy\x0a\x0b\x01\x03a\x03\x01\x0a\x02",
		canon: "\x09\x05\x01\x0a\x0b\x01\x03a\x03\x01\x0a\x0b\x01\x03a\x03\x01",
	},
}

// badCase is what a decoder must refuse; want nil stands for a *SyntaxError.
type badCase struct {
	name string
	enc  string
	want error
}

var bad0 = []badCase{
	{"nothing", "", ErrShort},
	{"half a number", "\x00\x40\x09", ErrShort},
	{"half a string", "\x02\x00\x04li", ErrShort},
	{"string of 4 GiB", "\x0c\xff\xff\xff\xffx", ErrShort},
	{"half a property name", "\x03\x00", ErrShort},
	{"property without value", "\x03\x00\x01a", ErrShort},
	{"inner object without an end", "\x03\x00\x01a\x03\x00\x01b\x05", ErrShort},
	{"strict array of 4 G", "\x0a\xff\xff\xff\xff\x05", ErrValues},
	{"strict array that ends early", "\x0a\x00\x00\x00\x02\x05", ErrShort},
	{"movie clip", "\x04", nil},
	{"record set", "\x0e", nil},
	{"object end", "\x09", nil},
	{"unknown", "\x12", nil},
	{"reference to nothing", "\x07\x00\x00", nil},
	{"reference to itself", "\x0a\x00\x00\x00\x01\x07\x00\x00", nil},
	{"reference to an outer one", "\x03\x00\x01a\x03\x00\x01b\x07\x00\x00\x00\x00\x09\x00\x00\x09", nil},
	{"deep objects", strings.Repeat("\x03\x00\x01a", 33) + "\x05", ErrDepth},
	{"deep arrays", strings.Repeat("\x0a\x00\x00\x00\x01", 100000), ErrDepth},
	{"deep across avmplus", strings.Repeat("\x0a\x00\x00\x00\x01", 20) + "\x11" + strings.Repeat("\x09\x03\x01", 13), ErrDepth},
	{"many values", "\x0a\x00\x00\xff\xf0" + strings.Repeat("\x05", 0xffef) + "\x0a\x00\x00\x00\x20", ErrValues},
	{"a tree of references", bombTree(), ErrValues},
	{"a tall tree of references", bombTower(), ErrDepth},
	{"avmplus and nothing", "\x11", ErrShort},
}

var bad3 = []badCase{
	{"nothing", "", ErrShort},
	{"half an integer", "\x04\xff\xff\xff", ErrShort},
	{"string of 256 MiB", "\x06\xff\xff\xff\xffx", ErrShort},
	{"byte array of 256 MiB", "\x0c\xff\xff\xff\xffx", ErrShort},
	{"reference to no string", "\x06\x00", nil},
	{"reference to no object", "\x0a\x00", nil},
	{"reference to no traits", "\x0a\x01", nil},
	{"reference to itself", "\x09\x03\x01\x09\x00", nil},
	{"object in its proxy", "\x0a\x07\x3bflex.messaging.io.ObjectProxy\x0a\x00", nil},
	{"externalizable", "\x0a\x07\x07Foo\x01", nil},
	{"unknown", "\x12", nil},
	{"dictionary with an object for a key", "\x11\x03\x00\x0a\x0b\x01\x01\x03", nil},
	{"dictionary with a date for a key", "\x11\x03\x00\x08\x01" + pi + "\x03", nil},
	{"array of 268 M", "\x09\xff\xff\xff\xff\x01", ErrValues},
	{"vector of 268 M", "\x0d\xff\xff\xff\xff\x01", ErrValues},
	{"vector that ends early", "\x0f\x05\x00" + pi, ErrShort},
	{"traits of 33 M names", "\x0a\xff\xff\xff\xf3\x01", ErrValues},
	{"dynamic object without an end", "\x0a\x0b\x01\x03a\x03", ErrShort},
	{"deep arrays", strings.Repeat("\x09\x03\x01", 33) + "\x01", ErrDepth},
	{"deep proxies", "\x0a\x07\x3bflex.messaging.io.ObjectProxy" + strings.Repeat("\x0a\x01", 32), ErrDepth},
	{"a string again and again", bombString(), ErrBytes},
}

// bombTree holds two references to the previous array in each array, so that
// its size doubles with each.
func bombTree() string {
	const n = 24
	b := "\x0a\x00\x00\x00\x18" + "\x0a\x00\x00\x00\x02\x05\x05"
	for i := byte(1); i < n; i++ {
		b += "\x0a\x00\x00\x00\x02\x07\x00" + string([]byte{i}) + "\x07\x00" + string([]byte{i})
	}
	return b
}

// bombTower holds the previous array in each array: no step is deep.
func bombTower() string {
	const n = 40
	b := "\x0a\x00\x00\x00\x28" + "\x0a\x00\x00\x00\x01\x05"
	for i := byte(1); i < n; i++ {
		b += "\x0a\x00\x00\x00\x01\x07\x00" + string([]byte{i})
	}
	return b
}

// bombString repeats a string of 8,191 bytes 200 times.
func bombString() string {
	return "\x09\x83\x13\x01\x06\xff\x7f" + strings.Repeat("x", 8191) + strings.Repeat("\x06\x00", 200)
}
