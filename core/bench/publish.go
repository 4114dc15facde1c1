package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// PublishOptions of [Publish]. A field that is 0 takes its default.
type PublishOptions struct {
	// URL is that of a stream; of several if Streams is more than 1, which
	// get 1, 2, … at the end of their names.
	URL     string
	Streams int
	Shape   Shape
	// Ramp is in new publishers a second; default 250.
	Ramp int
	// Settle is between the last publisher's start and the measured
	// interval; default 1 s. Duration is the interval's; 0: until ctx ends.
	Settle, Duration time.Duration
	// Threads that send; default 1.
	Threads int
	// PID is the server's process; 0: not measured.
	PID int
	// Ready, if not nil, is called when all publishers are under way.
	Ready func()

	mark func() error
}

func (o PublishOptions) withDefaults() PublishOptions {
	o.Streams = max(o.Streams, 1)
	if o.Ramp == 0 {
		o.Ramp = 250
	}
	if o.Settle == 0 {
		o.Settle = time.Second
	}
	o.Threads = min(max(o.Threads, 1), o.Streams)
	o.Shape = o.Shape.withDefaults()
	if o.Ready == nil {
		o.Ready = func() {}
	}
	if o.mark == nil {
		o.mark = func() error { return nil }
	}
	return o
}

// Publish publishes until the interval or ctx ends.
func Publish(ctx context.Context, o PublishOptions) (PublishReport, error) {
	o = o.withDefaults()
	t, err := parseTarget(ctx, o.URL)
	if err != nil {
		return PublishReport{}, err
	}
	if t.protocol != RTMP || t.tls || o.Ramp < 1 {
		return PublishReport{}, fmt.Errorf("publish to %s: %w", o.URL, ErrOptions)
	}
	return publish(ctx, o, t)
}

func publish(ctx context.Context, o PublishOptions, t target) (PublishReport, error) {
	if err := enoughDescriptors(o.Streams); err != nil {
		return PublishReport{}, err
	}
	m, err := newMeter(o.PID, 0)
	if err != nil {
		return PublishReport{}, err
	}
	st, err := newStudio(o, t)
	if err != nil {
		return PublishReport{}, err
	}
	defer st.close()
	if err := st.settle(ctx); err != nil {
		return PublishReport{}, err
	}
	o.Ready()
	return st.measure(ctx, m)
}

// studio are all publishers.
type studio struct {
	options PublishOptions
	pacers  []*pacer
}

func newStudio(o PublishOptions, t target) (*studio, error) {
	st := &studio{options: o}
	for range o.Threads {
		p, err := newPacer(o.Shape)
		if err != nil {
			st.close()
			return nil, err
		}
		st.pacers = append(st.pacers, p)
	}
	begin := time.Now()
	for i := range o.Streams {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(o.Ramp))
		st.pacers[i%o.Threads].add(t.of(i, o.Streams), due)
	}
	for _, p := range st.pacers {
		p.start()
	}
	return st, nil
}

func (st *studio) settle(ctx context.Context) error {
	for slices.ContainsFunc(st.pacers, func(p *pacer) bool { return !p.settled() }) {
		if !pause(ctx, 10*time.Millisecond) {
			return ctx.Err()
		}
	}
	var started int64
	for _, p := range st.pacers {
		started += p.started.Load()
	}
	if started == 0 {
		return fmt.Errorf("%w: %v", ErrNobody, st.totals().reasons)
	}
	pause(ctx, st.options.Settle)
	return nil
}

func (st *studio) measure(ctx context.Context, m *meter) (PublishReport, error) {
	if err := errors.Join(m.start(st.pollers()), st.options.mark()); err != nil {
		return PublishReport{}, err
	}
	for _, p := range st.pacers {
		p.poller.do(p.beginInterval)
	}
	if st.options.Duration > 0 {
		pause(ctx, st.options.Duration)
	} else {
		<-ctx.Done()
	}
	r := st.report(st.totals(), m.stop())
	err := st.options.mark()
	for _, p := range st.pacers {
		p.stop()
	}
	// A close with unread bytes is a reset, which takes the farewell with it.
	pause(context.WithoutCancel(ctx), farewellTime)
	return r, err
}

const farewellTime = 200 * time.Millisecond

func (st *studio) totals() totals {
	t := totals{reasons: make(map[string]int)}
	for _, p := range st.pacers {
		p.poller.do(func() { p.endInterval(&t) })
	}
	return t
}

func (st *studio) pollers() []*poller {
	var all []*poller
	for _, p := range st.pacers {
		all = append(all, p.poller)
	}
	return all
}

func (st *studio) close() {
	for _, p := range st.pacers {
		p.close()
	}
}

// PublishReport is what publishers sent, over the measured interval unless
// noted. Bytes are those of media messages with their RTMP headers; GB are 10⁹
// of them.
type PublishReport struct {
	Streams  int            `json:"streams"`
	Started  int64          `json:"started"`     // accepted, ever
	Refused  int64          `json:"refused"`     // not accepted, ever
	Ended    int64          `json:"ended_early"` // by the server, ever
	Reasons  map[string]int `json:"reasons,omitempty"`
	Bytes    uint64         `json:"bytes"`
	AllBytes uint64         `json:"all_bytes"` // ever
	Tags     uint64         `json:"tags"`
	GbitPerS float64        `json:"gbit_per_s"`
	// LateMS is from when a tag was due to when the socket had taken it.
	LateMS   Spread   `json:"late_ms"`
	Usage    Usage    `json:"usage"`
	PerGB    float64  `json:"cpu_s_per_gb,omitempty"`
	PerTagUS float64  `json:"cpu_us_per_tag,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

func (st *studio) report(t totals, usage Usage) PublishReport {
	r := PublishReport{
		Streams: st.options.Streams, Reasons: t.reasons, Bytes: t.bytes, AllBytes: t.all, Tags: t.tags,
		GbitPerS: float64(t.bytes) * 8 / 1e9 / usage.Seconds,
		LateMS:   t.late.spread(), Usage: usage, Warnings: usage.warnings(),
	}
	for _, p := range st.pacers {
		r.Started += p.started.Load()
		r.Refused += p.refused.Load()
		r.Ended += p.lost.Load()
	}
	if usage.PID != 0 && t.bytes > 0 {
		r.PerGB = usage.CPUSeconds() / (float64(t.bytes) / 1e9)
		r.PerTagUS = usage.CPUSeconds() / float64(t.tags) * 1e6
	}
	return r
}

// steadyWithin is how late a steady publisher's tags may be, in ms.
const steadyWithin = 1000

// Sound reports whether all publishers were served steadily.
func (r PublishReport) Sound() bool {
	return r.Refused == 0 && r.Ended == 0 && r.LateMS.Max <= steadyWithin
}

// WriteText writes the report for people.
func (r PublishReport) WriteText(w io.Writer) error {
	t := newTable(w)
	t.row("publishers", "%d started, %d refused, %d ended early", r.Started, r.Refused, r.Ended)
	t.row("sent", "%.3f GB in %.1f s, %.3f Gbit/s, %d tags", float64(r.Bytes)/1e9, r.Usage.Seconds, r.GbitPerS, r.Tags)
	t.row("late", "%s", r.LateMS)
	r.Usage.write(t, "server")
	if r.Usage.PID != 0 {
		t.row("cost", "%.3f CPU s/GB, %.2f µs per tag", r.PerGB, r.PerTagUS)
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Reasons)) {
		t.row("ended", "%d × %s", r.Reasons[reason], reason)
	}
	for _, warning := range r.Warnings {
		t.row("WARNING", "%s", warning)
	}
	return t.flush()
}
