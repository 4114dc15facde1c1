package ts

import "encoding/binary"

// TablesSize is what AppendTables appends, in bytes.
const TablesSize = 2 * PacketSize

// AppendTables appends the PAT (2.4.4.3) and the PMT (2.4.4.8), from which a
// decoder can start. They go before every segment and every part.
func (m *Muxer) AppendTables(dst []byte) []byte {
	dst = appendSection(dst, 0, &m.Counters.PAT, patSection())
	return appendSection(dst, pidPMT, &m.Counters.PMT, m.pmtSection())
}

// patSection names program 1 and where its map is.
func patSection() []byte {
	b := []byte{0x00, 0xB0, 0, 0, 1, 0xC1, 0, 0, 0, 1, 0xE0 | pidPMT>>8, pidPMT & 0xFF}
	return seal(b)
}

func (m *Muxer) pmtSection() []byte {
	clock := uint16(pidVideo)
	if m.Video == None {
		clock = pidAudio
	}
	b := []byte{0x02, 0xB0, 0, 0, 1, 0xC1, 0, 0, 0xE0 | byte(clock>>8), byte(clock), 0xF0, 0}
	if m.Video != None {
		b = appendTrack(b, m.Video, pidVideo)
	}
	if m.Audio != None {
		b = appendTrack(b, m.Audio, pidAudio)
	}
	return seal(b)
}

func appendTrack(b []byte, t Type, pid uint16) []byte {
	registration := ""
	switch t {
	case AC3:
		registration = "AC-3"
	case EAC3:
		registration = "EAC3"
	}
	b = append(b, byte(t), 0xE0|byte(pid>>8), byte(pid), 0xF0)
	if registration == "" {
		return append(b, 0)
	}
	b = append(b, 6, 5, 4) // registration_descriptor (2.6.8)
	return append(b, registration...)
}

// seal sets section_length and appends the checksum.
func seal(b []byte) []byte {
	n := len(b) - 3 + 4
	b[1], b[2] = 0xB0|byte(n>>8), byte(n)
	return binary.BigEndian.AppendUint32(b, checksum(b))
}

// checksum is the CRC of sections (annex A): polynomial 0x04C11DB7, not
// reflected.
func checksum(b []byte) uint32 {
	crc := ^uint32(0)
	for _, x := range b {
		crc ^= uint32(x) << 24
		for range 8 {
			top := crc >> 31
			crc = crc<<1 ^ top*0x04C11DB7
		}
	}
	return crc
}

// appendSection appends a packet with one section in it.
func appendSection(dst []byte, pid uint16, counter *uint8, section []byte) []byte {
	dst = append(dst, 0x47, 0x40|byte(pid>>8), byte(pid), 0x10|*counter&15, 0)
	*counter++
	dst = append(dst, section...)
	for range PacketSize - 5 - len(section) {
		dst = append(dst, 0xFF)
	}
	return dst
}
