package amf

import "strconv"

// frameKind says how a container goes on and what it becomes.
type frameKind uint8

const (
	object0 frameKind = iota
	ecma0
	strict0
	object3 // from here on the elements are AMF3
	named3  // an array, in its named part
	dense3  // an array, in its numbered part
	vector3
	dictionary3
	proxy3 // an externalizable object that stands for the one value in it
)

// frame is a container that is being read. Its elements so far are
// decoder.props[start:], the last without a value until that has been read.
type frame struct {
	kind   frameKind
	start  int
	left   int // numbered elements still to come
	named  int // named elements so far (named3, dense3)
	traits int // in decoder.traits (object3)
	class  string
	ref    int // in refs0 or refs3
	height int // of the tallest container in it
	values int // decoder.values when it was opened
	bytes  int // decoder.bytes when it was opened
}

// entry is a line of a reference table, with what repeating it costs.
type entry struct {
	v      any
	open   bool
	height int
	values int
	bytes  int
}

// table returns the reference table for containers of kind k.
func (d *decoder) table(k frameKind) *[]entry {
	if k >= object3 {
		return &d.refs3
	}
	return &d.refs0
}

// open pushes a frame and enters the container into its reference table: an
// index is given when a container starts, so that it comes before those of the
// containers inside.
func (d *decoder) open(f frame) {
	if d.err != nil {
		return
	}
	if len(d.stack) >= d.lim.Depth {
		d.fail(ErrDepth)
		return
	}
	t := d.table(f.kind)
	f.start, f.ref = len(d.props), len(*t)
	f.values, f.bytes = d.values, d.bytes
	*t = append(*t, entry{open: true})
	d.stack = append(d.stack, f)
}

// pend adds an element that has yet to get its value.
func (d *decoder) pend(name string) bool {
	if d.err != nil {
		return false
	}
	d.props = append(d.props, Property{Name: name})
	return true
}

// advance reads up to the next value of f and pends it, or reports that there
// is none: the end, or a problem.
func (d *decoder) advance(f *frame) bool {
	switch f.kind {
	case object0, ecma0:
		return d.advanceProps0()
	case object3:
		return d.advanceObject3(f)
	case named3:
		return d.advanceArray3(f)
	case dictionary3:
		return d.advanceDictionary3(f)
	default:
		return d.advanceItems(f)
	}
}

func (d *decoder) advanceItems(f *frame) bool {
	if f.left == 0 {
		return false
	}
	f.left--
	return d.pend("")
}

// close pops the innermost frame and returns the value that it became.
func (d *decoder) close() any {
	f := &d.stack[len(d.stack)-1]
	v := f.build(d.props[f.start:])
	d.props = d.props[:f.start]
	d.stack = d.stack[:len(d.stack)-1]
	e := &(*d.table(f.kind))[f.ref]
	*e = entry{v: v, height: f.height + 1, values: d.values - f.values, bytes: d.bytes - f.bytes}
	d.grow(e.height)
	return v
}

// grow tells the innermost container how tall one of its elements is.
func (d *decoder) grow(height int) {
	if n := len(d.stack); n > 0 {
		d.stack[n-1].height = max(d.stack[n-1].height, height)
	}
}

func (f *frame) build(props []Property) any {
	switch {
	case f.kind == object0 || f.kind == object3:
		return &Object{Class: f.class, Props: cloneProps(props)}
	case f.kind == proxy3:
		return props[0].Value
	case f.kind == ecma0 || f.kind == dictionary3:
		return ECMAArray(cloneProps(props))
	case f.named > 0:
		return numberProps(cloneProps(props), f.named)
	}
	items := make(StrictArray, len(props))
	for i := range props {
		items[i] = props[i].Value
	}
	return items
}

func cloneProps(props []Property) []Property {
	c := make([]Property, len(props))
	copy(c, props)
	return c
}

// numberProps names the elements from index first on by their number.
func numberProps(props ECMAArray, first int) ECMAArray {
	for i := first; i < len(props); i++ {
		props[i].Name = strconv.Itoa(i - first)
	}
	return props
}

// resolve returns the value that a reference names. One to a container that is
// still open would make a value that contains itself, which no RTMP peer has a
// use for, and is refused. What is repeated counts against the limits again,
// so that a tree of references cannot stand for more than may be read.
func (d *decoder) resolve(table []entry, i int) any {
	switch {
	case d.err != nil:
		return nil
	case i >= len(table):
		d.refuse("reference to nothing")
		return nil
	case table[i].open:
		d.refuse("reference to a container from inside it")
		return nil
	}
	e := &table[i]
	if len(d.stack)+e.height > d.lim.Depth {
		d.fail(ErrDepth)
	}
	d.charge(e.values)
	d.repeat(e.bytes)
	d.grow(e.height)
	return e.v
}
