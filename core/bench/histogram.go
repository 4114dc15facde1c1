package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// metricPass is how long the passes of the event loops took.
const metricPass = "millrace_loop_pass_duration_seconds"

// histogram is one of Prometheus: for each upper bound how many values do not
// exceed it, over all label values.
type histogram map[float64]float64

// scrapeHistogram reads a histogram from a server's metrics.
func scrapeHistogram(ctx context.Context, url, name string) (histogram, error) {
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
	return parseHistogram(res.Body, name)
}

func parseHistogram(r io.Reader, name string) (histogram, error) {
	h := histogram{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		series, value, _ := strings.Cut(lines.Text(), " ")
		labels, ok := strings.CutPrefix(series, name+"_bucket{")
		if !ok {
			continue
		}
		_, bound, _ := strings.Cut(labels, `le="`)
		bound, _, _ = strings.Cut(bound, `"`)
		le, err := strconv.ParseFloat(bound, 64) // "+Inf" as well
		n, err2 := strconv.ParseFloat(value, 64)
		if err == nil && err2 == nil {
			h[le] += n
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	return h, nil
}

// since is what came after before.
func (h histogram) since(before histogram) histogram {
	grown := maps.Clone(h)
	for le, n := range before {
		grown[le] -= n
	}
	return grown
}

// quantile is the smallest bound that a share q of all values does not exceed;
// 0 of none. Above the last bound it is that one.
func (h histogram) quantile(q float64) float64 {
	rank := q * h[math.Inf(1)]
	if rank == 0 {
		return 0
	}
	last := 0.0
	for _, le := range slices.Sorted(maps.Keys(h)) {
		if !math.IsInf(le, 1) {
			last = le
		}
		if h[le] >= rank {
			break
		}
	}
	return last
}
