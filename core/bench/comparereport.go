package bench

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CompareReport is a server beside the floor.
type CompareReport struct {
	Machine string       `json:"machine"`
	Began   time.Time    `json:"began"`
	Cells   []Cell       `json:"cells"`
	Ingest  []IngestPair `json:"ingest"`
}

// Cell is one combination, measured in pairs.
type Cell struct {
	Viewers  int      `json:"viewers"`
	Protocol Protocol `json:"protocol"`
	Window   string   `json:"merge_window"`
	Pairs    []Pair   `json:"pairs"`
}

// Pair is a run of the server and one of the floor, one right after the other.
type Pair struct {
	Server PlayReport  `json:"server"`
	Floor  FloorReport `json:"floor"`
	Nginx  *PlayReport `json:"nginx,omitempty"`
}

// perWrite is the server's number of frames per write.
func (p Pair) perWrite() float64 {
	if p.Server.Server == nil {
		return 1
	}
	return max(p.Server.Server.FramesPerWrite, 1)
}

// disturbed reports whether other programs took part.
func (p Pair) disturbed() bool {
	return max(p.Server.Usage.OthersShare, p.Floor.Usage.OthersShare) > manyOthers
}

// IngestPair is the same for publishers.
type IngestPair struct {
	Server PublishReport     `json:"server"`
	Floor  IngestFloorReport `json:"floor"`
	Nginx  *PublishReport    `json:"nginx,omitempty"`
}

// Sound reports whether the server served everybody in all runs.
func (r CompareReport) Sound() bool {
	for _, c := range r.Cells {
		for _, p := range c.Pairs {
			if !p.Server.Sound() {
				return false
			}
		}
	}
	return !slices.ContainsFunc(r.Ingest, func(p IngestPair) bool { return !p.Server.Sound() })
}

// WriteText writes the report as tables in Markdown.
func (r CompareReport) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s, %s.\n", r.Machine, r.Began.Format(time.DateOnly))
	r.writeCells(b)
	r.writeIngest(b)
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// note explains the tables.
const note = `
CPU seconds of the server's process per 10⁹ bytes delivered, and those of a bare loop of write(2)
with as many frames per write; ratio: median of the pairs (least to most). Latency p50/p99 in ms,
from the publisher's write to the viewer's read. Medians of the runs; memory is that of the first,
above the idle process. Lost: frames, in all runs. Starved, failed: viewers, in all runs. Doubtful:
runs in which the machine or the client was saturated or other programs took part.
`

func (r CompareReport) writeCells(w io.Writer) {
	if len(r.Cells) == 0 {
		return
	}
	fmt.Fprint(w, note, "\n")
	writeRow(w, "viewers", "protocol", "window", "frames/write", "server s/GB", "floor s/GB", "ratio", "server ms", "floor ms",
		"KiB/viewer", "lost", "starved, failed", "doubtful", "nginx s/GB, ms, starved, failed")
	writeRow(w, slices.Repeat([]string{"---"}, 14)...)
	for _, c := range r.Cells {
		c.write(w)
	}
}

func writeRow(w io.Writer, cells ...string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }

func (c Cell) write(w io.Writer) {
	of := func(f func(p Pair) float64) float64 { return median(mapped(c.Pairs, f)) }
	sum := func(f func(p Pair) float64) float64 { return total(mapped(c.Pairs, f)) }
	writeRow(w, fmt.Sprint(c.Viewers), string(c.Protocol), c.Window,
		fmt.Sprintf("%.1f", of(Pair.perWrite)),
		fmt.Sprintf("%.2f", of(func(p Pair) float64 { return p.Server.PerGB })),
		fmt.Sprintf("%.2f", of(func(p Pair) float64 { return p.Floor.PerGB })),
		spreadText(mapped(c.Pairs, func(p Pair) float64 { return p.Server.PerGB / p.Floor.PerGB })),
		latencyText(of, func(p Pair) Spread { return p.Server.LatencyMS }),
		latencyText(of, func(p Pair) Spread { return p.Floor.LatencyMS }),
		fmt.Sprintf("%.1f", c.Pairs[0].Server.RSSPerView/1024),
		fmt.Sprint(sum(func(p Pair) float64 { return float64(p.Server.FramesLost) })),
		fmt.Sprint(sum(func(p Pair) float64 { return unserved(p.Server) })),
		fmt.Sprint(sum(func(p Pair) float64 { return doubt(p.Server.Usage) + doubt(p.Floor.Usage) })),
		c.nginxText())
}

// unserved counts viewers that got nothing, or too little.
func unserved(r PlayReport) float64 {
	return float64(r.Starved) + float64(r.Failed) + float64(r.Ended)
}

func doubt(u Usage) float64 {
	if u.doubtful() {
		return 1
	}
	return 0
}

func (c Cell) nginxText() string {
	var all []PlayReport
	for _, p := range c.Pairs {
		if p.Nginx != nil {
			all = append(all, *p.Nginx)
		}
	}
	if len(all) == 0 {
		return ""
	}
	of := func(f func(r PlayReport) float64) float64 { return median(mapped(all, f)) }
	return fmt.Sprintf("%.2f, %s, %.0f", of(func(r PlayReport) float64 { return r.PerGB }),
		latencyText(of, func(r PlayReport) Spread { return r.LatencyMS }), of(unserved))
}

func latencyText[T any](of func(func(T) float64) float64, spread func(T) Spread) string {
	return fmt.Sprintf("%.0f/%.0f", of(func(v T) float64 { return spread(v).P50 }), of(func(v T) float64 { return spread(v).P99 }))
}

func (r CompareReport) writeIngest(w io.Writer) {
	if len(r.Ingest) == 0 {
		return
	}
	of := func(f func(p IngestPair) float64) float64 { return median(mapped(r.Ingest, f)) }
	fmt.Fprint(w, "\nPublishers without viewers, against a bare loop of epoll and read:\n\n")
	writeRow(w, "publishers", "server s/GB", "floor s/GB", "ratio", "late p99, max ms", "refused, ended", "nginx s/GB")
	writeRow(w, slices.Repeat([]string{"---"}, 7)...)
	nginx := ""
	if r.Ingest[0].Nginx != nil {
		nginx = fmt.Sprintf("%.2f", of(func(p IngestPair) float64 { return p.Nginx.PerGB }))
	}
	writeRow(w, fmt.Sprint(r.Ingest[0].Server.Streams),
		fmt.Sprintf("%.2f", of(func(p IngestPair) float64 { return p.Server.PerGB })),
		fmt.Sprintf("%.2f", of(func(p IngestPair) float64 { return p.Floor.PerGB })),
		spreadText(mapped(r.Ingest, func(p IngestPair) float64 { return p.Server.PerGB / p.Floor.PerGB })),
		fmt.Sprintf("%.0f, %.0f", of(func(p IngestPair) float64 { return p.Server.LateMS.P99 }), of(func(p IngestPair) float64 { return p.Server.LateMS.Max })),
		fmt.Sprint(total(mapped(r.Ingest, func(p IngestPair) float64 { return float64(p.Server.Refused + p.Server.Ended) }))),
		nginx)
}

// spreadText is a median with the least and the most.
func spreadText(values []float64) string {
	return fmt.Sprintf("%.2f (%.2f–%.2f)", median(values), slices.Min(values), slices.Max(values))
}

func mapped[T any](all []T, f func(T) float64) []float64 {
	values := make([]float64, len(all))
	for i, v := range all {
		values[i] = f(v)
	}
	return values
}

// median is the mean of the two in the middle if there are two.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

func total(values []float64) (sum float64) {
	for _, v := range values {
		sum += v
	}
	return sum
}

// machineText says what it was measured on.
func machineText() string {
	model := "unknown processor"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	var u unix.Utsname
	_ = unix.Uname(&u) // an empty release says enough
	return fmt.Sprintf("%d × %s, Linux %s, %s, everything on this machine", runtime.NumCPU(), model, unix.ByteSliceToString(u.Release[:]), runtime.Version())
}
