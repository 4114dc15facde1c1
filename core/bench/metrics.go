package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// metrics are a server's, summed over their labels, but for the merge window,
// of which the longest loop's counts.
type metrics struct {
	at     time.Time
	values map[string]float64
	loops  int
}

// The metrics that are read, by core/admin/README.md.
const (
	metricFrames  = "millrace_frames_out_total"
	metricBytes   = "millrace_bytes_out_total"
	metricWrites  = "millrace_loop_writev_calls_total"
	metricPartial = "millrace_loop_writev_partial_total"
	metricBusy    = "millrace_loop_busy_seconds_total"
	metricWindow  = "millrace_loop_merge_window_seconds"
	metricDropped = "millrace_frames_dropped_total"
)

// scrapeTimeout bounds a scrape: a busy server may take its time.
const scrapeTimeout = 10 * time.Second

// scrape reads a server's metrics; nil without a URL.
func scrape(ctx context.Context, url string) (*metrics, error) {
	if url == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read metrics: %w", refusal(res.Status))
	}
	return parseMetrics(res.Body)
}

func parseMetrics(r io.Reader) (*metrics, error) {
	m := &metrics{at: time.Now(), values: make(map[string]float64)}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		series, value, ok := strings.Cut(lines.Text(), " ")
		name, _, _ := strings.Cut(series, "{")
		v, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil || !strings.HasPrefix(name, "millrace_") {
			continue
		}
		switch name {
		case metricWindow:
			m.values[name] = max(m.values[name], v)
			m.loops++
		default:
			m.values[name] += v
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	return m, nil
}

// ServerMetrics are what a Millrace says of the measured interval.
type ServerMetrics struct {
	FramesPerWrite float64 `json:"frames_per_write"`
	Writes         float64 `json:"writes"`
	PartialWrites  float64 `json:"partial_writes"`
	MergeWindowMS  float64 `json:"merge_window_ms"`
	LoopsBusy      float64 `json:"loops_busy"` // share of the loops' time
	Dropped        float64 `json:"frames_dropped"`
}

// until returns what happened between two scrapes, nil if there were none.
func (m *metrics) until(end *metrics) *ServerMetrics {
	if m == nil || end == nil {
		return nil
	}
	grown := func(name string) float64 { return end.values[name] - m.values[name] }
	writes := grown(metricWrites)
	return &ServerMetrics{
		FramesPerWrite: grown(metricFrames) / max(writes, 1),
		Writes:         writes,
		PartialWrites:  grown(metricPartial),
		MergeWindowMS:  1000 * end.values[metricWindow],
		LoopsBusy:      grown(metricBusy) / end.at.Sub(m.at).Seconds() / float64(max(end.loops, 1)),
		Dropped:        grown(metricDropped),
	}
}
