package flvrecorder

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/plugintest"
)

// someTags is an FLV file of a keyframe, a large inter frame, sound and data.
func someTags() []byte {
	b := flv.AppendFileHeader(nil, true, true)
	for _, f := range []*media.Frame{
		plugintest.AVCConfig(), plugintest.NALU(media.Keyframe, 0, 20), plugintest.NALU(0, 0xFFFFFF+40, 10_000),
		plugintest.Audio(media.AAC, 0, 0, nil), plugintest.Metadata(nil),
	} {
		b = appendTag(b, f.Kind, f.Timestamp(), f.Payload())
	}
	return b
}

// The scan of a file that is cut anywhere ends at its last whole tag.
func TestScanCut(t *testing.T) {
	t.Parallel()
	b := someTags()
	var ends []int64
	last, err := scan(bytes.NewReader(b), flv.FileHeaderSize, func(g *tag) bool {
		ends = append(ends, g.end())
		return true
	})
	if err != nil || last != int64(len(b)) || len(ends) != 5 {
		t.Fatalf("%v, %v", ends, err)
	}
	for n := flv.FileHeaderSize; n < len(b); n++ {
		want := int64(flv.FileHeaderSize)
		for _, e := range ends {
			if e <= int64(n) {
				want = e
			}
		}
		if got, err := scan(bytes.NewReader(b[:n]), flv.FileHeaderSize, func(*tag) bool { return true }); err != nil || got != want {
			t.Fatalf("cut at %d: %d, want %d, %v", n, got, want, err)
		}
	}
}

func TestScanSees(t *testing.T) {
	t.Parallel()
	var keys, coded []bool
	var times []int64
	end, err := scan(bytes.NewReader(someTags()), flv.FileHeaderSize, func(g *tag) bool {
		keys, coded, times = append(keys, g.key()), append(coded, g.isMedia()), append(times, g.time)
		return len(times) < 4
	})
	if err != nil || end >= int64(len(someTags())) || len(times) != 4 {
		t.Fatalf("%d tags, %v", len(times), err)
	}
	for i, want := range []struct {
		key, coded bool
		time       int64
	}{{false, false, 0}, {true, true, 0}, {false, true, 0xFFFFFF + 40}, {false, false, 0}} {
		// The last is a sound tag without sound.
		if keys[i] != want.key || i != 3 && coded[i] != want.coded || times[i] != want.time {
			t.Errorf("tag %d: key %t, coded %t, at %d", i, keys[i], coded[i], times[i])
		}
	}
}

func TestExtent(t *testing.T) {
	t.Parallel()
	var x extent
	for _, at := range []int64{0, 40, 80} {
		x.add(media.Video, at)
		x.add(media.Audio, at+5)
	}
	x.add(media.Data, 9999)
	if x.Last != 85 || x.End != 125 || !x.Audio || !x.Video {
		t.Errorf("%+v", x)
	}
	x.add(media.Video, 600_000) // the time between is not how long a frame is
	if x.End != 600_040 {
		t.Errorf("%+v", x)
	}
}

func TestIndex(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "1.index")
	x, err := createIndex(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		kind := keyframe
		if i%2 == 1 {
			kind = mark
		}
		x.add(entry{at: int64(i) * 100, seq: uint64(i), time: int64(i), kind: kind})
	}
	if err := x.flush(); err != nil {
		t.Fatal(err)
	}
	if err := x.close(); err != nil {
		t.Fatal(err)
	}
	if keys, err := readKeys(path, 100); err != nil || len(keys) != 5 || keys[4] != (key{800, 8}) {
		t.Errorf("%v, %v", keys, err)
	}
	if keys, err := readKeys(path+"x", 100); err != nil || keys != nil {
		t.Errorf("of no index: %v, %v", keys, err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) + 1 { // cut at each byte, and by the size of the part
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		x, last, err := openIndex(path, 650)
		if err != nil {
			t.Fatal(err)
		}
		want := min(n/indexEntrySize, 7) - 1
		if want < 0 && last != (entry{}) || want >= 0 && last.seq != uint64(want) {
			t.Errorf("cut at %d: %+v", n, last)
		}
		if info, err := x.f.Stat(); err != nil || info.Size() != int64(want+1)*indexEntrySize {
			t.Errorf("cut at %d: %d bytes stay, %v", n, info.Size(), err)
		}
		if err := x.close(); err != nil {
			t.Error(err)
		}
	}
}

// A seek table of any number of keyframes takes bounded memory, is even, and
// has the last.
func TestThinner(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 99, 100, 101, 10_000, 123_457} {
		x := thinner{limit: 50, stride: 1}
		for _, k := range manyKeys(n) {
			x.add(k)
		}
		keys := x.all()
		if len(keys) > 101 || n > 0 && (keys[0].at != 0 || keys[len(keys)-1] != manyKeys(n)[n-1]) || n > 100 && len(keys) < 50 {
			t.Errorf("%d of %d", len(keys), n)
		}
		for i := 2; i < len(keys)-1; i++ {
			if keys[i].at-keys[i-1].at != keys[1].at-keys[0].at {
				t.Fatalf("%d: not even", n)
			}
		}
	}
}

func FuzzEntry(f *testing.F) {
	f.Add(entry{at: 5, seq: 6, time: -7, kind: mark}.append(nil))
	f.Add(make([]byte, indexEntrySize))
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, ok := parseEntry(b); ok && !bytes.Equal(e.append(nil), b[:indexEntrySize]) {
			t.Errorf("%+v is not %x", e, b)
		}
	})
}

// No file makes the scan fail, or go past its end.
func FuzzScan(f *testing.F) {
	b := someTags()
	live := newLiveHead(nil, true, true, 100)
	ours := append(live.bytes(), b[flv.FileHeaderSize:]...)
	for _, seed := range [][]byte{b, b[:100], b[:len(b)-1], ours, append(ours[:len(ours):len(ours)], 0, 0, 0), []byte("FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"), nil} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		end, err := scan(bytes.NewReader(b), min(flv.FileHeaderSize, int64(len(b))), func(*tag) bool { n++; return true })
		if err != nil || end > int64(max(len(b), flv.FileHeaderSize)) || n > len(b)/(tagHeader+tagTrailer) {
			t.Fatalf("%d tags to %d of %d, %v", n, end, len(b), err)
		}
	})
}
