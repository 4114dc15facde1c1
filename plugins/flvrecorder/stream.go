package flvrecorder

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"syscall"
	"time"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// stream records one stream. Its methods are called by one goroutine.
type stream struct {
	r       *Recorder
	log     *slog.Logger
	attach  sdk.Attach
	session *session
	cutter  record.Cutter
	cur     *part // nil: none is open

	// next is the number of the frame that comes next, 0: any. from is that
	// of the first frame which belongs to the next part, 0: the next one.
	next, from uint64
	resumed    uint64

	headers   []header // in force
	publisher []byte   // payload of the last onMetaData
	stale     bool     // the part lacks a header in force
	gap       *record.Gap
	last      [2]int64 // by kind: the last DTS
	begun     [2]bool
	wrap      int64 // added to each DTS, see align
	aligned   bool

	skipped bool // not to be recorded
	pause   pause
	broken  bool // an error was returned; nothing is held any more
}

var _ interface {
	sdk.Stream
	sdk.Resumer
} = (*stream)(nil)

// ResumeAt is where the file that was found ends.
func (s *stream) ResumeAt() uint64 { return s.resumed }

// adopt takes over what an earlier process left: parts that are closed are
// finished, the one that is not goes on.
func (s *stream) adopt(states []*state) error {
	for i, st := range states {
		if st.Closed || i < len(states)-1 {
			s.session.finish(*st)
			s.next = max(s.next, st.Part.ToSeq)
			continue
		}
		p, next, err := openPart(s.session.dir, *st, s.r.config.sync)
		if errors.Is(err, fs.ErrNotExist) {
			s.log.Warn("recording removed while it grew", "file", st.Rel)
			return s.session.dir.forget(st.Part.Number)
		}
		if err != nil {
			return err
		}
		s.cur, s.next = p, next
		s.headers, s.publisher = slices.Clone(st.Headers), st.Publisher
		s.cutter.Begin(st.Part.FromDTS)
		end := st.Part.FromDTS + p.Extent.Last
		s.last, s.begun = [2]int64{end, end}, [2]bool{p.Extent.Audio, p.Extent.Video}
	}
	s.resumed = s.next
	s.session.next.Store(s.next)
	return nil
}

// Write takes what came and writes it before it returns.
func (s *stream) Write(items []sdk.Item) error {
	if s.skipped {
		return nil
	}
	if s.broken {
		return errBroken
	}
	now := time.Now()
	s.guard(now)
	var err error
	for i := 0; i < len(items) && err == nil && !s.skipped; i++ {
		err = s.item(items[i:])
	}
	if err == nil && s.cur != nil {
		err = s.cur.flush(now)
	}
	s.session.next.Store(s.next)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		s.full(err)
		err = nil
	}
	if err != nil {
		s.abandon()
	}
	return err
}

var errBroken = errors.New("recording broke off; attach again")

// item takes the first item of rest.
func (s *stream) item(rest []sdk.Item) error {
	switch it := &rest[0]; it.Type {
	case sdk.Header:
		s.inForce(it.Frame)
	case sdk.Gap:
		s.hole(it.From, it.To, it.Reason)
	case sdk.Frame:
		return s.frame(rest)
	}
	return nil
}

// inForce takes a header that does not count. One that the open part does not
// have needs a part that begins with it.
func (s *stream) inForce(f *media.Frame) {
	if isMetadata(f) {
		s.setPublisher(f)
		return
	}
	if s.setHeader(f) != same && f.Flags&media.Config != 0 && s.cur != nil {
		s.stale = true
	}
}

// setPublisher keeps the last onMetaData for the finished head.
func (s *stream) setPublisher(f *media.Frame) {
	if s.cur != nil && !bytes.Equal(s.publisher, f.Payload()) {
		s.cur.Publisher, s.cur.dirty = f.Payload(), true
	}
	s.publisher = f.Payload()
}

// hole notes that frames do not come. Times follow when the next one does.
func (s *stream) hole(from, to uint64, reason string) {
	from = max(from, s.next)
	if to <= from {
		return
	}
	s.next = to
	if s.gap == nil { // otherwise it grows: no frame came since
		s.gap = &record.Gap{From: from, Reason: reason, At: time.Now()}
	}
	s.gap.To = to
}

// frame takes a frame that counts, the first of rest.
func (s *stream) frame(rest []sdk.Item) error {
	f, seq := rest[0].Frame, rest[0].Seq
	if seq < s.next { // it is in the file
		return nil
	}
	if s.next > 0 && seq > s.next {
		s.hole(s.next, seq, "frames were not delivered")
	}
	s.next = seq + 1
	s.align(f)
	if s.pause.on && !s.resume(f, seq) {
		s.observe(f)
		return nil
	}
	if err := s.closeGap(f, seq); err != nil {
		return err
	}
	if s.from == 0 && s.cur == nil {
		s.from = seq
	}
	switch {
	case isMetadata(f):
		return s.metadata(f, seq)
	case f.Flags&media.Config != 0:
		return s.config(f, seq)
	case f.Flags&media.Extra != 0:
		s.setHeader(f)
		return s.add(f, seq)
	case f.Flags&media.EndOfSequence != 0:
		return s.add(f, seq)
	}
	return s.coded(rest)
}

// align maps the times of a feed that began anew onto the part that goes on:
// times on the wire have 32 bits, so that they may differ by multiples of
// 2^32 ms (49.7 days).
func (s *stream) align(f *media.Frame) {
	if s.aligned {
		return
	}
	s.aligned = true
	if s.cur != nil {
		const turn = 1 << 32
		behind := s.cur.Part.FromDTS + s.cur.Extent.Last - f.DTS
		s.wrap = (behind + turn/2) &^ (turn - 1)
	}
}

// dts is a frame's time on the timeline of this session, in ms.
func (s *stream) dts(f *media.Frame) int64 { return f.DTS + s.wrap }

// closeGap writes a hole to the manifest, before any frame behind it is
// written.
func (s *stream) closeGap(f *media.Frame, seq uint64) error {
	g := s.gap
	if g == nil {
		return nil
	}
	s.gap = nil
	if last := max(s.last[0], s.last[1]); f != nil && (s.begun[0] || s.begun[1]) {
		g.Seconds = seconds(max(s.dts(f)-last, 0))
	}
	s.log.Warn("frames are missing in the recording", "from_seq", g.From, "to_seq", g.To, "reason", g.Reason)
	if err := s.session.gap(*g); err != nil {
		return err
	}
	switch {
	case s.cur != nil:
		return s.cur.skip(seq)
	case s.from == g.From:
		s.from = g.To
	}
	return nil
}

// metadata takes an onMetaData: it counts but is not written, since it goes
// into the finished head.
func (s *stream) metadata(f *media.Frame, seq uint64) error {
	s.setPublisher(f)
	if s.cur == nil {
		return nil
	}
	return s.cur.skip(seq + 1)
}

// config takes a sequence header. Other parameters than those that the part
// began with end it.
func (s *stream) config(f *media.Frame, seq uint64) error {
	switch s.setHeader(f) {
	case added:
		if s.cur != nil {
			s.cur.Headers, s.cur.dirty = slices.Clone(s.headers), true
		}
	case changed:
		if s.cur != nil {
			s.log.Info("codec parameters changed", "kind", f.Kind.String(), "codec", f.Codec.String())
			return s.closePart(seq)
		}
	}
	return s.add(f, seq)
}

// add writes a frame if a part is open; otherwise what it says is in the head
// of the next.
func (s *stream) add(f *media.Frame, seq uint64) error {
	if s.cur == nil {
		return nil
	}
	return s.cur.add(f, seq, s.dts(f))
}

// coded takes a frame of media, or script data, the first of rest.
func (s *stream) coded(rest []sdk.Item) error {
	f, seq := rest[0].Frame, rest[0].Seq
	if s.cur != nil && s.ends(f) {
		if err := s.closePart(seq); err != nil {
			return err
		}
	}
	if s.cur == nil {
		if err := s.openPart(rest); err != nil || s.cur == nil {
			return err
		}
	}
	if i := int(f.Kind - media.Audio); i < len(s.last) {
		s.last[i], s.begun[i] = s.dts(f), true
	}
	return s.add(f, seq)
}

// ends reports whether the part ends before a frame.
func (s *stream) ends(f *media.Frame) bool {
	if !f.IsMedia() {
		return false
	}
	x := &s.cur.Extent
	cut := s.cutter.Next(record.Point{
		DTS:      s.dts(f),
		Keyframe: isKey(f) || !x.Video && !s.cur.Video,
		Params:   s.stale,
		Size:     s.cur.w.end,
	})
	return cut != record.NoCut
}
