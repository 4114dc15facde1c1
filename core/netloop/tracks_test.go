package netloop

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp/chunk"
)

// sized is a part of a Multitrack message of several tracks.
func sized(track byte, body string) string {
	return string([]byte{track, 0, 0, byte(len(body))}) + body
}

// trackMessages are a stream of two tracks of each medium, as it is published:
// AVC and Opus on track 0, AV1 and Opus on track 1.
var trackMessages = []unit{
	{media.Video, 0, "\x17\x00\x00\x00\x00avcC"},
	{media.Video, 0, "\x96\x00av01\x01av1C"},
	{media.Audio, 0, "\x95\x10Opus" + sized(0, "head0") + sized(1, "head1")},
	{media.Video, 0, "\x94avc1colour"},
	{media.Video, 0, "\x17\x01\x00\x00\x00key0"},
	{media.Video, 0, "\xA6\x01av01\x01early"},
	{media.Audio, 0, "\x95\x11Opus" + sized(0, "s0") + sized(1, "t0")},
	{media.Video, 10, "\x97\x02\x00\x00\x07\x06\x01av01\x01key1"},
	{media.Video, 40, "\x27\x01\x00\x00\x28inter0"},
	{media.Video, 50, "\xA6\x01av01\x01inter1"},
	{media.Audio, 60, "\x95\x21Opus" + sized(0, "s1") + "Opus" + sized(1, "t1")},
}

const trackFrames = 14 // parts of trackMessages

func plainVideo(ts uint32, data string) unit { return unit{media.Video, ts, data} }
func plainAudio(ts uint32, data string) unit { return unit{media.Audio, ts, data} }

// trackViews are what newcomers get, by what they ask for.
var trackViews = map[string][]unit{
	"": {
		plainVideo(0, "\x17\x00\x00\x00\x00avcC"), plainAudio(0, "\x90Opushead0"),
		plainVideo(0, "\x17\x01\x00\x00\x00key0"), plainAudio(0, "\x91Opuss0"),
		plainVideo(40, "\x27\x01\x00\x00\x28inter0"), plainAudio(60, "\x91Opuss1"),
	},
	"vtrack=1": {
		plainAudio(0, "\x90Opushead0"), plainVideo(0, "\x90av01av1C"),
		plainAudio(0, "\x91Opuss0"), plainVideo(10, "\x91av01key1"),
		plainVideo(50, "\xA1av01inter1"), plainAudio(60, "\x91Opuss1"),
	},
	"vtrack=0&atrack=1": {
		plainVideo(0, "\x17\x00\x00\x00\x00avcC"), plainAudio(0, "\x90Opushead1"),
		plainVideo(0, "\x17\x01\x00\x00\x00key0"), plainAudio(0, "\x91Opust0"),
		plainVideo(40, "\x27\x01\x00\x00\x28inter0"), plainAudio(60, "\x91Opust1"),
	},
	"vtrack=1&audio=0": {
		plainVideo(10, "\x90av01av1C"), plainVideo(10, "\x91av01key1"), plainVideo(50, "\xA1av01inter1"),
	},
	"tracks=all": {
		plainVideo(0, "\x17\x00\x00\x00\x00avcC"), plainAudio(0, "\x90Opushead0"),
		plainVideo(0, "\x96\x00av01\x01av1C"), plainAudio(0, "\x95\x00Opus\x01head1"), plainVideo(0, "\x94avc1colour"),
		plainVideo(0, "\x17\x01\x00\x00\x00key0"), plainAudio(0, "\x91Opuss0"), plainAudio(0, "\x95\x01Opus\x01t0"),
		plainVideo(10, "\x97\x02\x00\x00\x07\x06\x01av01\x01key1"), plainVideo(40, "\x27\x01\x00\x00\x28inter0"),
		plainVideo(50, "\xA6\x01av01\x01inter1"), plainAudio(60, "\x91Opuss1"), plainAudio(60, "\x95\x01Opus\x01t1"),
	},
}

// watchWith starts a viewer with URL parameters.
func (r *rig) watchWith(how transport, path, query string) *tape {
	r.t.Helper()
	if query == "" {
		return r.watch(how, manner{}, path)
	}
	if how == rtmpIn {
		return r.play(manner{}, path+"?"+query, 1)
	}
	request := strings.Replace(how.request(path), ".flv", ".flv?"+query, 1)
	c, in, status, _ := r.get(manner{}, request)
	if !strings.Contains(status, " 200 ") && !strings.Contains(status, " 101 ") {
		r.t.Fatalf("answer %q", status)
	}
	return record(r.t, c, how.source(in))
}

// sendAll publishes messages.
func (p *tape) sendAll(messages []unit) {
	p.t.Helper()
	var out []byte
	for _, u := range messages {
		out = chunk.AppendMessage(out, uint32(u.kind.ChunkStream()), uint8(u.kind), 1, u.ts, []byte(u.data), 128)
	}
	p.send(out)
}

// TestTracks has newcomers to a stream of several tracks get those that they
// ask for, with their sequence headers.
func TestTracks(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		r := newRig(t)
		p := r.publishing("live/a")
		p.sendAll(trackMessages)
		eventually(t, "all frames are in", func() bool {
			return r.streams.Lookup(parseKey("live/a")).Counters().FramesIn.Load() == trackFrames
		})
		all := map[string]*tape{}
		for query := range trackViews {
			all[query] = r.watchWith(how, "live/a", query)
		}
		r.waitViewers(len(all))
		p.send(command(0, 9, "deleteStream", nil, 1))
		for query, v := range all {
			v.cleanEnd()
			got := slices.DeleteFunc(slices.Clone(v.got()), func(u unit) bool { return u.kind == media.Data })
			if want := trackViews[query]; !slices.Equal(got, want) {
				t.Errorf("%q got\n%s, want\n%s", query, dump(got), dump(want))
			}
		}
	})
}

// TestTracksFromTheStart has viewers that were there before: nothing is left
// out for them, and all viewers see changed headers once.
func TestTracksFromTheStart(t *testing.T) {
	t.Parallel()
	testEach(t, func(t *testing.T, how transport) {
		r := newRig(t)
		p := r.publishing("live/a")
		everything := r.watchWith(how, "live/a", "tracks=all")
		plain := r.watchWith(how, "live/a", "")
		r.waitViewers(2)
		p.sendAll(trackMessages)
		p.sendAll([]unit{ // repeated headers are not news, another one is
			{media.Video, 100, "\x96\x00av01\x01av1C"},
			{media.Video, 100, "\x96\x00av01\x01AV1C"},
			{media.Video, 100, "\x94avc1COLOUR"},
			{media.Video, 100, "\x27\x01\x00\x00\x00last"},
		})
		p.send(command(0, 9, "deleteStream", nil, 1))
		everything.cleanEnd()
		plain.cleanEnd()
		count := map[string]int{}
		for _, u := range everything.got() {
			count[u.data]++
		}
		for _, once := range []string{
			"\x17\x00\x00\x00\x00avcC", "\x96\x00av01\x01av1C", "\x96\x00av01\x01AV1C", "\x95\x00Opus\x01head1",
			"\x94avc1colour", "\x94avc1COLOUR", "\x90Opushead0", "\x27\x01\x00\x00\x00last", "\x17\x01\x00\x00\x00key0",
		} {
			if count[once] != 1 {
				t.Errorf("%q came %d times", once, count[once])
			}
		}
		for _, u := range plain.got() {
			if u.kind == media.Video && u.data[0]&0x80 != 0 || u.kind == media.Audio && u.data[0]&15 > 1 && u.data[0]>>4 == 9 {
				t.Errorf("a plain viewer got %q", u.data)
			}
		}
	})
}

// TestTracksByOtherNames has the first track that comes be the default one,
// whatever its number. Viewers of all tracks are told which it is.
func TestTracksByOtherNames(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.publishing("live/a")
	p.sendAll([]unit{
		{media.Video, 0, "\x96\x01av01\x05key5"},
		{media.Video, 0, "\x12legacy"}, // on track 0
		{media.Video, 40, "\xA6\x01av01\x05inter5"},
	})
	eventually(t, "all frames are in", func() bool {
		return r.streams.Lookup(parseKey("live/a")).Counters().FramesIn.Load() == 3
	})
	plain, all, zero := r.play(manner{}, "live/a", 1), r.play(manner{}, "live/a?tracks=all", 1), r.play(manner{}, "live/a?vtrack=0", 1)
	r.waitViewers(3)
	p.send(command(0, 9, "deleteStream", nil, 1))
	for v, want := range map[*tape][]string{
		plain: {"\x91av01key5", "\xA1av01inter5"},
		all:   {"\x96\x01av01\x05key5", "\x12legacy", "\xA6\x01av01\x05inter5"},
		zero:  {"\x12legacy"},
	} {
		v.cleanEnd()
		var got []string
		for _, u := range v.got() {
			if u.kind == media.Video {
				got = append(got, u.data)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestTooManyTracks has a publisher name more of them than can be remembered:
// the stream goes on.
func TestTooManyTracks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.publishing("live/a")
	messages := []unit{{media.Audio, 0, "\x90Opushead"}}
	for track := range 256 {
		messages = append(messages, unit{media.Audio, 0, "\x95\x00Opus" + string([]byte{byte(track)}) + "head"})
	}
	messages = append(messages, unit{media.Audio, 0, "\x91Opusraw"})
	p.sendAll(messages)
	s := r.streams.Lookup(parseKey("live/a"))
	eventually(t, "all frames are in", func() bool { return s.Counters().FramesIn.Load() == uint64(len(messages)) })
	if n := len(s.State().Others); n == 0 || n > 64 {
		t.Errorf("%d sequence headers of other tracks", n)
	}
	v := r.play(manner{}, "live/a?tracks=all", 1)
	v.waitFor(unit{media.Audio, 0, "\x91Opusraw"})
}

// hvcC begins a HEVC configuration that x265 made.
const hvcC = "\x01\x01\x60\x00\x00\x00\x90\x00\x00\x00\x00\x00\x1e\xf0\x00\xfc\xfd\xf8\xf8\x00\x00\x0f\x04"

// TestHEVCByOtherNames takes HEVC under the numbers that old encoders give it.
func TestHEVCByOtherNames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ sent, want []string }{
		"labelled AVC": {
			[]string{"\x17\x00\x00\x00\x00" + hvcC, "\x17\x01\x00\x00\x00key", "\x27\x01\x00\x00\x28inter", "\x27\x01\xFF\xFF\xFFless"},
			[]string{"\x90hvc1" + hvcC, "\x93hvc1key", "\xA1hvc1\x00\x00\x28inter", "\xA1hvc1\xFF\xFF\xFFless"},
		},
		"codec id 12": {
			[]string{"\x1C\x00\x00\x00\x00" + hvcC, "\x1C\x01\x00\x00\x00key", "\x2C\x01\x00\x00\x28inter"},
			[]string{"\x1C\x00\x00\x00\x00" + hvcC, "\x1C\x01\x00\x00\x00key", "\x2C\x01\x00\x00\x28inter"},
		},
		"FourCC": {
			[]string{"\x90hvc1" + hvcC, "\x91hvc1\x00\x00\x00key", "\xA1hvc1\x00\x00\x28inter"},
			[]string{"\x90hvc1" + hvcC, "\x93hvc1key", "\xA1hvc1\x00\x00\x28inter"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			p := r.publishing("live/a")
			var messages []unit
			for i, data := range c.sent {
				messages = append(messages, unit{media.Video, uint32(i), data})
			}
			p.sendAll(messages)
			v := r.watch(chunked, manner{}, "live/a")
			v.waitFor(unit{media.Video, uint32(len(c.sent) - 1), c.want[len(c.want)-1]})
			var got []string
			for _, u := range v.got() {
				if u.kind == media.Video {
					got = append(got, u.data)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if codec := r.streams.Lookup(parseKey("live/a")).State().VideoCodec.String(); codec != "hevc" {
				t.Errorf("the codec is %q", codec)
			}
		})
	}
}

func dump(units []unit) string {
	var b strings.Builder
	for _, u := range units {
		fmt.Fprintf(&b, "%d %s %q\n", u.ts, u.kind, u.data)
	}
	return b.String()
}
