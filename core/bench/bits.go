package bench

import "math/bits"

// bitWriter writes the bit strings of ITU-T H.264, section 7.2.
type bitWriter struct {
	b    []byte
	free int // bits of the last byte that are still free
}

// u appends the n low bits of v: u(n).
func (w *bitWriter) u(n int, v uint32) {
	for n--; n >= 0; n-- {
		if w.free == 0 {
			w.b, w.free = append(w.b, 0), 8
		}
		w.free--
		w.b[len(w.b)-1] |= byte(v>>n&1) << w.free
	}
}

// ue appends v as an Exp-Golomb code, section 9.1.
func (w *bitWriter) ue(v uint32) {
	n := bits.Len32(v + 1)
	w.u(n-1, 0)
	w.u(n, v+1)
}

// trailing appends rbsp_trailing_bits, section 7.3.2.11.
func (w *bitWriter) trailing() []byte {
	w.u(1, 1)
	w.free = 0
	return w.b
}

// field is one syntax element: u(bits), or an Exp-Golomb code if bits is 0.
type field struct {
	bits  int
	value uint32
}

// rbsp writes the payload of a NAL unit.
func rbsp(fields ...[]field) []byte {
	var w bitWriter
	for _, list := range fields {
		for _, f := range list {
			if f.bits == 0 {
				w.ue(f.value)
			} else {
				w.u(f.bits, f.value)
			}
		}
	}
	return w.trailing()
}
