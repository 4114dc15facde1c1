package amf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Decode0 decodes one AMF0 value and returns how many bytes it took. AMF0's
// avmplus marker switches to AMF3 for the value behind it. b ought to be a
// whole message: if it ends where the next property of an outermost object or
// ECMA array would start, the end marker is taken as given, because some
// encoders leave it out at the end of onMetaData (librtmp accepts that too).
func Decode0(b []byte, lim Limits) (v any, n int, err error) { return decodeOne(b, lim, false) }

// Decode3 decodes one AMF3 value and returns how many bytes it took.
func Decode3(b []byte, lim Limits) (v any, n int, err error) { return decodeOne(b, lim, true) }

// DecodeAll0 decodes AMF0 values as [Decode0] does until the end of b; one set
// of limits and reference tables serves them all. The values before an error
// are returned with it.
func DecodeAll0(b []byte, lim Limits) ([]any, error) { return decodeAll(b, lim, false) }

// DecodeAll3 decodes AMF3 values until the end of b; one set of limits and
// reference tables serves them all. The values before an error are returned
// with it.
func DecodeAll3(b []byte, lim Limits) ([]any, error) { return decodeAll(b, lim, true) }

func decodeOne(b []byte, lim Limits, amf3 bool) (any, int, error) {
	d := decoder{b: b, lim: lim.withDefaults()}
	v := d.value(amf3)
	if d.err != nil {
		return nil, 0, d.err
	}
	return v, d.off, nil
}

func decodeAll(b []byte, lim Limits, amf3 bool) ([]any, error) {
	d := decoder{b: b, lim: lim.withDefaults()}
	var all []any
	for d.off < len(b) {
		v := d.value(amf3)
		if d.err != nil {
			return all, d.err
		}
		all = append(all, v)
	}
	return all, nil
}

// decoder reads values. The first problem stays in err, and from then on
// reads yield zeros: callers look at err where they loop or branch.
type decoder struct {
	b   []byte
	off int
	lim Limits
	err error

	stack []frame    // the containers that are open, outermost first
	props []Property // their elements so far, those of the innermost last

	values   int // so far, see Limits.Values
	bytes    int // of names, strings and byte arrays so far
	repeated int // bytes of those that came by reference

	refs0   []entry
	refs3   []entry
	strings []string
	traits  []traits
}

// value reads one value and all that is in it.
func (d *decoder) value(amf3 bool) any {
	v, done := d.begin(amf3)
	for d.err == nil {
		if done && len(d.stack) == 0 {
			return v
		}
		if done {
			d.props[len(d.props)-1].Value = v
		}
		v, done = d.step()
	}
	return nil
}

// step takes the innermost container one value further, or closes it.
func (d *decoder) step() (v any, done bool) {
	f := &d.stack[len(d.stack)-1]
	if d.advance(f) {
		return d.begin(f.kind >= object3)
	}
	if d.err != nil {
		return nil, false
	}
	return d.close(), true
}

// begin reads a value, or the head of a container, in which case a frame was
// pushed and done is false.
func (d *decoder) begin(amf3 bool) (v any, done bool) {
	if !d.charge(1) {
		return nil, false
	}
	if amf3 {
		return d.begin3()
	}
	return d.begin0()
}

// charge counts values before they are read.
func (d *decoder) charge(n int) bool {
	if d.err == nil && n > d.lim.Values-d.values {
		d.fail(ErrValues)
	}
	d.values += n
	return d.err == nil
}

// repeat counts bytes that a reference repeats.
func (d *decoder) repeat(n int) {
	if d.err == nil && n > d.lim.Bytes-d.repeated {
		d.fail(ErrBytes)
		return
	}
	d.repeated += n
	d.bytes += n
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = fmt.Errorf("decode amf at offset %d: %w", d.off, err)
	}
}

// refuse reports a syntax error in the byte that was read last.
func (d *decoder) refuse(problem string) {
	if d.err == nil {
		d.err = &SyntaxError{Offset: max(d.off-1, 0), Problem: problem}
	}
}

// next returns the next n bytes of the input, or nil if they are not there.
func (d *decoder) next(n int) []byte {
	if d.err != nil {
		return nil
	}
	if n < 0 || n > len(d.b)-d.off { // below 0: a 32 bit length where int has 32 bits
		d.fail(ErrShort)
		return nil
	}
	d.off += n
	return d.b[d.off-n : d.off]
}

// text returns the next n bytes of the input as a string.
func (d *decoder) text(n int) string {
	b := d.next(n)
	d.bytes += len(b)
	return string(b)
}

func (d *decoder) u8() byte {
	if b := d.next(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) u16() uint16 {
	if b := d.next(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) u32() uint32 {
	if b := d.next(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) f64() float64 {
	if b := d.next(8); b != nil {
		return math.Float64frombits(binary.BigEndian.Uint64(b))
	}
	return 0
}
