package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/millrace/millrace/core/media"
	pluginv1 "github.com/millrace/millrace/plugins/proto/v1"
	"github.com/millrace/millrace/plugins/sdk/demux"
	"github.com/millrace/millrace/plugins/sdk/wire"
)

// stream reads the media of one session for the plugin, on a goroutine of its
// own from begin to its end.
type stream struct {
	s         *server
	at        Attach
	target    string
	first     uint64 // where a Resume begins if nothing is durable, 0: at the cached GOP
	allTracks bool
	logger    *slog.Logger

	out  Stream
	feed *feed // the connection opened before the goroutine starts, or nil

	ctx    context.Context // ends the reading
	cancel context.CancelFunc
	done   chan struct{} // closed when result is set
	result result

	mu    sync.Mutex
	want  *request      // how it is to end
	asked chan struct{} // closed when want is set

	// Of the goroutine, read by health:
	next      atomic.Uint64
	missed    atomic.Uint64
	busySince atomic.Pointer[time.Time] // nil: not in Write
	connected atomic.Bool

	// Of the goroutine only:
	dts     int64
	timed   bool
	video   bool // a frame of video was seen
	whole   bool // the session's end is known, and that nothing comes before it
	pending []Item
}

// request is how a stream is to end.
type request struct {
	why        Why
	reason     string
	atKeyframe bool
	end        uint64    // of Ended: the number after the session's last frame, 0: not known
	deadline   time.Time // for all of it
	// room is what the plugin's Detach has in any case, however long the
	// reading took.
	room time.Duration
}

type result struct {
	detached Detached
	at       uint64
	err      error
}

func newStream(s *server, r *pluginv1.AttachRequest, allTracks bool) *stream {
	st := &stream{
		s: s, target: r.GetMediaTarget(), first: r.GetFirstSeq(), allTracks: allTracks,
		done: make(chan struct{}), asked: make(chan struct{}),
		logger: s.logger.With("stream_id", r.GetApp()+"/"+r.GetName(), "session", r.GetSession()),
		at: Attach{
			App: r.GetApp(), Name: r.GetName(), Session: r.GetSession(), Started: wire.Time(r.GetStarted()),
			Next: r.GetFromSeq(), Resume: r.GetResume(), Handover: r.GetHandover(), Labels: r.GetLabels(),
		},
	}
	st.ctx, st.cancel = context.WithCancel(context.Background())
	return st
}

// begin attaches the plugin and starts the reading. Unless it is said where
// to begin, the server is asked first, so that the plugin knows.
func (st *stream) begin(ctx context.Context, recorder Recorder, r *pluginv1.AttachRequest) error {
	if r.GetFromSeq() == 0 && !r.GetResume() {
		stop := context.AfterFunc(ctx, st.cancel)
		defer stop()
		if err := st.connect(0); err != nil {
			st.cancel()
			return err
		}
		st.at.Next = st.next.Load()
	}
	out, err := recorder.Attach(ctx, st.at)
	if err != nil {
		st.cancel()
		st.closeFeed()
		return err
	}
	st.out = out
	if st.feed == nil {
		st.next.Store(st.from())
	}
	go st.run()
	return nil
}

// abandon answers who waits for the end of a stream that never began.
func (st *stream) abandon(err error) {
	st.result = result{err: err}
	close(st.done)
}

// from is the number to begin with.
func (st *stream) from() uint64 {
	if !st.at.Resume {
		return st.at.Next
	}
	if r, ok := st.out.(Resumer); ok {
		if at := r.ResumeAt(); at > 0 {
			return at
		}
	}
	return st.first
}

// connect opens the feed and reads up to the position.
func (st *stream) connect(from uint64) error {
	f, err := st.s.host.plane.open(st.ctx, st.target, st.at.Session, from)
	if err != nil {
		return err
	}
	if st.timed {
		f.decoder.After(st.dts)
	}
	st.feed = f
	if err := st.position(); err != nil {
		st.closeFeed()
		return err
	}
	st.connected.Store(true)
	return nil
}

func (st *stream) closeFeed() {
	st.connected.Store(false)
	if st.feed != nil {
		st.feed.close()
		st.feed = nil
	}
}

// position reads the headers, which wait for the plugin, and where the count
// stands.
func (st *stream) position() error {
	st.pending = st.pending[:0]
	for {
		u, err := st.feed.next()
		if err != nil {
			return err
		}
		if u.Type != demux.Position {
			st.pending = st.appendUnit(st.pending, u)
			continue
		}
		if u.Session != st.at.Session {
			return errGone
		}
		st.pending = st.appendUnit(st.pending, u)
		return nil
	}
}

// run reads and writes until the stream ends, and detaches the plugin.
func (st *stream) run() {
	why, err := st.pump()
	asked := st.wanted()
	if err == nil && why == Ended {
		err = st.conclude(asked)
	}
	st.closeFeed()
	st.cancel()
	at := st.next.Load()
	d := Detach{Why: why, At: at, Final: err == nil && why != Handover && (why == Stopped || st.whole)}
	deadline := time.Now().Add(defaultTimeout)
	switch {
	case asked != nil:
		d.Reason, deadline = asked.reason, asked.deadline
		if least := time.Now().Add(asked.room); deadline.Before(least) {
			deadline = least
		}
	case err != nil:
		d.Reason = err.Error()
	}
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	detached, derr := st.out.Detach(ctx, d)
	st.s.remove(st)
	st.result = result{detached: detached, at: at, err: errors.Join(err, derr)}
	close(st.done)
	if asked == nil && err != nil {
		st.logger.Error("stream ended by an error of the plugin", "error", err)
		st.s.host.streamFailed(st.at.Session, err)
	}
}

// defaultTimeout is how long a Detach may take that nobody bounds.
const defaultTimeout = 30 * time.Second

func (st *stream) wanted() *request {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.want
}

// pump moves frames from the feed to the plugin, over as many connections as
// it takes, and returns why it ended.
func (st *stream) pump() (Why, error) {
	wait := backoff{}
	for {
		err := st.pumpFeed()
		st.closeFeed()
		var we *writeError
		switch r := st.wanted(); {
		case errors.As(err, &we):
			return Stopped, err
		case errors.Is(err, errEnd):
			st.whole = true
			return st.awaitDetach()
		case r != nil && r.why != Ended:
			return r.why, nil
		case errors.Is(err, errGone):
			return st.awaitDetach()
		case err == nil: // read well, then broke off
			wait = backoff{}
		case st.ctx.Err() == nil:
			st.logger.Warn("media connection failed, trying again", "error", err)
		}
		if wait.sleep(st.ctx) {
			continue
		}
		if r := st.wanted(); r != nil {
			return r.why, nil
		}
		return Stopped, st.ctx.Err()
	}
}

// conclude has the plugin know of what is missing at the end of a session that
// the server does not have any more, or did not send in time.
func (st *stream) conclude(r *request) error {
	if next := max(st.next.Load(), 1); !st.whole && next < r.end {
		_, err := st.write(st.gap(nil, next, r.end, "the rest of the session did not come any more"))
		if err != nil {
			return err
		}
	}
	st.whole = st.whole || r.end > 0
	return nil
}

// goneTimeout is how long the server may take to say that a session is over
// whose media is gone.
const goneTimeout = 30 * time.Second

func (st *stream) awaitDetach() (Why, error) {
	select {
	case <-st.asked:
		return st.wanted().why, nil
	case <-time.After(goneTimeout):
	}
	return Ended, fmt.Errorf("session %s: %w", st.at.Session, errGone)
}

// writeError is an error of the plugin's, not of the connection.
type writeError struct{ err error }

func (e *writeError) Error() string { return "write: " + e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

// errEnd is the clean end of a connection, which is the session's.
var errEnd = errors.New("the session has ended")

// pumpFeed reads one connection to its end. nil: frames came over it.
func (st *stream) pumpFeed() error {
	if st.feed == nil {
		if err := st.connect(st.next.Load()); err != nil {
			return err
		}
	}
	if _, err := st.write(st.pending); err != nil {
		return err
	}
	came := false
	var items []Item
	for {
		units, err := st.feed.read()
		items = items[:0]
		for _, u := range units {
			items = st.appendUnit(items, u)
		}
		if ended, werr := st.write(items); werr != nil || ended {
			return werr
		}
		clear(items)
		came = came || len(units) > 0
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return errEnd
		case came && !errors.Is(err, demux.ErrNotFLV) && !errors.Is(err, demux.ErrScript):
			return nil
		default:
			return err
		}
	}
}

// write gives items to the plugin; it reports whether the stream ends here.
func (st *stream) write(items []Item) (ended bool, err error) {
	if r := st.wanted(); r != nil {
		items, ended = st.cut(items, r)
	}
	if len(items) == 0 {
		return ended, nil
	}
	began := time.Now()
	st.busySince.Store(&began)
	err = st.out.Write(items)
	st.busySince.Store(nil)
	if err != nil {
		st.rewind(items, 0)
		return true, &writeError{err}
	}
	return ended, nil
}

// cut takes away what comes after the stream's end.
func (st *stream) cut(items []Item, r *request) ([]Item, bool) {
	if r.why == Ended || r.why == Lost {
		return items, false // read all that comes
	}
	if !r.atKeyframe || !st.video {
		st.rewind(items, 0)
		return nil, true
	}
	for i, it := range items {
		if it.Type == Frame && it.Frame.Kind == media.Video && it.Frame.Is(media.Keyframe) {
			st.rewind(items, i)
			return items[:i], true
		}
	}
	return items, false
}

// rewind counts back to before items[i].
func (st *stream) rewind(items []Item, i int) {
	for _, it := range items[i:] {
		switch it.Type {
		case Frame:
			st.next.Store(it.Seq)
			return
		case Gap:
			st.next.Store(it.From)
			return
		}
	}
}

// appendUnit makes an item of a unit, numbers a hole, and leaves out what was
// had before or is not wanted.
func (st *stream) appendUnit(items []Item, u demux.Unit) []Item {
	next := st.next.Load()
	switch u.Type {
	case demux.Header:
		if st.unwanted(u.Frame) {
			return items
		}
		return append(items, Item{Type: Header, Frame: u.Frame})
	case demux.Position:
		// Numbers that are passed over are of frames that we did not ask for:
		// what is missing comes as a gap.
		st.next.Store(max(next, u.Seq))
	case demux.Gap:
		if u.To > next {
			return st.gap(items, max(u.From, next), u.To, u.Reason)
		}
	case demux.Frame, demux.Skipped:
		if u.Seq < next {
			return items
		}
		st.next.Store(u.Seq + 1)
		if u.Type == demux.Skipped || st.unwanted(u.Frame) {
			return items
		}
		st.dts, st.timed = u.Frame.DTS, true
		st.video = st.video || u.Frame.Kind == media.Video
		return append(items, Item{Type: Frame, Seq: u.Seq, Frame: u.Frame})
	}
	return items
}

func (st *stream) gap(items []Item, from, to uint64, reason string) []Item {
	st.missed.Add(to - from)
	st.next.Store(to)
	return append(items, Item{Type: Gap, From: from, To: to, Reason: reason})
}

func (st *stream) unwanted(f *media.Frame) bool {
	return !st.allTracks && f.Flags&(media.Other|media.Extra) != 0
}

// detach asks for the stream's end and waits for it. Of several calls the
// first one's request counts. Without a deadline in r that of ctx holds.
func (st *stream) detach(ctx context.Context, r request) (Detached, uint64, error) {
	if r.deadline.IsZero() {
		var ok bool
		if r.deadline, ok = ctx.Deadline(); !ok {
			r.deadline = time.Now().Add(defaultTimeout)
		}
	}
	if r.why == Ended {
		r.room = time.Until(r.deadline) / 2
	}
	st.mu.Lock()
	if st.want == nil {
		st.want = &r
		close(st.asked)
	}
	st.mu.Unlock()
	giveUp := st.cancel
	if r.why == Ended {
		giveUp = func() {} // all of it is read; who asks once more is answered then
	}
	timer := time.AfterFunc(r.readOn(), giveUp)
	defer timer.Stop()
	select {
	case <-st.done:
		return st.result.detached, st.result.at, st.result.err
	case <-ctx.Done():
		giveUp()
		return Detached{}, 0, ctx.Err()
	}
}

// readOn is how long reading goes on: the plugin gets the rest of the time.
func (r *request) readOn() time.Duration {
	if r.why == Lost || r.atKeyframe {
		return time.Until(r.deadline) / 2
	}
	return 0
}

func (st *stream) health(now time.Time) *pluginv1.StreamHealth {
	h := &pluginv1.StreamHealth{
		Session: st.at.Session, NextSeq: st.next.Load(), Connected: st.connected.Load(), Missed: st.missed.Load(),
	}
	if since := st.busySince.Load(); since != nil {
		h.Busy = durationpb.New(now.Sub(*since))
	}
	return h
}

// backoff spaces attempts to connect.
type backoff struct{ last time.Duration }

// sleep waits, longer each time up to a second, and reports whether ctx is
// still alive.
func (b *backoff) sleep(ctx context.Context) bool {
	const least, most = 20 * time.Millisecond, time.Second
	b.last = min(max(2*b.last, least), most)
	select {
	case <-ctx.Done():
		return false
	case <-time.After(b.last/2 + rand.N(b.last/2)):
		return true
	}
}
