package fmp4

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/millrace/millrace/plugins/record"
)

// How far a merge is can be seen while it goes on, and nothing of it after.
func TestProgress(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	recordClip(t, h, tiny(t, 60), func(opt *Options) { opt.Segment = 500 * time.Millisecond })
	n := len(h.ratios)
	if n < 4 || h.ratios[0] != 0 || h.ratios[n-2] != 1 || !math.IsNaN(h.ratios[n-1]) || !slices.IsSorted(h.ratios[:n-1]) {
		t.Errorf("shown: %v", h.ratios)
	}
}

// Past 4 GiB chunk offsets and the size of mdat have 64 bits.
func TestFullWide(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	recordClip(t, h, tiny(t, 60), nil)
	dir := h.dir(1)
	m, err := record.Load(record.ManifestPath(dir, true))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		total int64
		wide  bool
	}{
		{"small", 0, false}, {"just above", 1 << 32, true}, {"large", 50 << 32, true},
	} {
		f := &full{dir: dir, m: &m, line: &timeline{}}
		if err := f.line.load(&m); err != nil {
			t.Fatal(err)
		}
		out := t.TempDir()
		if err := f.gather(t.Context(), out); err != nil {
			t.Fatal(err)
		}
		f.total += tt.total
		file, err := os.Create(filepath.Join(out, "head.mp4"))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.writeHead(file); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		for _, table := range f.tables {
			if err := table.close(); err != nil {
				t.Fatal(err)
			}
		}
		checkHead(t, tt.name, file.Name(), f.total, tt.wide)
	}
}

func checkHead(t *testing.T, name, path string, total int64, wide bool) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head := 8
	if wide {
		head = 16
		if got := binary.BigEndian.Uint64(b[len(b)-8:]); got != uint64(total+16) {
			t.Errorf("%s: mdat of %d bytes, want %d", name, got, total+16)
		}
	}
	file, err := mp4.DecodeFile(bytes.NewReader(b[:len(b)-head]))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for i, trak := range file.Moov.Traks {
		stbl := trak.Mdia.Minf.Stbl
		if (stbl.Co64 != nil) != wide || (stbl.Stco != nil) == wide {
			t.Errorf("%s: the wrong table of offsets", name)
			continue
		}
		var first uint64
		if wide {
			first = stbl.Co64.ChunkOffset[0]
		} else {
			first = uint64(stbl.Stco.ChunkOffset[0])
		}
		if i == 0 && first != uint64(len(b)) {
			t.Errorf("%s: the first chunk is at %d, the media at %d", name, first, len(b))
		}
	}
}
