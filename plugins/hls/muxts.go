package hls

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/hls/ts"
)

// tsMuxer makes MPEG-TS segments.
type tsMuxer struct {
	state  *muxState
	mux    ts.Muxer
	avc    *ts.AVC
	aac    *ts.AAC
	buf    []byte
	pieces [][]byte
}

var _ muxer = (*tsMuxer)(nil)

// inTS reports whether MPEG-TS has the codec.
func inTS(codec media.FourCC) bool {
	switch codec {
	case media.AVC, media.AAC, media.MP3, media.AC3, media.EAC3:
		return true
	}
	return false
}

func newTSMuxer(state *muxState, video, audio *track) (*tsMuxer, error) {
	m := &tsMuxer{state: state, mux: ts.Muxer{Counters: state.TS}}
	if video != nil {
		avc, err := ts.ParseAVC(video.config)
		if err != nil {
			return nil, fmt.Errorf("read the header of H.264: %w", err)
		}
		m.avc, m.mux.Video = avc, ts.H264
	}
	if audio != nil {
		if err := m.setAudio(audio); err != nil {
			return nil, fmt.Errorf("read the header of AAC: %w", err)
		}
	}
	return m, nil
}

func (m *tsMuxer) setAudio(t *track) (err error) {
	switch t.codec {
	case media.AAC:
		m.mux.Audio = ts.ADTS
		m.aac, err = ts.ParseAAC(t.config)
	case media.MP3:
		m.mux.Audio = ts.MPEGAudio(t.first)
	case media.AC3:
		m.mux.Audio = ts.AC3
	case media.EAC3:
		m.mux.Audio = ts.EAC3
	}
	return err
}

func (m *tsMuxer) ext() string  { return ".ts" }
func (m *tsMuxer) init() []byte { return nil }

func (m *tsMuxer) tables() { m.buf = m.mux.AppendTables(m.buf) }

// clock is a time on the 90 kHz clock.
func clock(f *media.Frame) int64 {
	return f.DTS*90 + int64(f.Nano)*9/1e5 + ts.Offset
}

func (m *tsMuxer) add(f *media.Frame) {
	p := ts.PES{DTS: clock(f), Random: f.Kind == media.Audio || f.Is(media.Keyframe)}
	// PTS is never before DTS (2.4.3.7).
	p.PTS = max(p.DTS, p.DTS+int64(f.CTS)*90)
	if f.Kind == media.Video {
		m.pieces = m.avc.AppendAccessUnit(m.pieces[:0], f.Body(), p.Random)
		p.Data = m.pieces
		m.buf = m.mux.AppendVideo(m.buf, p)
		return
	}
	p.PTS = p.DTS
	m.pieces = m.pieces[:0]
	if m.aac != nil {
		header := m.aac.Frame(len(f.Body()))
		m.pieces = append(m.pieces, header[:])
	}
	m.pieces = append(m.pieces, f.Body())
	p.Data = m.pieces
	m.buf = m.mux.AppendAudio(m.buf, p)
}

func (m *tsMuxer) flush(_ time.Duration, keep bool) [][]byte {
	m.state.TS = m.mux.Counters
	chunk := m.buf
	clear(m.pieces[:cap(m.pieces)])
	if m.buf = m.buf[:0]; keep {
		m.buf = make([]byte, 0, len(chunk)+len(chunk)/8)
	}
	if len(chunk) == 0 {
		return nil
	}
	return [][]byte{chunk}
}
