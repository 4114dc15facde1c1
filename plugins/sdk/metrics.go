package sdk

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	pluginv1 "github.com/millrace/millrace/plugins/proto/v1"
)

// metrics gathers values so that one call a second reports them all.
type metrics struct {
	report func([]*pluginv1.Metric)

	mu      sync.Mutex
	changed map[string]*pluginv1.Metric

	stop chan struct{}
	done chan struct{}
}

// metricsEvery is how often metrics are reported.
const metricsEvery = time.Second

func newMetrics(report func([]*pluginv1.Metric)) *metrics {
	m := &metrics{report: report, changed: map[string]*pluginv1.Metric{}, stop: make(chan struct{}), done: make(chan struct{})}
	go m.run()
	return m
}

func (m *metrics) run() {
	defer close(m.done)
	tick := time.NewTicker(metricsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			m.flush()
		case <-m.stop:
			m.flush()
			return
		}
	}
}

func (m *metrics) close() {
	close(m.stop)
	<-m.done
}

func (m *metrics) flush() {
	m.mu.Lock()
	all := slices.Collect(maps.Values(m.changed))
	m.changed = map[string]*pluginv1.Metric{}
	m.mu.Unlock()
	if len(all) > 0 {
		m.report(all)
	}
}

func (m *metrics) set(name string, value float64, labels []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.metric(name, pluginv1.MetricKind_METRIC_KIND_GAUGE, labels).Value = value
}

func (m *metrics) add(name string, value float64, labels []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.metric(name, pluginv1.MetricKind_METRIC_KIND_COUNTER, labels).Value += value
}

// metric finds or makes an entry; labels are names and values in turn.
func (m *metrics) metric(name string, kind pluginv1.MetricKind, labels []string) *pluginv1.Metric {
	key := kind.String() + "\x00" + name + "\x00" + strings.Join(labels, "\x00")
	if have := m.changed[key]; have != nil {
		return have
	}
	metric := &pluginv1.Metric{Name: name, Kind: kind, Labels: make(map[string]string, len(labels)/2)}
	for pair := range slices.Chunk(labels, 2) {
		if len(pair) == 2 {
			metric.Labels[pair[0]] = pair[1]
		}
	}
	m.changed[key] = metric
	return metric
}
