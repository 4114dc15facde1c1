package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"time"
)

// PlayOptions of [Play]. A field that is 0 takes its default.
type PlayOptions struct {
	// URL is that of a stream; of several if Streams is more than 1, which
	// have 1, 2, … at the end of their names.
	URL     string
	Streams int
	// Viewers is how many connections there are in all; default 1. Sample of
	// them are read in full; 0: 50, -1: none. Stalled of them are accepted
	// and then never read.
	Viewers, Sample, Stalled int
	// Ramp is in new connections a second; default 2,000.
	Ramp int
	// Settle is between the last viewer's start and the measured interval;
	// default 2 s. Duration is the interval's; default 10 s.
	Settle, Duration time.Duration
	// Threads that discard; default one per CPU. One more reads the sample.
	Threads int
	// Nap is how long those that discard let bytes gather before they look
	// for them; default 5 ms, negative: none. Over loopback it is the
	// server's system call that wakes up a thread which waits for its bytes:
	// a cost that viewers on other machines do not cause. Latency is that of
	// the sample, which does not nap.
	Nap time.Duration
	// PID is the server's process; 0: not measured. IdleRSS is its memory
	// without viewers, in bytes; 0: what it has before the first connects.
	PID     int
	IdleRSS int64
	// Metrics is the URL of a Millrace's /metrics; "": not read.
	Metrics string

	// mark is told of the measured interval's begin and end.
	mark func() error
}

func (o PlayOptions) withDefaults() PlayOptions {
	def := func(n *int, value int) {
		if *n == 0 {
			*n = value
		}
	}
	def(&o.Streams, 1)
	def(&o.Viewers, 1)
	def(&o.Sample, 50)
	def(&o.Ramp, 2000)
	def(&o.Threads, runtime.NumCPU())
	if o.Settle == 0 {
		o.Settle = 2 * time.Second
	}
	if o.Nap == 0 {
		o.Nap = 5 * time.Millisecond
	}
	if o.Duration == 0 {
		o.Duration = 10 * time.Second
	}
	o.Stalled = min(o.Stalled, o.Viewers)
	o.Sample = max(min(o.Sample, o.Viewers-o.Stalled), 0)
	if o.mark == nil {
		o.mark = func() error { return nil }
	}
	return o
}

// Errors that callers branch on.
var (
	// ErrOptions is returned for options that make no sense.
	ErrOptions = errors.New("options make no sense")
	// ErrNobody is returned when a server accepted none of the connections.
	ErrNobody = errors.New("the server accepted no connection")
)

// Play connects viewers, lets them settle, measures for a while and
// disconnects them. When ctx ends, the interval ends.
func Play(ctx context.Context, o PlayOptions) (PlayReport, error) {
	o = o.withDefaults()
	if o.Viewers < 1 || o.Streams < 1 || o.Ramp < 1 || o.Threads < 1 || o.Stalled < 0 {
		return PlayReport{}, fmt.Errorf("play: %w", ErrOptions)
	}
	t, err := parseTarget(ctx, o.URL)
	if err != nil {
		return PlayReport{}, err
	}
	if err := enoughDescriptors(o.Viewers); err != nil {
		return PlayReport{}, err
	}
	return play(ctx, o, t)
}

func play(ctx context.Context, o PlayOptions, t target) (PlayReport, error) {
	m, err := newMeter(o.PID, o.IdleRSS)
	if err != nil {
		return PlayReport{}, err
	}
	au, err := newAudience(o, t)
	if err != nil {
		return PlayReport{}, err
	}
	defer au.close()
	au.start()
	if err := au.settle(ctx); err != nil {
		return PlayReport{}, err
	}
	return au.measure(ctx, m)
}

// audience are all viewers.
type audience struct {
	options  PlayOptions
	protocol Protocol
	crowds   []*crowd
	sample   *crowd // one of crowds
}

// newAudience deals viewers out to threads: those that are read in full have
// one of their own, so that the latency they see is not that of our queues.
func newAudience(o PlayOptions, t target) (*audience, error) {
	au := &audience{options: o, protocol: t.protocol}
	for range o.Threads + 1 {
		c, err := newCrowd(t.protocol)
		if err != nil {
			au.close()
			return nil, err
		}
		au.crowds = append(au.crowds, c)
	}
	au.sample = au.crowds[o.Threads]
	for _, c := range au.crowds[:o.Threads] {
		c.poller.do(func() { c.poller.nap = o.Nap })
	}
	au.deal(t, time.Now())
	return au, nil
}

func (au *audience) deal(t target, begin time.Time) {
	o := au.options
	readers := 0
	for i := range o.Viewers {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(o.Ramp))
		stalled := spreadOver(i, o.Stalled, o.Viewers)
		parsed := !stalled && spreadOver(readers, o.Sample, o.Viewers-o.Stalled)
		c := au.crowds[i%o.Threads]
		if parsed {
			c = au.sample
		}
		if !stalled {
			readers++
		}
		c.add(t.of(i%o.Streams, o.Streams), i, due, parsed, stalled)
	}
}

// spreadOver chooses n of all indices, at even distances.
func spreadOver(i, n, all int) bool {
	return n > 0 && i*n/all != (i+1)*n/all
}

func (au *audience) start() {
	for _, c := range au.crowds {
		c.start()
	}
}

// settle waits until each viewer was accepted or not, and then for the server
// to find its pace.
func (au *audience) settle(ctx context.Context) error {
	for !au.settled() {
		if !pause(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
	if au.count().playing == 0 {
		return fmt.Errorf("%w: %v", ErrNobody, au.reasons())
	}
	pause(ctx, au.options.Settle)
	return nil
}

func (au *audience) settled() bool {
	for _, c := range au.crowds {
		if !c.settled() {
			return false
		}
	}
	return true
}

// pause waits; false: ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (au *audience) measure(ctx context.Context, m *meter) (PlayReport, error) {
	before, err := scrape(ctx, au.options.Metrics)
	if err != nil {
		return PlayReport{}, err
	}
	if err := errors.Join(m.start(au.pollers()), au.options.mark()); err != nil {
		return PlayReport{}, err
	}
	begun := time.Now()
	for _, c := range au.crowds {
		c.poller.do(func() { c.beginInterval(begun) })
	}
	pause(ctx, au.options.Duration)
	shares := au.endInterval(time.Now())
	usage := m.stop()
	if err := au.options.mark(); err != nil {
		return PlayReport{}, err
	}
	// The interval has ended, and with it perhaps ctx.
	after, err := scrape(context.WithoutCancel(ctx), au.options.Metrics)
	if err != nil {
		return PlayReport{}, err
	}
	return au.report(shares, usage, before.until(after)), nil
}

func (au *audience) endInterval(now time.Time) []share {
	var all []share
	for _, c := range au.crowds {
		c.poller.do(func() { all = append(all, c.endInterval(now)...) })
	}
	return all
}

func (au *audience) pollers() []*poller {
	var all []*poller
	for _, c := range au.crowds {
		all = append(all, c.poller)
	}
	return all
}

// counts are of viewers.
type counts struct{ playing, failed, ended, dropped int64 }

func (au *audience) count() counts {
	var n counts
	for _, c := range au.crowds {
		n.playing += c.playing.Load()
		n.failed += c.failed.Load()
		n.ended += c.ended.Load()
		n.dropped += c.dropped.Load()
	}
	return n
}

// reasons are those for which viewers ended, with their number.
func (au *audience) reasons() map[string]int {
	all := make(map[string]int)
	for _, c := range au.crowds {
		c.mu.Lock()
		mine := maps.Clone(c.reasons)
		c.mu.Unlock()
		for reason, n := range mine {
			all[reason] += n
		}
	}
	return all
}

func (au *audience) close() {
	for _, c := range au.crowds {
		c.close()
	}
}
