package chunk

import "encoding/binary"

// AppendMessage appends a message in chunks of chunkSize bytes: a type 0
// chunk, then type 3 chunks. The timestamp is in ms. One that needs the
// extended field has it in every chunk, since ffmpeg and rtmpdump wait for it
// and GStreamer compares.
func AppendMessage(dst []byte, csid uint32, typ uint8, streamID, timestamp uint32, payload []byte, chunkSize int) []byte {
	dst = AppendHeader0(dst, csid, typ, streamID, timestamp, len(payload))
	for len(payload) > chunkSize {
		dst = append(dst, payload[:chunkSize]...)
		payload = payload[chunkSize:]
		dst = AppendHeader3(dst, csid, timestamp)
	}
	return append(dst, payload...)
}

// AppendHeader0 appends the type 0 header of a message of length bytes at an
// absolute timestamp in ms (section 5.3.1.2.1). csid is 2 to 65,599.
func AppendHeader0(dst []byte, csid uint32, typ uint8, streamID, timestamp uint32, length int) []byte {
	dst = appendBasic(dst, 0, csid)
	field := min(timestamp, extended)
	dst = append(dst, byte(field>>16), byte(field>>8), byte(field),
		byte(length>>16), byte(length>>8), byte(length), typ)
	dst = binary.LittleEndian.AppendUint32(dst, streamID)
	return appendExtended(dst, timestamp)
}

// AppendHeader3 appends the type 3 header of a chunk that continues a message
// which began with a type 0 header at that timestamp in ms.
func AppendHeader3(dst []byte, csid, timestamp uint32) []byte {
	return appendExtended(appendBasic(dst, 3, csid), timestamp)
}

// appendBasic appends a basic header in its shortest form (section 5.3.1.1).
func appendBasic(dst []byte, format uint8, csid uint32) []byte {
	format <<= 6
	switch {
	case csid < 64:
		return append(dst, format|byte(csid))
	case csid < 64+256:
		return append(dst, format, byte(csid-64))
	}
	return append(dst, format|1, byte(csid-64), byte((csid-64)>>8))
}

func appendExtended(dst []byte, timestamp uint32) []byte {
	if timestamp < extended {
		return dst
	}
	return binary.BigEndian.AppendUint32(dst, timestamp)
}
