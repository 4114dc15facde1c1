package ts

import "slices"

// writer lays one PES packet (2.4.3.6) out over transport packets (2.4.3.2).
type writer struct {
	pid     uint16
	counter *uint8
	stream  byte
	pcr     bool // every access unit carries a clock reference
	sized   bool // PES_packet_length is required (all but video)

	data [][]byte
	left int // bytes of the PES that are not written yet, its header included
}

func (w *writer) append(dst []byte, p PES) []byte {
	w.data, w.left = p.Data, 0
	for _, d := range p.Data {
		w.left += len(d)
	}
	var buf [19]byte
	header := w.header(buf[:0], p)
	dst = slices.Grow(dst, Size(w.left))
	w.left += len(header)
	dst = w.first(dst, p, header)
	for w.left > 0 {
		dst = w.next(dst)
	}
	return dst
}

// header makes the PES header.
func (w *writer) header(b []byte, p PES) []byte {
	pts, dts := p.PTS&mask33, p.DTS&mask33
	optional, flags := 5, byte(0x80)
	if pts != dts {
		optional, flags = 10, 0xC0
	}
	length := 3 + optional + w.left
	if length > 0xFFFF || !w.sized {
		length = 0 // allowed for video only, which is where it happens
	}
	b = append(b, 0, 0, 1, w.stream, byte(length>>8), byte(length), 0x80|0x04, flags, byte(optional))
	if pts == dts {
		return appendTime(b, 2, pts)
	}
	return appendTime(appendTime(b, 3, pts), 1, dts)
}

// appendTime appends a time stamp of 33 bits behind its 4-bit prefix.
func appendTime(b []byte, prefix byte, t int64) []byte {
	return append(b, prefix<<4|byte(t>>29)&0x0E|1,
		byte(t>>22), byte(t>>14)|1, byte(t>>7), byte(t<<1)|1)
}

// first appends the packet in which the PES starts.
func (w *writer) first(dst []byte, p PES, header []byte) []byte {
	var buf [8]byte
	field := adaptation(buf[:0], p, w.pcr)
	dst = w.packet(dst, 0x40, field)
	return w.fill(append(dst, header...), w.room(len(field))-len(header), len(header))
}

// next appends a packet that goes on with it.
func (w *writer) next(dst []byte) []byte {
	dst = w.packet(dst, 0, nil)
	return w.fill(dst, w.room(0), 0)
}

// adaptation makes the adaptation field without its length: flags and, where
// the track is the program's clock, a reference (2.4.3.4).
func adaptation(b []byte, p PES, pcr bool) []byte {
	if !p.Random && !pcr {
		return nil
	}
	var flags byte
	if p.Random {
		flags = 0x40
	}
	if !pcr {
		return append(b, flags)
	}
	t := (p.DTS - pcrAhead) & mask33
	return append(b, flags|0x10, byte(t>>25), byte(t>>17), byte(t>>9), byte(t>>1), byte(t<<7)|0x7E, 0)
}

// packet appends a packet's header and adaptation field, which is stuffed when
// what is left does not fill the packet.
func (w *writer) packet(dst []byte, start byte, field []byte) []byte {
	stuffing := w.stuffing(len(field))
	control := byte(0x10)
	if len(field) > 0 || stuffing > 0 {
		control = 0x30
	}
	dst = append(dst, 0x47, start|byte(w.pid>>8), byte(w.pid), control|*w.counter&15)
	*w.counter++
	if control == 0x10 {
		return dst
	}
	return w.stuff(dst, field, stuffing)
}

// stuff appends the adaptation field and n bytes that fill the packet, of
// which the first two are the field's own length and flags if it has none.
func (w *writer) stuff(dst, field []byte, n int) []byte {
	if len(field) > 0 {
		dst = append(append(dst, byte(len(field)+n)), field...)
	} else {
		dst = append(dst, byte(n-1))
		if n--; n > 0 {
			dst = append(dst, 0)
			n--
		}
	}
	for range n {
		dst = append(dst, 0xFF)
	}
	return dst
}

// room is what a packet with this adaptation field and its stuffing holds.
func (w *writer) room(field int) int {
	if field > 0 {
		field++
	}
	return min(w.left, PacketSize-4-field)
}

func (w *writer) stuffing(field int) int {
	if field > 0 {
		field++
	}
	return max(0, PacketSize-4-field-w.left)
}

// fill appends n bytes of data; written is how many bytes of the PES are in
// the packet already.
func (w *writer) fill(dst []byte, n, written int) []byte {
	w.left -= n + written
	for n > 0 {
		d := w.data[0]
		k := min(n, len(d))
		dst = append(dst, d[:k]...)
		if w.data[0] = d[k:]; k == len(d) {
			w.data = w.data[1:]
		}
		n -= k
	}
	return dst
}
