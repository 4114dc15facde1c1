package bench

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"time"
)

// FloorOptions of [Floor]. A field that is 0 takes its default.
type FloorOptions struct {
	// Play are the viewers'; URL, PID, IdleRSS and Metrics are the floor's
	// own to set.
	Play PlayOptions
	// Writer is what the other end does.
	Writer WriterOptions
	// Command runs [RunWriter] with the arguments that are added to it;
	// default this program, with "bench floor-writer".
	Command []string
}

// FloorReport is what the kernel takes at least.
type FloorReport struct {
	PlayReport
	Writer WriterCounts `json:"writer"` // in the measured interval
}

// Floor measures a process that does nothing but write frames to sockets, as
// [Play] measures a server.
func Floor(ctx context.Context, o FloorOptions) (FloorReport, error) {
	o.Play = o.Play.withDefaults()
	if err := enoughDescriptors(o.Play.Viewers); err != nil {
		return FloorReport{}, err
	}
	child, err := startWriter(ctx, o.Command, o.Writer)
	if err != nil {
		return FloorReport{}, err
	}
	defer child.stop()
	o.Play.PID, o.Play.Metrics = child.pid(), ""
	counts := interval{child: child}
	o.Play.mark = counts.mark
	t := target{protocol: HTTPFLV, host: child.addr.String(), addr: child.addr, name: "/", tls: o.Writer.TLS}
	r, err := play(ctx, o.Play, t)
	return FloorReport{PlayReport: r, Writer: counts.of()}, err
}

// WriteText writes the report for people.
func (r FloorReport) WriteText(w io.Writer) error {
	if err := r.PlayReport.WriteText(w); err != nil {
		return err
	}
	t := newTable(w)
	t.row("writer", "%.2f frames per write, %d writes (%d partial), %d viewers given up",
		r.Writer.FramesPerWrite, r.Writer.Calls, r.Writer.Partial, r.Writer.GivenUp)
	return t.flush()
}

// IngestFloorOptions of [IngestFloor].
type IngestFloorOptions struct {
	// Publish are the publishers'; URL and PID are the floor's own to set.
	Publish PublishOptions
	// Threads that read; default 2.
	Threads int
	// Command is as in [FloorOptions].
	Command []string
}

// IngestFloorReport is what the kernel takes at least.
type IngestFloorReport struct {
	PublishReport
	Reader WriterCounts `json:"reader"` // in the measured interval
}

// IngestFloor measures a process that does nothing but read from sockets, as
// [Publish] measures a server.
func IngestFloor(ctx context.Context, o IngestFloorOptions) (IngestFloorReport, error) {
	o.Publish = o.Publish.withDefaults()
	child, err := startWriter(ctx, o.Command, WriterOptions{Ingest: true, Threads: o.Threads})
	if err != nil {
		return IngestFloorReport{}, err
	}
	defer child.stop()
	o.Publish.PID = child.pid()
	counts := interval{child: child}
	o.Publish.mark = counts.mark
	r, err := publish(ctx, o.Publish, target{protocol: raw, addr: child.addr})
	return IngestFloorReport{PublishReport: r, Reader: counts.of()}, err
}

// WriteText writes the report for people.
func (r IngestFloorReport) WriteText(w io.Writer) error {
	if err := r.PublishReport.WriteText(w); err != nil {
		return err
	}
	t := newTable(w)
	t.row("reader", "%.3f GB in %d reads", float64(r.Reader.Bytes)/1e9, r.Reader.Calls)
	return t.flush()
}

// interval asks a child for its counts at both ends.
type interval struct {
	child *writerProcess
	marks []WriterCounts
}

func (i *interval) mark() error {
	c, err := i.child.counts()
	i.marks = append(i.marks, c)
	return err
}

func (i *interval) of() WriterCounts {
	if len(i.marks) < 2 {
		return WriterCounts{}
	}
	return i.marks[1].since(i.marks[0])
}

// loopback is where floors listen.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// WriterOptions are what the bare process does.
type WriterOptions struct {
	Shape Shape
	// PerWrite is how many frames a viewer gets in one write, on average; at
	// most 1: each frame at once. Default 1.
	PerWrite float64
	// Threads default to 2.
	Threads int
	// Ingest has it read instead.
	Ingest bool
	// TLS has it write by way of crypto/tls.
	TLS bool
}

func (o WriterOptions) withDefaults() WriterOptions {
	o.Shape = o.Shape.withDefaults()
	o.PerWrite = max(o.PerWrite, 1)
	if o.Threads == 0 {
		o.Threads = 2
	}
	return o
}

// window is how long frames gather.
func (o WriterOptions) window() time.Duration {
	return time.Duration(o.PerWrite / o.Shape.TagRate() * float64(time.Second))
}

// WriterCounts are what a bare process did.
type WriterCounts struct {
	Calls          uint64  `json:"calls"` // of write or read
	Frames         uint64  `json:"frames,omitempty"`
	Bytes          uint64  `json:"bytes"`
	Partial        uint64  `json:"partial,omitempty"`
	GivenUp        uint64  `json:"given_up,omitempty"` // viewers that were too slow
	FramesPerWrite float64 `json:"frames_per_write,omitempty"`
}

func (c WriterCounts) since(before WriterCounts) WriterCounts {
	d := WriterCounts{
		Calls: c.Calls - before.Calls, Frames: c.Frames - before.Frames, Bytes: c.Bytes - before.Bytes,
		Partial: c.Partial - before.Partial, GivenUp: c.GivenUp - before.GivenUp,
	}
	d.FramesPerWrite = float64(d.Frames) / float64(max(d.Calls, 1))
	return d
}

func (c WriterCounts) plus(d WriterCounts) WriterCounts {
	return WriterCounts{
		Calls: c.Calls + d.Calls, Frames: c.Frames + d.Frames, Bytes: c.Bytes + d.Bytes,
		Partial: c.Partial + d.Partial, GivenUp: c.GivenUp + d.GivenUp,
	}
}

// args are the options as the child reads them.
func (o WriterOptions) args() []string {
	o = o.withDefaults()
	return []string{
		"-bitrate", fmt.Sprint(o.Shape.Bitrate), "-fps", fmt.Sprint(o.Shape.FPS), "-gop", o.Shape.GOP.String(),
		fmt.Sprintf("-audio=%t", !o.Shape.NoAudio), "-frames-per-write", fmt.Sprint(o.PerWrite),
		"-threads", fmt.Sprint(o.Threads), fmt.Sprintf("-ingest=%t", o.Ingest), fmt.Sprintf("-tls=%t", o.TLS),
	}
}
