package box

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/millrace/millrace/core/media"
)

func samples(n int, change func(i int, s *Sample)) []Sample {
	var out []Sample
	for i := range n {
		s := Sample{Time: int64(i) * 3000, Duration: 3000, Sync: true, Body: []byte{byte(i), 2, 3}}
		change(i, &s)
		out = append(out, s)
	}
	return out
}

// fragmentCases serve the round trip and the fuzz corpus.
var fragmentCases = []struct {
	name string
	frag Fragment
	head int // of the moof, in bytes: what is alike is not written for each
}{
	{"one sample", Fragment{Number: 1, Runs: []Run{{1, media.Video, samples(1, func(int, *Sample) {})}}}, 104},
	{"all alike", Fragment{Number: 2, Runs: []Run{{2, media.Audio, samples(50, func(int, *Sample) {})}}}, 100},
	{"sizes differ", Fragment{Number: 3, Runs: []Run{{2, media.Audio, samples(50, func(i int, s *Sample) { s.Body = make([]byte, i) })}}}, 100 - 4 + 200},
	{"a GOP", Fragment{Number: 4, Runs: []Run{{1, media.Video, samples(50, func(i int, s *Sample) { s.Sync = i == 0 })}}}, 104},
	{"two keyframes", Fragment{Number: 5, Runs: []Run{{1, media.Video, samples(50, func(i int, s *Sample) { s.Sync = i%25 == 0 })}}}, 100 + 200},
	{"B-frames", Fragment{Number: 6, Runs: []Run{{1, media.Video, samples(4, func(i int, s *Sample) { s.Sync = i == 0; s.CTS = int32(i-2) * 3000 })}}}, 104 + 16},
	{"irregular", Fragment{Number: 7, Runs: []Run{{1, media.Video, samples(4, func(i int, s *Sample) { s.Sync = i == 0; s.Duration = uint32(3000 + i) })}}}, 104 - 4 + 16},
	{"far in time", Fragment{Number: 8, Runs: []Run{{1, media.Video, samples(2, func(i int, s *Sample) { s.Time += 1 << 50 })}}}, 0},
	{"video and audio, and a track without samples", Fragment{Number: 9, Wall: time.Unix(1700000000, 0), Runs: []Run{
		{1, media.Video, samples(30, func(i int, s *Sample) { s.Sync = i == 0 })}, {3, media.Audio, nil}, {2, media.Audio, samples(40, func(int, *Sample) {})},
	}}, 0},
}

func TestFragment(t *testing.T) {
	t.Parallel()
	for _, c := range fragmentCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			head := c.frag.AppendHead(nil)
			whole := slices.Concat(c.frag.Buffers(nil, head)...)
			at := bytes.Index(whole, []byte("moof")) - 4
			h, err := ReadHeader(whole[at:])
			if err != nil {
				t.Fatal(err)
			}
			if c.head > 0 && h.Size != int64(c.head) {
				t.Errorf("moof of %d bytes, want %d", h.Size, c.head)
			}
			runs, err := ParseMoof(whole[at+8 : at+int(h.Size)])
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range c.frag.Runs {
				if len(r.Samples) == 0 {
					continue
				}
				compare(t, &r, &runs[0], whole[at:])
				runs = runs[1:]
			}
			if len(runs) > 0 {
				t.Errorf("%d runs too many", len(runs))
			}
			mdat, err := ReadHeader(whole[at+int(h.Size):])
			if err != nil || mdat.Kind != "mdat" || at+int(h.Size+mdat.Size) != len(whole) {
				t.Errorf("%+v, %v, of %d bytes", mdat, err, len(whole))
			}
		})
	}
}

func compare(t *testing.T, want *Run, got *RunInfo, moof []byte) {
	t.Helper()
	if got.Track != want.Track || got.Time != want.Samples[0].Time || len(got.Samples) != len(want.Samples) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	at := got.Offset
	for i, s := range got.Samples {
		w := want.Samples[i]
		if s.Duration != w.Duration || s.CTS != w.CTS || s.Sync != w.Sync || int(s.Size) != len(w.Body) {
			t.Fatalf("sample %d: %+v, want %+v", i, s, w)
		}
		if !bytes.Equal(moof[at:at+int64(s.Size)], w.Body) {
			t.Fatalf("sample %d holds other bytes", i)
		}
		at += int64(s.Size)
	}
}

func FuzzParseMoof(f *testing.F) {
	for _, c := range fragmentCases {
		f.Add(c.frag.AppendHead(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			h, err := ReadHeader(b)
			if err != nil || h.Size > int64(len(b)) {
				return
			}
			if h.Kind == "moof" {
				runs, err := ParseMoof(b[h.Head:h.Size])
				if err != nil && !errors.Is(err, ErrBroken) && !errors.Is(err, ErrShort) {
					t.Errorf("error of no kind: %v", err)
				}
				for i := range runs {
					if runs[i].Bytes() < 0 || runs[i].End() < runs[i].Time {
						t.Errorf("run %+v", runs[i])
					}
				}
			}
			b = b[h.Size:]
		}
	})
}

func FuzzParseInit(f *testing.F) {
	for _, c := range codecCases {
		if codec, err := Parse(c.codec, unhex(f, c.config), unhex(f, c.frame)); err == nil {
			f.Add(Init([]Track{{ID: 1, Codec: codec, Start: 6000}}))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		tracks, err := ParseInit(b)
		if err != nil {
			return
		}
		for _, k := range tracks {
			if k.ID == 0 || k.Timescale == 0 || len(k.Entries) == 0 {
				t.Errorf("track %+v", k)
			}
		}
	})
}

// The head of a fragment is made without allocating.
func TestFragmentAllocs(t *testing.T) {
	frag, head, bufs := secondOf()
	n := testing.AllocsPerRun(100, func() {
		head = frag.AppendHead(head[:0])
		bufs = frag.Buffers(bufs[:0], head)
	})
	if n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func secondOf() (*Fragment, []byte, [][]byte) {
	frag := &Fragment{Number: 1, Wall: time.Unix(1700000000, 0), Runs: []Run{
		{1, media.Video, samples(60, func(i int, s *Sample) { s.Sync = i == 0; s.CTS = 3000; s.Body = make([]byte, 4000+i) })},
		{2, media.Audio, samples(47, func(i int, s *Sample) { s.Body = make([]byte, 300+i) })},
	}}
	head := frag.AppendHead(nil)
	return frag, head, frag.Buffers(nil, head)
}

func BenchmarkFragment(b *testing.B) {
	frag, head, bufs := secondOf()
	b.ReportAllocs()
	for b.Loop() {
		head = frag.AppendHead(head[:0])
		bufs = frag.Buffers(bufs[:0], head)
	}
}
