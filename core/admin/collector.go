package admin

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metricsHandler serves our metrics and those of Go and the process, from a
// registry of its own.
func metricsHandler(server Server, version string, log *slog.Logger, more []prometheus.Collector) http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		newCollector(server.Stats, version),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	reg.MustRegister(more...)
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError),
		// One series that cannot be shown must not hide the others.
		ErrorHandling: promhttp.ContinueOnError,
	})
}

// collector turns one snapshot per scrape into metrics, so that counting costs
// the server nothing but its atomics.
type collector struct {
	stats    func() Stats
	families []family
	descs    []*prometheus.Desc
}

func newCollector(stats func() Stats, version string) *collector {
	c := &collector{stats: stats, families: families(version)}
	for _, f := range c.families {
		c.descs = append(c.descs, prometheus.NewDesc(f.name, f.help, f.labels, nil))
	}
	return c
}

// Describe sends what Collect can yield. Any goroutine.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect takes a snapshot and sends it. Any goroutine.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.stats()
	for i, f := range c.families {
		f.read(&s, sink{c.descs[i], f.kind.valueType(), ch})
	}
}

// sink takes the series of one family.
type sink struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	ch   chan<- prometheus.Metric
}

func (s sink) value(v float64, labels ...string) {
	m, err := prometheus.NewConstMetric(s.desc, s.kind, v, valid(labels)...)
	s.send(m, err)
}

func (s sink) histogram(h Histogram, labels ...string) {
	buckets, count, err := h.cumulate()
	if err != nil {
		s.send(nil, err)
		return
	}
	m, err := prometheus.NewConstHistogram(s.desc, count, h.Sum, buckets, valid(labels)...)
	s.send(m, err)
}

func (s sink) send(m prometheus.Metric, err error) {
	if err != nil {
		m = prometheus.NewInvalidMetric(s.desc, err)
	}
	s.ch <- m
}

// valid keeps a stray byte in a label from costing the scrape.
func valid(labels []string) []string {
	for i, l := range labels {
		labels[i] = strings.ToValidUTF8(l, "\uFFFD")
	}
	return labels
}

// cumulate gives the buckets in the form that Prometheus wants: each holds
// everything at or below its bound.
func (h Histogram) cumulate() (buckets map[float64]uint64, count uint64, err error) {
	if len(h.Counts) == 0 && len(h.Buckets) == 0 {
		return nil, 0, nil
	}
	if len(h.Counts) != len(h.Buckets)+1 {
		return nil, 0, fmt.Errorf("read histogram: %d counts for %d bounds", len(h.Counts), len(h.Buckets))
	}
	buckets = make(map[float64]uint64, len(h.Buckets))
	for i, bound := range h.Buckets {
		count += h.Counts[i]
		buckets[bound] = count
	}
	return buckets, count + h.Counts[len(h.Buckets)], nil
}
