package hls

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/fmp4/box"
)

// Track numbers of init segments.
const (
	videoTrack = 1
	audioTrack = 2
)

// fmp4Muxer makes fragmented MP4 segments: a fragment per chunk.
type fmp4Muxer struct {
	state        *muxState
	video, audio *box.Codec
	runs         [2]box.Run
	interval     int64 // of the last two video frames, in ticks
	head         []byte
	bufs         [][]byte
}

var _ muxer = (*fmp4Muxer)(nil)

// newFMP4Muxer begins with clocks whose time 0 is origin in ms, unless state
// has clocks that go on.
func newFMP4Muxer(state *muxState, video, audio *track, origin int64) (*fmp4Muxer, error) {
	m := &fmp4Muxer{state: state, interval: box.VideoTimescale / 25}
	var err error
	if video != nil {
		if m.video, err = video.parse(); err != nil {
			return nil, fmt.Errorf("read video parameters: %w", err)
		}
		goOn(&state.Video, m.video, origin)
		m.runs[0] = box.Run{Track: videoTrack, Kind: media.Video}
	}
	if audio != nil {
		if m.audio, err = audio.parse(); err != nil {
			return nil, fmt.Errorf("read audio parameters: %w", err)
		}
		goOn(&state.Audio, m.audio, origin)
		m.runs[1] = box.Run{Track: audioTrack, Kind: media.Audio}
	}
	return m, nil
}

// goOn keeps a clock that fits the codec.
func goOn(c *box.Clock, codec *box.Codec, origin int64) {
	if c.Scale != int64(codec.Timescale()) {
		*c = box.NewClock(codec, origin)
	}
}

func (m *fmp4Muxer) ext() string { return ".m4s" }

func (m *fmp4Muxer) init() []byte {
	var tracks []box.Track
	if m.video != nil {
		tracks = append(tracks, box.Track{ID: videoTrack, Codec: m.video})
	}
	if m.audio != nil {
		tracks = append(tracks, box.Track{ID: audioTrack, Codec: m.audio})
	}
	return box.Init(tracks)
}

func (m *fmp4Muxer) tables() {}

func (m *fmp4Muxer) add(f *media.Frame) {
	if f.Kind == media.Audio {
		body := m.audio.SampleBody(f.Body())
		m.runs[1].Samples = append(m.runs[1].Samples, box.Sample{
			Time: m.state.Audio.Time(f.DTS, f.Nano, m.audio.Samples(body)), Sync: true, Body: body,
		})
		return
	}
	last, started := m.state.Video.Last, m.state.Video.Started
	t := m.state.Video.Time(f.DTS, f.Nano, 0)
	if started {
		m.interval = t - last
	}
	m.runs[0].Samples = append(m.runs[0].Samples, box.Sample{
		Time: t, CTS: int32(int64(f.CTS) * box.VideoTimescale / 1000), Sync: f.Is(media.Keyframe), Body: m.video.SampleBody(f.Body()),
	})
}

func (m *fmp4Muxer) flush(next time.Duration, keep bool) [][]byte {
	video, audio := m.runs[0].Samples, m.runs[1].Samples
	if len(video) == 0 && len(audio) == 0 {
		return nil
	}
	if len(video) > 0 {
		box.Durations(video, max(m.videoEnd(next), video[len(video)-1].Time+1))
	}
	if len(audio) > 0 {
		box.Durations(audio, m.state.Audio.Next)
	}
	m.state.Fragment++
	f := box.Fragment{Number: m.state.Fragment, Runs: m.runs[:]}
	m.head = f.AppendHead(m.head[:0])
	chunk := f.Buffers(m.bufs[:0], m.head)
	if keep {
		chunk = [][]byte{join(chunk)}
		clear(m.bufs[:cap(m.bufs)])
	} else {
		m.bufs = chunk
	}
	for i := range m.runs {
		clear(m.runs[i].Samples)
		m.runs[i].Samples = m.runs[i].Samples[:0]
	}
	return chunk
}

// videoEnd is where the last frame ends, in ticks: where the next begins, if
// that is told by the leading track.
func (m *fmp4Muxer) videoEnd(next time.Duration) int64 {
	last := m.runs[0].Samples[len(m.runs[0].Samples)-1].Time
	if next <= 0 {
		return last + m.interval
	}
	return m.state.Video.Ticks(next.Milliseconds(), uint32(next%time.Millisecond))
}

// join copies pieces into one.
func join(pieces [][]byte) []byte {
	n := 0
	for _, p := range pieces {
		n += len(p)
	}
	b := make([]byte, 0, n)
	for _, p := range pieces {
		b = append(b, p...)
	}
	return b
}
