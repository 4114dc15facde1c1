package fmp4

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/fmp4/box"
)

// spool holds the entries of one sample table in a file without a name, so
// that a recording's length costs no memory.
type spool struct {
	f     *os.File
	w     *bufio.Writer
	count uint32 // entries
	bytes int
}

const spoolBuffer = 16 << 10

func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, ".table.*")
	if err != nil {
		return nil, fmt.Errorf("make table: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("make table: %w", err), f.Close())
	}
	return &spool{f: f, w: bufio.NewWriterSize(f, spoolBuffer)}, nil
}

// add appends one entry; an error is kept by the buffer until the end.
func (s *spool) add(words ...uint32) {
	var b [12]byte
	for i, v := range words {
		binary.BigEndian.PutUint32(b[4*i:], v)
	}
	_, _ = s.w.Write(b[:4*len(words)]) // flush reports it
	s.count++
	s.bytes += 4 * len(words)
}

// rewind makes the spool ready to be read from its start.
func (s *spool) rewind() error {
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	if _, err := s.f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read table: %w", err)
	}
	return nil
}

// table gathers the sample tables of one track (ISO/IEC 14496-12, 8.6, 8.7).
// Times are in its own timescale, that of the first era.
type table struct {
	trak box.Trak

	stts, ctts, stss, stsc, stsz, stco *spool

	samples  uint32
	chunks   uint32
	first    int64 // time of the first sample
	firstCTS int64
	end      int64 // latest end of a presentation
	duration uint64
	composed bool // any sample has a composition offset

	last     int64  // time of the last sample
	lastStep uint32 // its duration, unless the next sample says otherwise
	lastEnd  int64  // where its presentation begins

	step  runLength
	shift runLength
	form  struct{ per, entry uint32 } // of the last entry of stsc
	// entry is the sample description in force, from 1.
	entry uint32
}

// runLength joins equal neighbours.
type runLength struct {
	count, value uint32
	out          *spool
}

func (r *runLength) add(value uint32) {
	if r.count > 0 && r.value != value {
		r.flush()
	}
	r.value = value
	r.count++
}

func (r *runLength) flush() {
	if r.count > 0 {
		r.out.add(r.count, r.value)
	}
	r.count = 0
}

func newTable(dir string, trak box.Trak) (*table, error) {
	t := &table{trak: trak, entry: 1}
	t.trak.Edits = nil
	for _, s := range []**spool{&t.stts, &t.ctts, &t.stss, &t.stsc, &t.stsz, &t.stco} {
		var err error
		if *s, err = newSpool(dir); err != nil {
			return nil, errors.Join(err, t.close())
		}
	}
	t.step.out, t.shift.out = t.stts, t.ctts
	return t, nil
}

func (t *table) close() error {
	var err error
	for _, s := range []*spool{t.stts, t.ctts, t.stss, t.stsc, t.stsz, t.stco} {
		if s != nil {
			err = errors.Join(err, s.f.Close())
		}
	}
	return err
}

// describe makes entry the sample description of the chunks to come.
func (t *table) describe(entry []byte) {
	for i, e := range t.trak.Entries {
		if string(e) == string(entry) {
			t.entry = uint32(i + 1)
			return
		}
	}
	t.trak.Entries = append(t.trak.Entries, entry)
	t.entry = uint32(len(t.trak.Entries))
}

// add takes a run as one chunk, whose bytes begin at offset in the media.
// scale is the run's timescale.
func (t *table) add(r *box.RunInfo, scale uint32, offset int64) {
	at := r.Time
	for i := range r.Samples {
		s := &r.Samples[i]
		from, to := t.rescale(at, scale), t.rescale(at+int64(s.Duration), scale)
		t.sample(from, uint32(to-from), int32(t.rescale(at+int64(s.CTS), scale)-from), s)
		at += int64(s.Duration)
	}
	t.chunks++
	if per := uint32(len(r.Samples)); per != t.form.per || t.entry != t.form.entry {
		t.form.per, t.form.entry = per, t.entry
		t.stsc.add(t.chunks, per, t.entry)
	}
	t.stco.add(uint32(uint64(offset)>>32), uint32(offset))
}

func (t *table) rescale(v int64, scale uint32) int64 {
	if scale == t.trak.Timescale {
		return v
	}
	return (v*int64(t.trak.Timescale) + int64(scale)/2) / int64(scale)
}

// sample takes one sample. The one before lasts until it, whatever that said.
func (t *table) sample(at int64, step uint32, cts int32, s *box.SampleInfo) {
	if t.samples == 0 {
		t.first, t.firstCTS = at, int64(cts)
	} else {
		t.endLast(uint32(min(max(at-t.last, 0), math.MaxUint32)))
		if at <= t.last {
			at = t.last // never back: its duration is 0
		}
	}
	t.samples++
	t.last, t.lastStep, t.lastEnd = at, step, at+int64(cts)
	t.stsz.add(s.Size)
	t.shift.add(uint32(cts))
	t.composed = t.composed || cts != 0
	if s.Sync {
		t.stss.add(t.samples)
	}
}

// endLast sets the last sample's duration.
func (t *table) endLast(step uint32) {
	t.step.add(step)
	t.duration += uint64(step)
	t.end = max(t.end, t.lastEnd+int64(step))
}

// finish completes the tables.
func (t *table) finish() error {
	t.endLast(t.lastStep)
	t.step.flush()
	t.shift.flush()
	for _, s := range []*spool{t.stts, t.ctts, t.stss, t.stsc, t.stsz, t.stco} {
		if err := s.rewind(); err != nil {
			return err
		}
	}
	return nil
}

// edit sets the track's edit list; start is the media time at which the
// presentation of the session starts. The samples are counted from the first
// one here, so that what it was late is an empty edit.
func (t *table) edit(start int64) {
	ticks := func(v int64) uint64 {
		scale := int64(t.trak.Timescale)
		return uint64(max(0, (v*box.MovieTimescale+scale/2)/scale))
	}
	late := ticks(t.first + t.firstCTS - start)
	shown := ticks(t.end - t.first - t.firstCTS)
	if late > 0 {
		t.trak.Edits = append(t.trak.Edits, box.Edit{Duration: late, MediaTime: -1})
	}
	if late > 0 || t.firstCTS != 0 {
		t.trak.Edits = append(t.trak.Edits, box.Edit{Duration: shown, MediaTime: max(t.firstCTS, 0)})
	}
	t.trak.Duration, t.trak.MovieDuration = t.duration, late+shown
}

// tableBox is one of the boxes that the spools become.
type tableBox struct {
	kind    string
	version byte
	fixed   []uint32 // before the count
	s       *spool
	wide    bool // stco: entries are 64 bits
}

func (t *table) boxes(wide bool) []tableBox {
	boxes := []tableBox{{kind: "stts", s: t.stts}}
	if t.composed {
		boxes = append(boxes, tableBox{kind: "ctts", version: 1, s: t.ctts})
	}
	if t.trak.Kind == media.Video && t.stss.count < t.samples {
		boxes = append(boxes, tableBox{kind: "stss", s: t.stss})
	}
	offsets := tableBox{kind: "stco", s: t.stco}
	if wide {
		offsets = tableBox{kind: "co64", s: t.stco, wide: true}
	}
	return append(boxes, tableBox{kind: "stsc", s: t.stsc}, tableBox{kind: "stsz", fixed: []uint32{0}, s: t.stsz}, offsets)
}

func (b *tableBox) size() int {
	body := b.s.bytes
	if b.kind == "stco" {
		body /= 2
	}
	return 16 + 4*len(b.fixed) + body
}

// write writes the box; base is added to chunk offsets.
func (b *tableBox) write(w *bufio.Writer, base int64) error {
	head := binary.BigEndian.AppendUint32(nil, uint32(b.size()))
	head = append(head, b.kind...)
	head = binary.BigEndian.AppendUint32(head, uint32(b.version)<<24)
	for _, v := range b.fixed {
		head = binary.BigEndian.AppendUint32(head, v)
	}
	head = binary.BigEndian.AppendUint32(head, b.s.count)
	if _, err := w.Write(head); err != nil {
		return err
	}
	if b.kind == "stco" || b.kind == "co64" {
		return b.writeOffsets(w, base)
	}
	_, err := io.Copy(w, b.s.f)
	return err
}

func (b *tableBox) writeOffsets(w *bufio.Writer, base int64) error {
	r := bufio.NewReaderSize(b.s.f, spoolBuffer)
	var v [8]byte
	for range b.s.count {
		if _, err := io.ReadFull(r, v[:]); err != nil {
			return err
		}
		binary.BigEndian.PutUint64(v[:], binary.BigEndian.Uint64(v[:])+uint64(base))
		out := v[:]
		if !b.wide {
			out = v[4:]
		}
		if _, err := w.Write(out); err != nil {
			return err
		}
	}
	return nil
}
