package box

import "github.com/millrace/millrace/core/media"

// Entry is the sample entry, the child of stsd (ISO/IEC 14496-12, 8.5.2), in a
// slice of its own. bitrate is in bits per second; 0: it is not known.
func (c *Codec) Entry(bitrate uint32) []byte {
	dst, at := begin(nil, c.EntryType)
	dst = append(zeros(dst, 6), 0, 1) // data_reference_index
	if c.Kind == media.Video {
		dst = c.appendVisual(dst)
	} else {
		dst = c.appendAudible(dst, bitrate)
	}
	if bitrate > 0 {
		dst = appendBTRT(dst, bitrate)
	}
	return end(dst, at)
}

// appendVisual appends a VisualSampleEntry (12.1.3) with its boxes.
func (c *Codec) appendVisual(dst []byte) []byte {
	dst = zeros(dst, 16)
	dst = u16(u16(dst, uint16(c.Width)), uint16(c.Height))
	dst = u32(u32(dst, 0x480000), 0x480000) // 72 dpi
	dst = u16(zeros(dst, 4), 1)             // frame_count
	dst = zeros(dst, 32)                    // compressorname
	dst = append(dst, 0, 0x18, 0xFF, 0xFF)  // depth; pre_defined = −1
	dst = append(dst, c.ConfigBox...)
	if c.Colour != nil {
		dst = c.Colour.append(dst)
	}
	if !c.PixelAspect.square() {
		var at int
		dst, at = begin(dst, "pasp")
		dst = end(u32(u32(dst, c.PixelAspect.H), c.PixelAspect.V), at)
	}
	return dst
}

// append appends a colr box (12.1.5).
func (c *Colour) append(dst []byte) []byte {
	dst, at := begin(dst, "colr")
	dst = append(dst, "nclx"...)
	dst = u16(u16(u16(dst, c.Primaries), c.Transfer), c.Matrix)
	return end(append(dst, byte(flag(c.FullRange)<<7)), at)
}

// appendAudible appends an AudioSampleEntry (12.2.3) with its boxes. A rate
// that does not fit is 0, as FLAC in ISOBMFF wants it; the decoder's
// configuration has it.
func (c *Codec) appendAudible(dst []byte, bitrate uint32) []byte {
	rate := uint32(c.Rate)
	if rate > 0xFFFF {
		rate = 0
	}
	dst = zeros(dst, 8)
	dst = u16(u16(dst, uint16(c.Channels)), uint16(c.SampleBits))
	dst = u32(zeros(dst, 4), rate<<16)
	if c.ConfigBox == nil {
		return c.appendESDS(dst, bitrate)
	}
	return append(dst, c.ConfigBox...)
}

// appendBTRT appends a BitRateBox (8.5.2.2).
func appendBTRT(dst []byte, bitrate uint32) []byte {
	dst, at := begin(dst, "btrt")
	return end(u32(u32(u32(dst, 0), bitrate), bitrate), at)
}
