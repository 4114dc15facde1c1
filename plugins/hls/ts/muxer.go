package ts

// PacketSize is the length of a transport packet in bytes (2.4.3.2).
const PacketSize = 188

// Type is a stream_type (table 2-34).
type Type uint8

// The stream types; None stands for a track that is not there.
const (
	None  Type = 0
	MPEG1 Type = 0x03 // MPEG-1 audio: MP3 of 32 kHz and more
	MPEG2 Type = 0x04 // MPEG-2 audio: MP3 of lower sample rates
	ADTS  Type = 0x0F
	H264  Type = 0x1B
	AC3   Type = 0x81 // ATSC A/53, and what Apple's players want
	EAC3  Type = 0x87
)

// Timing on the 90 kHz clock. Clock references run ahead of DTS by less than
// Offset, so that none is negative.
const (
	Offset   = 90000
	pcrAhead = 45000
	mask33   = 1<<33 - 1
)

const (
	pidPMT   = 0x1000
	pidVideo = 0x100
	pidAudio = 0x101

	streamVideo = 0xE0
	streamAudio = 0xC0
	streamAC3   = 0xBD // private_stream_1 (ATSC A/52, annex A)
)

// Counters are the continuity counters, which go on from segment to segment
// and from process to process.
type Counters struct {
	PAT   uint8 `json:"pat"`
	PMT   uint8 `json:"pmt"`
	Video uint8 `json:"video"`
	Audio uint8 `json:"audio"`
}

// Muxer makes transport packets. It keeps no payload. Use by one goroutine.
type Muxer struct {
	Video, Audio Type
	Counters     Counters
}

// PES is one access unit. Times are on the 90 kHz clock; they may exceed 33
// bits and are cut to them.
type PES struct {
	PTS, DTS int64
	// Random: a decoder can start here.
	Random bool
	// Data is the access unit in pieces; they are read before the call returns.
	Data [][]byte
}

// AppendVideo appends the packets of a video access unit.
func (m *Muxer) AppendVideo(dst []byte, p PES) []byte {
	w := writer{pid: pidVideo, counter: &m.Counters.Video, stream: streamVideo, pcr: true}
	return w.append(dst, p)
}

// AppendAudio appends the packets of an audio frame.
func (m *Muxer) AppendAudio(dst []byte, p PES) []byte {
	w := writer{pid: pidAudio, counter: &m.Counters.Audio, stream: streamAudio, pcr: m.Video == None, sized: true}
	if m.Audio == AC3 || m.Audio == EAC3 {
		w.stream = streamAC3
	}
	return w.append(dst, p)
}

// Size is how many bytes a PES of n bytes of media takes at most: to make room
// at once.
func Size(n int) int { return (n+19+8+PacketSize-5)/(PacketSize-4)*PacketSize + PacketSize }
