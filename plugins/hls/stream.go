package hls

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/hls/playlist"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// stream is one stream that is segmented. One goroutine uses it.
type stream struct {
	p   *Plugin
	set settings
	log *slog.Logger

	head     header
	paths    paths
	lock     *record.Lock
	j        *journal
	manifest record.Manifest
	keys     keyring

	tracks tracks
	held   []sdk.Item // until the tracks are known
	size   int        // of held, in bytes
	mux    muxer
	state  muxState
	sticky bool // fragmented MP4 once, always: a playlist cannot take a map back
	maps   int
	mapURI string
	video  bool // the leading track is video; otherwise it is audio
	audio  bool // there is audio in the segments

	next     uint64        // the number after the last frame taken; 0: none was
	durable  uint64        // the same of what is on the disk
	end      time.Duration // where the leading track goes on, as far as is known
	interval time.Duration // between its last two frames
	wall     wallclock
	broken   bool // the next segment begins with a discontinuity
	full     bool // the disk is; nothing is written
	closed   bool
	stalled  bool // the leading track does not go on

	list       []playlist.Segment // what is listed and complete, but what is past
	sent       sent               // of the playlist as an object
	written    written            // of the playlist on disk
	number     int64              // of the next segment
	breaks     int64              // discontinuities before list
	target     int                // of the playlist, in seconds
	partTarget time.Duration
	slid       int // segments that left the playlist since the manifest was saved
	linked     bool
	older      bool // a session that began later has the alias
	cur        *openSegment
	rendered   int       // size of the last playlist, in bytes
	synced     time.Time // when the disk was last asked to keep what it has
}

var (
	_ sdk.Stream  = (*stream)(nil)
	_ sdk.Resumer = (*stream)(nil)
)

// openSegment is the segment that grows.
type openSegment struct {
	segment
	file   *file
	enc    *encryptor // nil: not encrypted
	pieces []string   // objects that hold its chunks
	begin  time.Duration
	empty  bool // nothing is in the open chunk
	bytes  int  // of the frames in it
	key    bool // a keyframe is in the open chunk
	led    bool // a frame of the leading track came
	seen   bool // a frame of video came
}

// ResumeAt is the number after the last frame that is durable.
func (s *stream) ResumeAt() uint64 { return s.next }

// Write takes frames. After an error the stream lets go of everything, so that
// another can go on with what is durable.
func (s *stream) Write(items []sdk.Item) error {
	if s.closed {
		return errClosed
	}
	for i := range items {
		if err := s.item(&items[i]); err != nil {
			return errors.Join(err, s.close())
		}
	}
	return nil
}

var errClosed = errors.New("the stream ended after an error")

func (s *stream) item(it *sdk.Item) error {
	switch it.Type {
	case sdk.Header:
		s.header(it.Frame)
		return nil
	case sdk.Gap:
		return s.gap(it.From, it.To, it.Reason)
	}
	if it.Seq < s.next {
		return nil // came before
	}
	if s.next > 0 && it.Seq > s.next {
		if err := s.gap(s.next, it.Seq, "frames were not delivered"); err != nil {
			return err
		}
	}
	err := s.frame(it)
	s.next = it.Seq + 1
	return err
}

// header takes metadata, or a sequence header of a default track.
func (s *stream) header(f *media.Frame) {
	if f.Kind == media.Data && f.Is(media.Metadata) {
		s.tracks.metadata(f)
	}
	if f.Kind != media.Data && f.Is(media.Config) && f.Flags&(media.Extra|media.Other) == 0 {
		s.tracks.header(f)
	}
}

func (s *stream) frame(it *sdk.Item) error {
	f := it.Frame
	if !f.IsMedia() || f.Is(media.Other) {
		s.header(f)
		return nil
	}
	if !s.tracks.usable(f) {
		s.p.host.Count("frames_left_out_total", 1, "codec", f.Codec.String())
		return nil
	}
	if s.mux != nil {
		return s.take(f, it.Seq)
	}
	s.held, s.size = append(s.held, *it), s.size+len(f.Body())
	if !s.ready() {
		return nil
	}
	return s.release()
}

// maxHeld bounds what is held back, in frames, and maxBytes that and an open
// chunk, in bytes, whatever the timestamps say: those of a broken encoder may
// stand still.
const (
	maxHeld  = 1000
	maxBytes = 16 << 20
)

// ready reports whether all tracks have shown themselves, or had the time to.
func (s *stream) ready() bool {
	if s.tracks.known() || len(s.held) >= maxHeld || s.size >= maxBytes {
		return true
	}
	return at(s.held[len(s.held)-1].Frame)-at(s.held[0].Frame) >= probeTime
}

// release muxes what was held back.
func (s *stream) release() error {
	held := s.held
	s.held, s.size = nil, 0
	if len(held) == 0 {
		return nil
	}
	if s.cur == nil && len(s.list) == 0 {
		s.head.Origin = held[0].Frame.DTS
		for _, it := range held {
			s.head.Origin = min(s.head.Origin, it.Frame.DTS)
		}
	}
	if err := s.setMuxer(); err != nil || s.mux == nil {
		return err
	}
	for i := range held {
		if err := s.take(held[i].Frame, held[i].Seq); err != nil {
			return err
		}
	}
	return nil
}

// take puts a frame where it belongs.
func (s *stream) take(f *media.Frame, seq uint64) error {
	if s.tracks.changed {
		if err := s.change(seq); err != nil || s.mux == nil {
			return err
		}
	}
	if f.Kind == media.Video && !s.video || f.Kind == media.Audio && !s.audio {
		return nil
	}
	t := at(f)
	leads := s.leads(f, t)
	if leads && s.cur != nil && s.cur.led {
		if err := s.cut(f, t, seq); err != nil {
			return err
		}
	}
	if s.cur != nil && s.cur.bytes >= maxBytes {
		if err := s.flush(max(s.end, s.cur.begin), seq, false); err != nil {
			return err
		}
	}
	if s.cur == nil {
		if err := s.begin(f, t, seq); err != nil || s.cur == nil {
			return err
		}
	}
	s.add(f, t, leads)
	return nil
}

// leads reports whether a frame decides where segments and chunks end: one of
// video if there is some, but of audio while video does not go on.
func (s *stream) leads(f *media.Frame, t time.Duration) bool {
	if (f.Kind == media.Video) == s.video {
		s.stalled = false
		return true
	}
	s.stalled = s.stalled || s.end > 0 && t-s.end > max(s.set.chunk(), stallAfter)
	return s.stalled
}

// stallAfter is more than tracks are usually apart.
const stallAfter = 500 * time.Millisecond

// cutSlack makes a segment of 5.999 s one of 6 s: timestamps are rounded.
const cutSlack = 5 * time.Millisecond

// cut ends the segment or the chunk before a frame, if it is time to.
func (s *stream) cut(f *media.Frame, t time.Duration, seq uint64) error {
	long := t - s.cur.From
	start := f.Is(media.Keyframe) || !s.video
	if start && long >= s.set.target-cutSlack || long >= 2*s.set.target {
		return s.endSegment(t, seq)
	}
	if s.chunkEnds(t - s.cur.begin) {
		return s.flush(t, seq, false)
	}
	return nil
}

// rounding is what timestamps in ms are off by at most.
const rounding = 2 * time.Millisecond

// chunkEnds reports whether a chunk of a duration ends before the next frame:
// with it, it would be too long. A part has at least 85 % of its target
// (RFC 8216bis, 4.4.4.9), even if one more frame is too much.
func (s *stream) chunkEnds(long time.Duration) bool {
	if s.set.part == 0 {
		return long+s.interval > usualChunk
	}
	return long+rounding >= s.set.part ||
		long+s.interval > s.set.part+rounding && long >= s.set.part*85/100
}

// add muxes a frame into the open chunk.
func (s *stream) add(f *media.Frame, t time.Duration, leads bool) {
	c := s.cur
	if c.empty {
		c.empty = false
		if len(c.pieces) == 0 && c.file.size == 0 || s.set.part > 0 {
			s.mux.tables()
		}
	}
	s.mux.add(f)
	c.bytes += len(f.Body())
	if f.Kind == media.Video && !c.seen {
		c.seen, c.Keyframe = true, f.Is(media.Keyframe)
	}
	if !leads {
		return
	}
	if !c.led {
		c.led = true
		c.begin = t
		if c.Duration == 0 {
			c.From = t
			c.Started = s.wall.of(t, s.p.now())
		}
	}
	c.key = c.key || f.Is(media.Keyframe) && s.video
	// end was a guess of where this frame would be; it is s.interval early or
	// late of the real distance to the last one.
	if d := t - (s.end - s.interval); s.end > 0 && d > 0 && d < maxChunk {
		s.interval = d
	}
	s.end = t + s.interval
}

// gap notes frames that do not come. What follows is another beginning.
func (s *stream) gap(from, to uint64, reason string) error {
	from = max(from, s.next)
	if to <= from {
		return nil
	}
	if err := s.release(); err != nil {
		return err
	}
	if err := s.endSegment(s.end, from); err != nil {
		return err
	}
	s.next, s.end = to, 0
	s.interrupt()
	s.noteGap(from, to, reason)
	return s.saveManifest()
}

// interrupt has a discontinuity before the next segment, unless it is the
// stream's very first.
func (s *stream) interrupt() { s.broken = s.broken || s.number > s.head.First }

func (s *stream) noteGap(from, to uint64, reason string) {
	s.log.Warn("frames are missing", "from", from, "to", to, "reason", reason)
	if n := len(s.manifest.Gaps); n > 0 && s.manifest.Gaps[n-1].To == from && s.manifest.Gaps[n-1].Reason == reason {
		s.manifest.Gaps[n-1].To = to
		return
	}
	s.manifest.Gaps = append(s.manifest.Gaps, record.Gap{From: from, To: to, Reason: reason, At: s.p.now()})
}

// change goes on with tracks that differ from those of the segments so far.
func (s *stream) change(seq uint64) error {
	if err := s.endSegment(s.end, seq); err != nil {
		return err
	}
	s.interrupt()
	s.mux = nil
	return s.setMuxer()
}

// Detach ends the stream or hands it over.
func (s *stream) Detach(_ context.Context, d sdk.Detach) (sdk.Detached, error) {
	if s.closed {
		return sdk.Detached{Durable: s.durable}, nil
	}
	if d.Why == sdk.Handover {
		return s.handOver()
	}
	if err := s.finish(d.Final); err != nil {
		return sdk.Detached{Durable: s.durable}, errors.Join(err, s.close())
	}
	return sdk.Detached{Durable: s.next}, s.close()
}

// handover is what the next process is told: all else is in the journal.
type handover struct {
	Durable uint64 `json:"durable"`
}

func (s *stream) handOver() (sdk.Detached, error) {
	durable := s.next
	if len(s.held) > 0 {
		durable = s.held[0].Seq
	}
	var err error
	if s.cur != nil {
		err = s.flush(s.end, durable, false)
	}
	blob, encodeErr := json.Marshal(handover{Durable: durable})
	return sdk.Detached{Durable: durable, Handover: blob}, errors.Join(err, encodeErr, s.close())
}

// close lets go of what the stream holds; the segment stays as it is.
func (s *stream) close() error {
	s.closed = true
	var err error
	if s.cur != nil {
		_, err = s.cur.file.close()
		s.cur = nil
	}
	err = errors.Join(err, s.j.close(), s.lock.Release())
	if err != nil {
		return fmt.Errorf("close the stream: %w", err)
	}
	return nil
}
