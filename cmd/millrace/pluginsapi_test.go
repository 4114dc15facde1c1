package main

import (
	"math"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/plugins/host"
)

// What plugins report is in the API and the metrics until they take it away;
// what comes and goes leaves room for others.
func TestOwnMetrics(t *testing.T) {
	t.Parallel()
	m := newPluginMetrics()
	session := func(i int) map[string]string { return map[string]string{"session": string(rune(i))} }
	for i := range 3 * maxOwnMetrics {
		m.take(host.Metric{Plugin: "mp4", Name: "merge_done_ratio", Value: 0.5, Labels: session(i)})
		if i < 3*maxOwnMetrics-1 {
			m.take(host.Metric{Plugin: "mp4", Name: "merge_done_ratio", Value: math.NaN(), Labels: session(i)})
		}
	}
	m.take(host.Metric{Plugin: "mp4", Name: "odd", Value: math.Inf(1)})
	for range 2 {
		m.take(host.Metric{Plugin: "flv", Name: "paused_total", Value: 1, Counter: true})
	}
	mp4, flv := m.of("mp4"), m.of("flv")
	if len(mp4) != 1 || mp4[0].Name != "merge_done_ratio" || mp4[0].Value != 0.5 || len(mp4[0].Labels) != 1 {
		t.Errorf("of mp4: %+v", mp4)
	}
	if len(flv) != 1 || flv[0].Value != 2 {
		t.Errorf("of flv: %+v", flv)
	}
	ch := make(chan prometheus.Metric, 10)
	m.collectOwn(ch)
	if len(ch) != 3 {
		t.Errorf("%d in /metrics", len(ch))
	}
}
