package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/millrace/millrace/core/bench"
)

const benchUsage = `Usage:
  millrace bench publish -url rtmp://HOST/APP/NAME [flags]   publish synthetic streams
  millrace bench play -url URL [flags]                       watch with many viewers, and measure
  millrace bench floor [flags]                               what the kernel takes at least
  millrace bench compare [flags]                             server against floor, in pairs
  millrace bench record [flags]                              what recording costs, beside nginx
  millrace bench hooks [flags]                               what scripts do to viewers

play takes rtmp://HOST/APP/NAME, http://HOST/APP/NAME.flv and ws://HOST/APP/NAME.flv,
and these over TLS as rtmps, https (HTTP/1.1) and wss; any certificate will do.
publish stamps its frames with the time and a number, by which play finds what
was lost and how late the rest came; the two may run on different machines, if
their clocks agree. -pid names a server's process on this machine, whose CPU and
memory are reported. hooks starts servers of its own with scripts: some that mean
harm, while the loops are asked how long they keep others waiting, and one that
waits for an HTTP server, while many viewers come. record starts servers of its own, with the plugins beside
this program, and nginx after each where that can do the same. Each command ends
by itself, or at ^C, and prints a report, as JSON with -json. "millrace bench
COMMAND -h" lists the flags.

Exit status: 0 done; 1 failed, or, with -strict, a viewer did not get all;
2 usage.
`

// report is what each of the commands ends with.
type report interface {
	WriteText(io.Writer) error
	// Sound reports whether all was delivered.
	Sound() bool
}

// benchCommand is one of the commands: run is called once the flags are read.
type benchCommand struct {
	flags        *flag.FlagSet
	run          func(context.Context) (report, error)
	json, strict bool
}

// runBench loads a server and measures it.
func runBench(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, benchUsage)
		return exitUsage
	}
	set, ok := benchCommands[args[0]]
	switch {
	case slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]):
		fmt.Fprint(stdout, benchUsage)
		return exitDone
	case args[0] == "floor-writer":
		return floorWriter(args[1:], stderr)
	case !ok:
		fmt.Fprintf(stderr, "millrace bench: unknown command %q\n%s", args[0], benchUsage)
		return exitUsage
	}
	c := newBenchCommand(args[0], stderr)
	set(c, stderr)
	if err := c.flags.Parse(args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return exitDone
		}
		return exitUsage
	}
	if c.flags.NArg() > 0 {
		fmt.Fprintf(stderr, "millrace bench %s: unexpected argument %q\n", args[0], c.flags.Arg(0))
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	r, err := c.run(ctx)
	if err != nil {
		fmt.Fprintf(stderr, "millrace bench %s: %v\n", args[0], err)
		return exitFailed
	}
	return c.finish(r, stdout, stderr)
}

func newBenchCommand(name string, stderr io.Writer) *benchCommand {
	c := &benchCommand{flags: flag.NewFlagSet("millrace bench "+name, flag.ContinueOnError)}
	c.flags.SetOutput(stderr)
	c.flags.BoolVar(&c.json, "json", false, "print the report as JSON")
	c.flags.BoolVar(&c.strict, "strict", false, "exit with 1 if anybody did not get all, in time")
	return c
}

// finish prints the report.
func (c *benchCommand) finish(r report, stdout, stderr io.Writer) int {
	var err error
	if c.json {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		err = e.Encode(r)
	} else {
		err = r.WriteText(stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "millrace bench:", err)
		return exitFailed
	}
	if c.strict && !r.Sound() {
		return exitFailed
	}
	return exitDone
}

// benchCommands give a command its flags and what it runs.
var benchCommands = map[string]func(*benchCommand, io.Writer){
	"publish": benchPublish,
	"play":    benchPlay,
	"floor":   benchFloor,
	"compare": benchCompare,
	"record":  benchRecord,
	"hooks":   benchHooks,
}

func benchPublish(c *benchCommand, stderr io.Writer) {
	var o bench.PublishOptions
	shape := shapeFlags(c.flags)
	c.flags.StringVar(&o.URL, "url", "", "rtmp://HOST[:PORT]/APP/NAME")
	publishFlags(c.flags, &o)
	c.flags.DurationVar(&o.Duration, "duration", 0, "of the measured interval; 0: until ^C")
	c.flags.IntVar(&o.PID, "pid", 0, "process of the server, to measure it")
	o.Ready = func() { fmt.Fprintln(stderr, "publishing") }
	c.run = func(ctx context.Context) (report, error) {
		if err := errors.Join(needURL(o.URL), shape(&o.Shape)); err != nil {
			return nil, err
		}
		return bench.Publish(ctx, o)
	}
}

// publishFlags are those of all that publish.
func publishFlags(flags *flag.FlagSet, o *bench.PublishOptions) {
	flags.IntVar(&o.Streams, "n", 1, "streams; more than one have 1, 2, … at the end of their names")
	flags.IntVar(&o.Ramp, "ramp", 250, "new publishers a second")
	flags.DurationVar(&o.Settle, "settle", 0, "from the last publisher's start to the measured interval (default 1s)")
}

func benchPlay(c *benchCommand, _ io.Writer) {
	var o bench.PlayOptions
	c.flags.StringVar(&o.URL, "url", "", "rtmp[s]://HOST/APP/NAME, http[s]://HOST/APP/NAME.flv or ws[s]://HOST/APP/NAME.flv")
	c.flags.IntVar(&o.Streams, "streams", 1, "streams to spread over, with 1, 2, … at the end of their names")
	playFlags(c.flags, &o)
	c.flags.IntVar(&o.PID, "pid", 0, "process of the server, to measure it")
	c.flags.Int64Var(&o.IdleRSS, "idle-rss", 0, "the server's memory without viewers, in bytes (default what it has before the first)")
	c.flags.StringVar(&o.Metrics, "metrics", "", "URL of a Millrace's /metrics, such as http://127.0.0.1:8502/metrics")
	c.run = func(ctx context.Context) (report, error) {
		if err := needURL(o.URL); err != nil {
			return nil, err
		}
		return bench.Play(ctx, o)
	}
}

// playFlags are those of all that watch.
func playFlags(flags *flag.FlagSet, o *bench.PlayOptions) {
	flags.IntVar(&o.Viewers, "n", 1, "viewers")
	flags.IntVar(&o.Sample, "sample", 0, "viewers that are read in full; -1: none (default 50)")
	flags.IntVar(&o.Stalled, "stalled", 0, "viewers that never read")
	flags.IntVar(&o.Ramp, "ramp", 2000, "new viewers a second")
	flags.DurationVar(&o.Settle, "settle", 0, "from the last viewer's start to the measured interval (default 2s)")
	flags.DurationVar(&o.Duration, "duration", 0, "of the measured interval (default 10s)")
	flags.DurationVar(&o.Nap, "nap", 0, "how long bytes gather before viewers that discard look for them; negative: none (default 5ms)")
	flags.IntVar(&o.Threads, "client-threads", 0, "threads for the viewers (default one per CPU); one more reads the sample")
}

func benchFloor(c *benchCommand, _ io.Writer) {
	var o bench.FloorOptions
	var publish bench.PublishOptions
	shape := shapeFlags(c.flags)
	playFlags(c.flags, &o.Play)
	c.flags.Float64Var(&o.Writer.PerWrite, "frames-per-write", 1, "on average; 1: each frame at once")
	c.flags.IntVar(&o.Writer.Threads, "threads", 2, "threads of the bare process, as a server has loops")
	c.flags.BoolVar(&o.Writer.Ingest, "ingest", false, "read from -n publishers instead")
	c.flags.BoolVar(&o.Writer.TLS, "tls", false, "write by way of crypto/tls")
	c.run = func(ctx context.Context) (report, error) {
		if err := shape(&o.Writer.Shape); err != nil {
			return nil, err
		}
		if !o.Writer.Ingest {
			return bench.Floor(ctx, o)
		}
		if o.Writer.TLS {
			return nil, errors.New("-ingest and -tls do not go together")
		}
		publish.Streams, publish.Shape = o.Play.Viewers, o.Writer.Shape
		publish.Settle, publish.Duration = o.Play.Settle, o.Play.Duration
		return bench.IngestFloor(ctx, bench.IngestFloorOptions{Publish: publish, Threads: o.Writer.Threads})
	}
}

// floorWriter is the process that bench floor starts and measures.
func floorWriter(args []string, stderr io.Writer) int {
	var o bench.WriterOptions
	flags := flag.NewFlagSet("millrace bench floor-writer", flag.ContinueOnError)
	flags.SetOutput(stderr)
	shape := shapeFlags(flags)
	flags.Float64Var(&o.PerWrite, "frames-per-write", 1, "")
	flags.IntVar(&o.Threads, "threads", 2, "")
	flags.BoolVar(&o.Ingest, "ingest", false, "")
	flags.BoolVar(&o.TLS, "tls", false, "")
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	err := shape(&o.Shape)
	if err == nil {
		err = bench.RunWriter(o, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "millrace bench floor-writer:", err)
		return exitFailed
	}
	return exitDone
}

// shapeFlags are those of a synthetic stream; what is returned reads them.
func shapeFlags(flags *flag.FlagSet) func(*bench.Shape) error {
	bitrate := flags.String("bitrate", "500k", "bit/s of audio and video together")
	fps := flags.Float64("fps", 25, "pictures a second")
	gop := flags.Duration("gop", 0, "from keyframe to keyframe (default 2s)")
	audio := flags.Bool("audio", true, "AAC beside the pictures, 43 frames a second")
	tags := flags.String("tags", "", "tags a second in all, such as 68/s: sets -fps")
	return func(s *bench.Shape) (err error) {
		s.FPS, s.GOP, s.NoAudio = *fps, *gop, !*audio
		if s.Bitrate, err = bench.ParseBitrate(*bitrate); err != nil || *tags == "" {
			return err
		}
		rate, err := bench.ParseTagRate(*tags)
		if err == nil {
			*s, err = s.WithTagRate(rate)
		}
		return err
	}
}

func needURL(url string) error {
	if url == "" {
		return errors.New("-url is needed")
	}
	return nil
}

func benchCompare(c *benchCommand, stderr io.Writer) {
	full := c.flags.Bool("full", false, "all of core/BENCHMARKS.md, two hours; otherwise ten minutes")
	server := c.flags.String("server", "", "the server's program (default this one)")
	grid := gridFlags(c.flags)
	pairs := c.flags.Int("pairs", 0, "runs of server and floor, in turn")
	publishers := c.flags.Int("publishers", -1, "that publish at once in a measurement of their own; 0: none")
	duration := c.flags.Duration("duration", 0, "of each measured interval")
	nginx := c.flags.Bool("nginx", true, "measure nginx with libnginx-mod-rtmp as well, if it is installed")
	shape := shapeFlags(c.flags)
	c.run = func(ctx context.Context) (report, error) {
		o := bench.Quick()
		if *full {
			o = bench.Full()
		}
		o.Server, o.Nginx, o.Progress = *server, *nginx, stderr
		override(&o.Pairs, *pairs, *pairs > 0)
		override(&o.Publishers, *publishers, *publishers >= 0)
		override(&o.Duration, *duration, *duration > 0)
		if err := errors.Join(grid(&o), shape(&o.Shape)); err != nil {
			return nil, err
		}
		return bench.Compare(ctx, o)
	}
}

func benchRecord(c *benchCommand, stderr io.Writer) {
	var o bench.RecordOptions
	shape := shapeFlags(c.flags)
	publishFlags(c.flags, &o.Publish)
	rows := c.flags.String("plugins", "", "sets of plugins, such as flv+hls,flv+hls+mp4,none (default each alone, and these)")
	c.flags.DurationVar(&o.Publish.Duration, "duration", 0, "of each measured interval (default 20s)")
	c.flags.IntVar(&o.Pairs, "pairs", 1, "runs of each set")
	c.flags.StringVar(&o.Server, "server", "", "the server's program, with the plugins beside it (default this one)")
	c.flags.StringVar(&o.Dir, "dir", "", "for records (default /dev/shm)")
	c.flags.BoolVar(&o.Nginx, "nginx", true, "measure nginx with libnginx-mod-rtmp as well, if it is installed")
	o.Progress = stderr
	c.run = func(ctx context.Context) (report, error) {
		o.Rows = parseSets(*rows)
		if err := shape(&o.Publish.Shape); err != nil {
			return nil, err
		}
		return bench.Record(ctx, o)
	}
}

func benchHooks(c *benchCommand, stderr io.Writer) {
	o := bench.HooksOptions{Progress: stderr}
	c.flags.StringVar(&o.Server, "server", "", "the server's program (default this one)")
	c.flags.IntVar(&o.Pairs, "pairs", 1, "runs of each")
	c.flags.DurationVar(&o.Duration, "duration", 0, "of each interval in which the loops are asked (default 10s)")
	c.flags.IntVar(&o.Callers, "callers", 0, "who ask hostile scripts at once; -1: not measured (default 8)")
	c.flags.IntVar(&o.Viewers, "n", 0, "viewers that watch while others come (default 1000)")
	c.flags.IntVar(&o.Joins, "joins", 0, "viewers that come; -1: not measured (default 5000)")
	c.flags.IntVar(&o.JoinRate, "ramp", 0, "of them a second (default 1000)")
	c.run = func(ctx context.Context) (report, error) { return bench.Hooks(ctx, o) }
}

// parseSets reads sets of plugins; "none" is the empty one.
func parseSets(list string) (sets [][]string) {
	for set := range strings.SplitSeq(list, ",") {
		switch set {
		case "":
		case "none":
			sets = append(sets, nil)
		default:
			sets = append(sets, strings.Split(set, "+"))
		}
	}
	return sets
}

// gridFlags are those of what is compared; what is returned reads them.
func gridFlags(flags *flag.FlagSet) func(*bench.CompareOptions) error {
	viewers := flags.String("viewers", "", "numbers of viewers, such as 100,1000")
	protocols := flags.String("protocols", "", "of rtmp,httpflv,wsflv,rtmps,httpsflv,wssflv")
	windows := flags.String("windows", "", "values of stream.merge_window, such as auto,0s,120ms")
	return func(o *bench.CompareOptions) error {
		if *viewers == "" && *protocols == "" && *windows == "" {
			return nil
		}
		numbers, err := parseNumbers(*viewers)
		g := o.Grids[0]
		override(&g.Viewers, numbers, *viewers != "")
		override(&g.Windows, strings.Split(*windows, ","), *windows != "")
		if *protocols != "" {
			g.Protocols = nil
			for name := range strings.SplitSeq(*protocols, ",") {
				g.Protocols = append(g.Protocols, bench.Protocol(name))
			}
		}
		o.Grids = []bench.Grid{g}
		return err
	}
}

// override replaces what a flag was given for.
func override[T any](old *T, given T, is bool) {
	if is {
		*old = given
	}
}

func parseNumbers(list string) ([]int, error) {
	var all []int
	for field := range strings.SplitSeq(list, ",") {
		if field == "" {
			continue
		}
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is no number of viewers", field)
		}
		all = append(all, n)
	}
	return all, nil
}
