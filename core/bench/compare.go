package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"
)

// CompareOptions of [Compare]. A field that is 0 takes its default.
type CompareOptions struct {
	// Server is a millrace program; default this one.
	Server string
	Grids  []Grid
	// Pairs of runs, of the server and of the floor in turn; default 1.
	Pairs int
	// Publishers is how many publish at once, without viewers, in a cell of
	// its own; 0: none.
	Publishers int
	// Duration of each run's measured interval; default 10 s.
	Duration time.Duration
	Shape    Shape
	// Nginx measures nginx with libnginx-mod-rtmp as well, for RTMP with the
	// window "auto", if it is installed.
	Nginx bool
	// Progress is told what is being done; default nobody.
	Progress io.Writer
}

// Grid is measured in all combinations.
type Grid struct {
	Viewers   []int
	Protocols []Protocol
	Windows   []string // stream.merge_window
}

// Quick are the options of a comparison of about ten minutes.
func Quick() CompareOptions {
	return CompareOptions{
		Grids: []Grid{{Viewers: []int{100, 1000, 5000, 10000}, Protocols: []Protocol{HTTPFLV, RTMP, WSFLV}, Windows: []string{"auto"}}},
		Pairs: 1, Publishers: 500, Duration: 5 * time.Second, Nginx: true,
	}
}

// Full are the options of a comparison of two hours.
func Full() CompareOptions {
	return CompareOptions{
		Grids: []Grid{
			{Viewers: []int{100, 1000, 2000, 5000, 10000}, Protocols: []Protocol{HTTPFLV, RTMP, WSFLV}, Windows: []string{"auto"}},
			{Viewers: []int{19000}, Protocols: []Protocol{HTTPFLV}, Windows: []string{"auto"}},
			{Viewers: []int{1000, 2000}, Protocols: []Protocol{HTTPFLV, RTMP}, Windows: []string{"0s", "60ms", "120ms", "200ms"}},
		},
		Pairs: 5, Publishers: 500, Duration: 10 * time.Second, Nginx: true,
	}
}

func (o CompareOptions) withDefaults() (CompareOptions, error) {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if o.Duration == 0 {
		o.Duration = 10 * time.Second
	}
	o.Pairs = max(o.Pairs, 1)
	o.Shape = o.Shape.withDefaults()
	for _, c := range o.cells() {
		if known := []Protocol{RTMP, HTTPFLV, WSFLV, RTMPS, HTTPSFLV, WSSFLV}; !slices.Contains(known, c.Protocol) {
			return o, fmt.Errorf("protocol %q is none of %q: %w", c.Protocol, known, ErrOptions)
		}
	}
	var err error
	o.Server, err = serverProgram(o.Server)
	return o, err
}

// cells are all combinations.
func (o CompareOptions) cells() (all []Cell) {
	for _, g := range o.Grids {
		for _, window := range g.Windows {
			for _, protocol := range g.Protocols {
				for _, n := range g.Viewers {
					all = append(all, Cell{Viewers: n, Protocol: protocol, Window: window})
				}
			}
		}
	}
	return all
}

// comparison is a [Compare] under way. Each load is a process of its own, so
// that the kernel shares the processors out, not one scheduler.
type comparison struct {
	options CompareOptions
	bench   []string // the command of this program
	idleRSS int64    // of the server of the cell under way, with a publisher
}

// Compare measures a server against the floor at the same number of frames per
// write, in turn, with a fresh server for each cell of the table. When ctx
// ends, it reports what it has.
func Compare(ctx context.Context, o CompareOptions) (CompareReport, error) {
	o, err := o.withDefaults()
	if err != nil {
		return CompareReport{}, err
	}
	self, err := thisProgram()
	if err != nil {
		return CompareReport{}, err
	}
	c := comparison{options: o, bench: self}
	r := CompareReport{Machine: machineText(), Began: time.Now()}
	err = c.cells(ctx, &r)
	if err == nil && o.Publishers > 0 {
		err = c.ingest(ctx, &r)
	}
	if ctx.Err() != nil && len(r.Cells)+len(r.Ingest) > 0 {
		err = nil
	}
	return r, err
}

func (c *comparison) cells(ctx context.Context, r *CompareReport) error {
	for _, cell := range c.options.cells() {
		err := c.cell(ctx, &cell)
		if len(cell.Pairs) > 0 {
			r.Cells = append(r.Cells, cell)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cell measures pairs against one server.
func (c *comparison) cell(ctx context.Context, cell *Cell) error {
	s, err := startMillrace(ctx, c.options.Server, cell.Window)
	stop, err := c.broadcast(ctx, s, err)
	defer stop()
	if err != nil {
		return err
	}
	var rival *subject
	if c.options.Nginx && cell.Protocol == RTMP && cell.Window == "auto" && hasNginx() {
		rival, err = startNginx(ctx)
		stop, err := c.broadcast(ctx, rival, err)
		defer stop()
		if err != nil {
			return err
		}
	}
	// Every run of the cell counts from here: memory does not shrink when
	// viewers leave.
	if c.idleRSS, _, err = resident(s.pid()); err != nil {
		return err
	}
	return c.pairs(ctx, cell, s, rival)
}

// broadcast starts a publisher to a server that was just started, unless that
// failed with err; stop ends what runs.
func (c *comparison) broadcast(ctx context.Context, s *subject, err error) (stop func(), _ error) {
	if err != nil {
		return s.stop, err
	}
	publisher, err := c.startPublisher(ctx, s)
	if err != nil {
		return s.stop, err
	}
	return func() { publisher.stop(); s.stop() }, nil
}

func (c *comparison) pairs(ctx context.Context, cell *Cell, s, rival *subject) error {
	for i := range c.options.Pairs {
		p, err := c.quietPair(ctx, cell, s, rival)
		if err != nil {
			return err
		}
		cell.Pairs = append(cell.Pairs, p)
		c.say("%s, window %s, %d viewers, pair %d of %d: %.3f against %.3f s/GB at %.1f frames per write",
			cell.Protocol, cell.Window, cell.Viewers, i+1, c.options.Pairs, p.Server.PerGB, p.Floor.PerGB, p.perWrite())
	}
	return nil
}

// patience is how often a pair is measured anew when other programs disturb it.
const patience = 2

// quietPair is a pair that nobody disturbed, if there is one to be had.
func (c *comparison) quietPair(ctx context.Context, cell *Cell, s, rival *subject) (p Pair, err error) {
	for try := 0; ; try++ {
		p, err = c.pair(ctx, cell, s, rival)
		if err != nil || try == patience || !p.disturbed() {
			return p, err
		}
		c.say("%s, window %s, %d viewers: other programs took part; again", cell.Protocol, cell.Window, cell.Viewers)
	}
}

func (c *comparison) say(format string, args ...any) {
	fmt.Fprintf(c.options.Progress, format+"\n", args...) // progress only
}

// pair runs the server, then the floor at the frames per write that the server
// had, then the rival.
func (c *comparison) pair(ctx context.Context, cell *Cell, s, rival *subject) (Pair, error) {
	var p Pair
	if err := c.play(ctx, cell, s, &p.Server, "-idle-rss", fmt.Sprint(c.idleRSS)); err != nil {
		return p, err
	}
	floor := c.command("floor", c.shape(), "-n", fmt.Sprint(cell.Viewers), "-duration", c.options.Duration.String(),
		"-frames-per-write", fmt.Sprint(p.perWrite()), "-threads", fmt.Sprint(runtime.NumCPU()),
		fmt.Sprintf("-tls=%t", cell.Protocol.secure()), "-json")
	if err := runReport(ctx, floor, &p.Floor); err != nil {
		return p, err
	}
	if rival == nil {
		return p, nil
	}
	p.Nginx = new(PlayReport)
	err := c.play(ctx, cell, rival, p.Nginx)
	if errors.Is(err, errNoReport) {
		p.Nginx, err = nil, nil // it could not
	}
	return p, err
}

func (c *comparison) play(ctx context.Context, cell *Cell, s *subject, r *PlayReport, more ...string) error {
	return runReport(ctx, c.command("play", more, "-url", s.url(cell.Protocol), "-n", fmt.Sprint(cell.Viewers),
		"-duration", c.options.Duration.String(), "-pid", fmt.Sprint(s.pid()), "-metrics", s.metrics(), "-json"), r)
}

// command runs a subcommand of bench.
func (c *comparison) command(name string, first []string, args ...string) []string {
	return slices.Concat(c.bench, []string{name}, first, args)
}

func (c *comparison) shape() []string {
	s := c.options.Shape
	return []string{"-bitrate", fmt.Sprint(s.Bitrate), "-fps", fmt.Sprint(s.FPS), "-gop", s.GOP.String(), fmt.Sprintf("-audio=%t", !s.NoAudio)}
}

// startPublisher publishes to s until stopped.
func (c *comparison) startPublisher(ctx context.Context, s *subject) (*process, error) {
	p, err := startProcess(c.command("publish", c.shape(), "-url", s.url(RTMP), "-json"))
	if err != nil {
		return nil, err
	}
	err = p.await(ctx, "publishing", func() bool { return strings.Contains(p.stderr.String(), "publishing") })
	if err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// ingest measures publishers without viewers.
func (c *comparison) ingest(ctx context.Context, r *CompareReport) error {
	for i := range c.options.Pairs {
		p, err := c.ingestPair(ctx)
		if err != nil {
			return err
		}
		r.Ingest = append(r.Ingest, p)
		c.say("%d publishers, pair %d of %d: %.3f against %.3f s/GB", p.Server.Streams, i+1, c.options.Pairs, p.Server.PerGB, p.Floor.PerGB)
	}
	return nil
}

func (c *comparison) ingestPair(ctx context.Context) (p IngestPair, err error) {
	s, err := startMillrace(ctx, c.options.Server, "auto")
	defer s.stop()
	if err != nil {
		return p, err
	}
	if err := c.publish(ctx, s, &p.Server); err != nil {
		return p, err
	}
	floor := c.command("floor", c.shape(), "-ingest", "-n", fmt.Sprint(c.options.Publishers), "-duration", c.options.Duration.String(),
		"-threads", fmt.Sprint(runtime.NumCPU()), "-json")
	if err := runReport(ctx, floor, &p.Floor); err != nil {
		return p, err
	}
	if !c.options.Nginx || !hasNginx() {
		return p, nil
	}
	rival, err := startNginx(ctx)
	defer rival.stop()
	if err != nil {
		return p, err
	}
	p.Nginx = new(PublishReport)
	return p, c.publish(ctx, rival, p.Nginx)
}

// ringsFill is how long rings fill and the heap grows: what follows is what
// publishers go on to cost.
const ringsFill = 30 * time.Second

func (c *comparison) publish(ctx context.Context, s *subject, r *PublishReport) error {
	return runReport(ctx, c.command("publish", c.shape(), "-url", s.url(RTMP), "-n", fmt.Sprint(c.options.Publishers),
		"-settle", min(ringsFill, 10*c.options.Duration).String(), "-duration", c.options.Duration.String(), "-pid", fmt.Sprint(s.pid()), "-json"), r)
}
