package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// RecordOptions of [Record]. A field that is 0 takes its default.
type RecordOptions struct {
	// Server is a millrace program with its plugins beside it; default this
	// one.
	Server string
	// Rows are the sets of plugins that are measured, each with a server of
	// its own; the empty set is the server alone.
	Rows [][]string
	// Pairs is how often a row is measured; default once.
	Pairs int
	// Publish is the load. Its URL and PID are set here; Duration is 20 s by
	// default.
	Publish PublishOptions
	// Dir is where records go, below a folder of their own that is removed;
	// default /dev/shm, so that no disk takes part, or else the usual place
	// for temporary files.
	Dir string
	// Nginx measures nginx with libnginx-mod-rtmp right after each row that it
	// can do as well: FLV by its record, HLS by its hls.
	Nginx bool
	// Progress is told what is being done; default nobody.
	Progress io.Writer
}

// DefaultRows are each recorder alone, those that nginx has, all, and none.
func DefaultRows() [][]string {
	return [][]string{{}, {"flv"}, {"hls"}, {"mp4"}, {"flv", "hls"}, {"flv", "hls", "mp4"}}
}

func (o RecordOptions) withDefaults() (RecordOptions, error) {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if len(o.Rows) == 0 {
		o.Rows = DefaultRows()
	}
	for _, row := range o.Rows {
		for _, name := range row {
			if !slices.Contains(recorders, name) {
				return o, fmt.Errorf("recorder %q is none of %q: %w", name, recorders, ErrOptions)
			}
		}
	}
	o.Pairs = max(o.Pairs, 1)
	if o.Publish.Duration == 0 {
		o.Publish.Duration = 20 * time.Second
	}
	if o.Dir == "" {
		o.Dir = memoryDir()
	}
	var err error
	o.Server, err = serverProgram(o.Server)
	return o, err
}

// memoryDir is a folder in memory, if there is one.
func memoryDir() string {
	const usual = "/dev/shm"
	if info, err := os.Stat(usual); err == nil && info.IsDir() {
		return usual
	}
	return os.TempDir()
}

// Record measures what recording costs: a server with plugins, and nginx, in
// turn, under synthetic publishers. When ctx ends, it reports what it has.
func Record(ctx context.Context, o RecordOptions) (RecordReport, error) {
	o, err := o.withDefaults()
	r := RecordReport{Machine: machineText(), Began: time.Now()}
	if err != nil {
		return r, err
	}
	for _, names := range o.Rows {
		for range o.Pairs {
			row, err := o.row(ctx, names)
			if ctx.Err() != nil && len(r.Rows) > 0 {
				return r, nil
			}
			if err != nil {
				return r, err
			}
			r.Rows = append(r.Rows, row)
			fmt.Fprintln(o.Progress, row.summary())
		}
	}
	return r, nil
}

func (o RecordOptions) row(ctx context.Context, names []string) (RecordRow, error) {
	row := RecordRow{Plugins: names}
	s, err := startRecording(ctx, o.Server, o.Dir, names)
	defer s.stop()
	if err != nil {
		return row, err
	}
	if row.Server, err = o.run(ctx, s); err != nil {
		return row, err
	}
	if !o.Nginx || !hasNginx() || slices.Contains(names, "mp4") {
		return row, nil
	}
	rival, err := startNginxRecording(ctx, o.Dir, names)
	defer rival.stop()
	if err != nil {
		return row, err
	}
	run, err := o.run(ctx, rival)
	row.Nginx = &run
	return row, err
}

// run publishes to one server, and waits until it has finished its files.
func (o RecordOptions) run(ctx context.Context, s *recording) (RecordRun, error) {
	m := &recordMeter{ctx: ctx, s: s}
	if err := m.find(); err != nil {
		return RecordRun{}, err
	}
	defer m.stop()
	publish := o.Publish
	publish.URL, publish.PID, publish.mark = s.url(RTMP), s.pid(), m.mark
	published, err := Publish(ctx, publish)
	if err == nil {
		err = m.awaitQuiet(o.Publish.Duration + quietLeast)
	}
	if err != nil {
		return RecordRun{}, fmt.Errorf("%w: %s", err, lastLine(s.stderr.String()))
	}
	run := m.report(published)
	s.process.stop()
	run.Records, err = readRecords(s.data)
	return run, err
}

// quietLeast is how long a server may take to finish its files, beside the
// time that it recorded.
const quietLeast = 10 * time.Second

// setName is that of a set of plugins.
func setName(plugins []string) string {
	if len(plugins) == 0 {
		return "none"
	}
	return strings.Join(plugins, "+")
}
