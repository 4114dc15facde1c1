package ts

// AAC makes ADTS frames (ISO/IEC 14496-3, 1.A.3.2) of raw AAC frames.
type AAC struct {
	header [7]byte
}

var rates = [...]int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

// Object types (ISO/IEC 14496-3, table 1.17).
const (
	objectSBR = 5
	objectPS  = 29
)

// ParseAAC reads an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1).
func ParseAAC(b []byte) (*AAC, error) {
	r := bits{b: b}
	object := r.object()
	index, rate := r.frequency()
	channels := r.read(4)
	if object == objectSBR || object == objectPS {
		r.frequency() // that of the extension; ADTS has that of the core
		object = r.object()
	}
	if r.short || rate == 0 || object == 0 {
		return nil, ErrASC
	}
	// ADTS has two bits for the profile. What they cannot say is sent as LC.
	profile := byte(1)
	if object <= 4 {
		profile = byte(object - 1)
	}
	return &AAC{header: [7]byte{0xFF, 0xF1, profile<<6 | byte(index)<<2 | byte(channels>>2&1), byte(channels << 6), 0, 0x1F, 0xFC}}, nil
}

// Frame returns the ADTS header of a frame of n bytes.
func (a *AAC) Frame(n int) [7]byte {
	h := a.header
	n += len(h)
	h[3] |= byte(n >> 11 & 3)
	h[4] = byte(n >> 3)
	h[5] |= byte(n << 5)
	return h
}

// bits reads from the most significant bit on; past the end it gives zeros.
type bits struct {
	b     []byte
	at    int
	short bool
}

func (r *bits) read(n int) int {
	v := 0
	for range n {
		v <<= 1
		if r.at/8 >= len(r.b) {
			r.short = true
			continue
		}
		v |= int(r.b[r.at/8]>>(7-r.at%8)) & 1
		r.at++
	}
	return v
}

func (r *bits) object() int {
	if o := r.read(5); o != 31 {
		return o
	}
	return 32 + r.read(6)
}

// frequency reads a sample rate and its index in ADTS: for one that has none,
// that of the nearest.
func (r *bits) frequency() (index, rate int) {
	index = r.read(4)
	if index < len(rates) {
		return index, rates[index]
	}
	if index != 15 {
		return 0, 0
	}
	index, rate = 0, r.read(24)
	for i, x := range rates {
		if abs(x-rate) < abs(rates[index]-rate) {
			index = i
		}
	}
	return index, rate
}

func abs(n int) int { return max(n, -n) }

// MPEGAudio tells the stream type of an MP3 frame: MPEG-1 has the high sample
// rates, MPEG-2 and 2.5 the low ones (ISO/IEC 11172-3, 2.4.2.3).
func MPEGAudio(frame []byte) Type {
	if len(frame) > 1 && frame[1]>>3&3 != 3 {
		return MPEG2
	}
	return MPEG1
}
