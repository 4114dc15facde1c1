package main_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/bluenviron/gortmplib"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"
)

// foreign is a codec as gortmplib, another implementation of Enhanced RTMP,
// publishes and plays it.
type foreign struct {
	codec  string
	track  format.Format
	write  func(w *gortmplib.Writer, track format.Format, pts, dts time.Duration, data []byte) error
	listen func(r *gortmplib.Reader, track format.Format, got func([]byte))
	same   func(data []byte) []byte // what of a sample is to come, nil for all
}

var foreigners = []foreign{
	{
		"hevc", &format.H265{PayloadTyp: 96},
		func(w *gortmplib.Writer, track format.Format, pts, dts time.Duration, data []byte) error {
			return w.WriteH265(track.(*format.H265), pts, dts, splitNALUs(data))
		},
		func(r *gortmplib.Reader, track format.Format, got func([]byte)) {
			r.OnDataH265(track.(*format.H265), func(_, _ time.Duration, au [][]byte) { got(joinNALUs(au)) })
		},
		nil,
	},
	{
		"av1", &format.AV1{PayloadTyp: 96},
		func(w *gortmplib.Writer, track format.Format, pts, _ time.Duration, data []byte) error {
			var tu av1.Bitstream
			if err := tu.Unmarshal(data); err != nil {
				return err
			}
			return w.WriteAV1(track.(*format.AV1), pts, tu)
		},
		func(r *gortmplib.Reader, track format.Format, got func([]byte)) {
			r.OnDataAV1(track.(*format.AV1), func(_ time.Duration, tu [][]byte) { got(joinOBUs(tu)) })
		},
		func(data []byte) []byte {
			var tu av1.Bitstream
			_ = tu.Unmarshal(data)
			return joinOBUs(tu)
		},
	},
	{
		"vp9", &format.VP9{PayloadTyp: 96},
		func(w *gortmplib.Writer, track format.Format, pts, _ time.Duration, data []byte) error {
			return w.WriteVP9(track.(*format.VP9), pts, data)
		},
		func(r *gortmplib.Reader, track format.Format, got func([]byte)) {
			r.OnDataVP9(track.(*format.VP9), func(_ time.Duration, b []byte) { got(b) })
		},
		nil,
	},
	{
		"opus", &format.Opus{PayloadTyp: 96, ChannelCount: 2},
		func(w *gortmplib.Writer, track format.Format, pts, _ time.Duration, data []byte) error {
			return w.WriteOpus(track.(*format.Opus), pts, data)
		},
		func(r *gortmplib.Reader, track format.Format, got func([]byte)) {
			r.OnDataOpus(track.(*format.Opus), func(_ time.Duration, b []byte) { got(b) })
		},
		nil,
	},
	{
		"ac3", &format.AC3{PayloadTyp: 96, SampleRate: 48000, ChannelCount: 2},
		func(w *gortmplib.Writer, track format.Format, pts, _ time.Duration, data []byte) error {
			return w.WriteAC3(track.(*format.AC3), pts, data)
		},
		func(r *gortmplib.Reader, track format.Format, got func([]byte)) {
			r.OnDataAC3(track.(*format.AC3), func(_ time.Duration, b []byte) { got(b) })
		},
		nil,
	},
}

func splitNALUs(b []byte) (all [][]byte) {
	for len(b) >= 4 {
		n := binary.BigEndian.Uint32(b)
		all = append(all, b[4:4+n])
		b = b[4+n:]
	}
	return all
}

func joinNALUs(all [][]byte) (b []byte) {
	for _, nalu := range all {
		b = binary.BigEndian.AppendUint32(b, uint32(len(nalu)))
		b = append(b, nalu...)
	}
	return b
}

// joinOBUs leaves temporal delimiters out: gortmplib adds them.
func joinOBUs(all [][]byte) (b []byte) {
	for _, obu := range all {
		if obu[0]>>3&15 != 2 {
			b = append(b, obu...)
		}
	}
	return b
}

// dialForeign connects gortmplib's client.
func (s *server) dialForeign(t *testing.T, path string, publish bool) *gortmplib.Client {
	t.Helper()
	u, err := url.Parse(s.rtmpURL(path))
	if err != nil {
		t.Fatal(err)
	}
	c := &gortmplib.Client{URL: u, Publish: publish}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.Initialize(ctx); err != nil {
		t.Fatalf("gortmplib on %s: %v", path, err)
	}
	t.Cleanup(c.Close)
	_ = c.NetConn().SetDeadline(time.Now().Add(patience))
	return c
}

// TestForeign has gortmplib publish real codecs, and play what it published:
// from some keyframe on, each unit arrives.
func TestForeign(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	g := together(t)
	defer g.wait()
	for _, c := range foreigners {
		g.run(c.codec, func(t *testing.T) {
			clip := makeClip(t, c.codec)
			path := "live/" + c.codec
			w := &gortmplib.Writer{Conn: srv.dialForeign(t, path, true), Tracks: []format.Format{c.track}}
			if err := w.Initialize(); err != nil {
				t.Fatalf("publish: %v", err)
			}
			failed, joined := make(chan error, 1), make(chan struct{})
			go func() { failed <- c.publish(w, clip, joined) }()
			srv.waitStreamThat(t, path, "has frames", func(i *streamInfo) bool { return i.FramesIn > 5 })
			conn := srv.dialForeign(t, path, false)
			close(joined)
			got := c.play(t, conn, clip)
			if err := <-failed; err != nil {
				t.Fatalf("publish: %v", err)
			}
			if len(got) < 20 {
				t.Fatalf("%d units came", len(got))
			}
			want := clip.samples[len(clip.samples)-len(got):]
			for i := range got {
				if !bytes.Equal(got[i], c.part(want[i].data)) {
					t.Fatalf("unit %d of %d differs", i, len(got))
				}
			}
		})
	}
}

func (c foreign) part(data []byte) []byte {
	if c.same == nil {
		return data
	}
	return c.same(data)
}

// publish writes a clip in real time, most of it once there is a player: a
// player needs some time of the stream to know what is in it.
func (c foreign) publish(w *gortmplib.Writer, clip clip, joined <-chan struct{}) error {
	begin := time.Now()
	for i, s := range clip.samples {
		if i == 10 {
			<-joined
			begin = time.Now().Add(-ms(uint32(s.ts)))
		}
		time.Sleep(time.Until(begin.Add(ms(uint32(s.ts)))))
		if err := c.write(w, c.track, ms(uint32(s.ts+s.cts)), ms(uint32(s.ts)), s.data); err != nil {
			return fmt.Errorf("write the frame at %d ms: %w", s.ts, err)
		}
	}
	return nil
}

// play reads up to the clip's last unit.
func (c foreign) play(t *testing.T, conn *gortmplib.Client, clip clip) (got [][]byte) {
	t.Helper()
	r := &gortmplib.Reader{Conn: conn}
	if err := r.Initialize(); err != nil {
		t.Fatalf("play: %v", err)
	}
	tracks := r.Tracks()
	if len(tracks) != 1 {
		t.Fatalf("tracks %v", tracks)
	}
	c.listen(r, tracks[0], func(b []byte) { got = append(got, slices.Clone(b)) })
	last := c.part(clip.samples[len(clip.samples)-1].data)
	for len(got) == 0 || !bytes.Equal(got[len(got)-1], last) {
		if err := r.Read(); err != nil {
			t.Fatalf("play: %v after %d units", err, len(got))
		}
	}
	return got
}

// TestForeignTracks has gortmplib read all tracks of a stream.
func TestForeignTracks(t *testing.T) {
	t.Parallel()
	srv := startServer(t, nil)
	avc, av1, opus := makeClip(t, "h264"), makeClip(t, "av1"), makeClip(t, "opus")
	tags := interleave(avc.tags(numbered(7)), onTrack(1, av1.tags(enhancedForm)), opus.tags(enhancedForm), onTrack(2, opus.tags(enhancedForm)))
	srv.feed(t, "live/x", tags)
	srv.waitStreamThat(t, "live/x", "has frames", func(i *streamInfo) bool { return i.FramesIn > 20 })
	for query, want := range map[string]string{
		"": "[*format.H264 *format.Opus]", "?vtrack=1&atrack=2": "[*format.AV1 *format.Opus]",
		"?tracks=all": "[*format.H264 *format.AV1 *format.Opus *format.Opus]",
	} {
		r := &gortmplib.Reader{Conn: srv.dialForeign(t, "live/x"+query, false)}
		if err := r.Initialize(); err != nil {
			t.Fatalf("%q: %v", query, err)
		}
		var got []string
		for _, track := range r.Tracks() {
			got = append(got, fmt.Sprintf("%T", track))
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%q: %v, want %s", query, got, want)
		}
	}
}
