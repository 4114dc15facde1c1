package admin

import (
	"bytes"
	"log/slog"
	"maps"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func fullStats() Stats {
	return Stats{
		Protocols: map[string]ProtocolStats{
			ProtocolRTMP: {Connections: 1, Opened: 2, Viewers: 3, BytesIn: 4, BytesOut: 5},
			ProtocolHTTP: {Connections: 6, Opened: 7, BytesIn: 8, BytesOut: 9},
		},
		Refused:      map[string]uint64{"limit": 10},
		Closed:       map[string]uint64{"eof": 11, "stalled": 12},
		AcceptErrors: map[string]uint64{"emfile": 13},
		Publishers:   14, StreamsLive: 15, StreamsLost: 16, WaitingViewers: 17,
		PluginFeeds: 40, PluginBytes: 41, PluginFrames: 42, PluginGaps: 43, PluginFramesGap: 44,
		PluginBacklog: map[string]int64{"hls": 45},
		FramesIn:      18, FramesOut: 19, FramesDroppedLag: 20, FramesDroppedGap: 21,
		Skips: 22, TimestampCorrections: 23,
		RingBytes: 24, RingFrames: 25, MemoryLimit: 26, GOPCacheDrops: 27, ObjectBytes: map[string]int64{"hls": 51},
		Loops: []LoopStats{{
			Connections: 28, Viewers: 29, Busy: 1500 * time.Millisecond, Passes: 31,
			PassDuration: Histogram{Buckets: []float64{0.001, 0.01}, Counts: []uint64{5, 3, 1}, Sum: 0.25},
			WritevCalls:  33, WritevPartial: 34, MergeWindow: 120 * time.Millisecond, Wakeups: 36,
		}, {}},
		IngestToSocket: Histogram{Buckets: []float64{0.05, 0.5}, Counts: []uint64{0, 2, 4}, Sum: 7},
		HandlerPanics:  37, ReloadsOK: 38, ReloadsFailed: 39,
	}
}

func scrape(t *testing.T, fake *fakeServer) (map[string]*dto.MetricFamily, *httptest.ResponseRecorder) {
	t.Helper()
	w := get(newHandlerFor(fake), "/metrics")
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	got, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got, w
}

// series is every value of our families, by name{label="value"}.
func series(families map[string]*dto.MetricFamily) map[string]float64 {
	all := map[string]float64{}
	for name, f := range families {
		if !strings.HasPrefix(name, "millrace_") {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			key := name + "{" + strings.Join(labels, ",") + "}"
			switch f.GetType() {
			case dto.MetricType_COUNTER:
				all[key] = m.GetCounter().GetValue()
			case dto.MetricType_GAUGE:
				all[key] = m.GetGauge().GetValue()
			case dto.MetricType_HISTOGRAM:
				all[key] = float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return all
}

// fullSeries are the values that fullStats has, by the names of the series.
var fullSeries = map[string]float64{
	"millrace_connections{protocol=rtmp}":               1,
	"millrace_connections{protocol=http}":               6,
	"millrace_connections_opened_total{protocol=rtmp}":  2,
	"millrace_connections_opened_total{protocol=http}":  7,
	"millrace_connections_refused_total{reason=limit}":  10,
	"millrace_connections_closed_total{reason=eof}":     11,
	"millrace_connections_closed_total{reason=stalled}": 12,
	"millrace_accept_errors_total{kind=emfile}":         13,
	"millrace_bytes_in_total{protocol=rtmp}":            4,
	"millrace_bytes_in_total{protocol=http}":            8,
	"millrace_bytes_out_total{protocol=rtmp}":           5,
	"millrace_bytes_out_total{protocol=http}":           9,
	"millrace_viewers{protocol=rtmp}":                   3,
	"millrace_waiting_viewers{}":                        17,
	"millrace_publishers{}":                             14,
	"millrace_streams{state=live}":                      15,
	"millrace_streams{state=lost}":                      16,
	"millrace_frames_in_total{}":                        18,
	"millrace_frames_out_total{}":                       19,
	"millrace_frames_dropped_total{reason=lag}":         20,
	"millrace_frames_dropped_total{reason=gap}":         21,
	"millrace_skips_total{}":                            22,
	"millrace_timestamp_corrections_total{}":            23,
	"millrace_ring_bytes{}":                             24,
	"millrace_object_bytes{plugin=hls}":                 51,
	"millrace_ring_frames{}":                            25,
	"millrace_memory_limit_bytes{}":                     26,
	"millrace_gop_cache_drops_total{}":                  27,
	"millrace_ingest_to_socket_seconds{}":               6,
	"millrace_feeds{}":                                  40,
	"millrace_feed_bytes_total{}":                       41,
	"millrace_feed_frames_total{}":                      42,
	"millrace_feed_gaps_total{}":                        43,
	"millrace_feed_missed_frames_total{}":               44,
	"millrace_feed_backlog_bytes{plugin=hls}":           45,
	"millrace_handler_panics_total{}":                   37,
	"millrace_config_reloads_total{result=ok}":          38,
	"millrace_config_reloads_total{result=failed}":      39,

	"millrace_loop_connections{loop=0}":           28,
	"millrace_loop_viewers{loop=0}":               29,
	"millrace_loop_busy_seconds_total{loop=0}":    1.5,
	"millrace_loop_passes_total{loop=0}":          31,
	"millrace_loop_pass_duration_seconds{loop=0}": 9,
	"millrace_loop_writev_calls_total{loop=0}":    33,
	"millrace_loop_writev_partial_total{loop=0}":  34,
	"millrace_loop_merge_window_seconds{loop=0}":  0.12,
	"millrace_loop_wakeups_total{loop=0}":         36,
}

func TestMetricsValues(t *testing.T) {
	t.Parallel()
	fake := &fakeServer{stats: fullStats()}
	got, w := scrape(t, fake)
	if n := fake.scrapes.Load(); n != 1 {
		t.Errorf("%d snapshots for one scrape", n)
	}
	if cc := w.Header().Get("Cache-Control"); cc != "no-store" {
		t.Errorf("Cache-Control %q", cc)
	}
	want := maps.Clone(fullSeries)
	want["millrace_build_info{go_version="+runtime.Version()+",version=1.2.3}"] = 1
	for _, f := range loopFamilies() {
		want[f.name+"{loop=1}"] = 0
	}
	have := series(got)
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if v, ok := have[key]; !ok || v != want[key] {
			t.Errorf("%s is %v (there: %v), want %v", key, v, ok, want[key])
		}
	}
	for key := range have {
		if _, ok := want[key]; !ok {
			t.Errorf("unexpected %s", key)
		}
	}
}

func TestMetricsHistogram(t *testing.T) {
	t.Parallel()
	got, _ := scrape(t, &fakeServer{stats: fullStats()})
	h := got["millrace_loop_pass_duration_seconds"].GetMetric()[0].GetHistogram()
	if h.GetSampleCount() != 9 || h.GetSampleSum() != 0.25 {
		t.Errorf("count %d, sum %v", h.GetSampleCount(), h.GetSampleSum())
	}
	want := map[float64]uint64{0.001: 5, 0.01: 8}
	for _, b := range h.GetBucket() {
		if n, ok := want[b.GetUpperBound()]; ok && n != b.GetCumulativeCount() {
			t.Errorf("bucket %v holds %d, want %d", b.GetUpperBound(), b.GetCumulativeCount(), n)
		}
	}
	if len(h.GetBucket()) < len(want) {
		t.Errorf("%d buckets", len(h.GetBucket()))
	}
}

func TestMetricsDescribed(t *testing.T) {
	t.Parallel()
	got, _ := scrape(t, &fakeServer{stats: fullStats()})
	var ours []*dto.MetricFamily
	for _, f := range families("") {
		mf := got[f.name]
		if mf == nil {
			t.Errorf("no %s", f.name)
			continue
		}
		ours = append(ours, mf)
		if kind := strings.ToLower(mf.GetType().String()); kind != string(f.kind) || mf.GetHelp() != f.help {
			t.Errorf("%s: %s %q", f.name, kind, mf.GetHelp())
		}
		if base, ok := strings.CutSuffix(f.name, "_total"); ok && got[base] != nil {
			t.Errorf("OpenMetrics takes %s and %s for the same", f.name, base)
		}
	}
	problems, err := promlint.NewWithMetricFamilies(ours).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, name := range []string{"go_goroutines", "process_open_fds"} {
		if got[name] == nil {
			t.Errorf("no %s", name)
		}
	}
}

func TestMetricsOfNothing(t *testing.T) {
	t.Parallel()
	got, _ := scrape(t, &fakeServer{})
	if got["millrace_streams"] == nil || got["millrace_ingest_to_socket_seconds"] == nil {
		t.Error("a zero snapshot hides families that have no label from a map")
	}
}

func TestMetricsFaultyHistogramHidesNothingElse(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	fake := &fakeServer{stats: fullStats()}
	fake.stats.IngestToSocket.Counts = []uint64{1}
	fake.stats.Closed["bad\xff"] = 1
	h := Handler(Options{Listen: "127.0.0.1:8502", Server: fake, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	body := get(h, "/metrics").Body.String()
	for want, there := range map[string]bool{
		"millrace_frames_in_total 18":             true,
		`reason="bad` + "\uFFFD" + `"`:            true,
		"millrace_ingest_to_socket_seconds_count": false,
	} {
		if strings.Contains(body, want) != there {
			t.Errorf("%s: there should be %v", want, there)
		}
	}
	if !strings.Contains(logged.String(), "1 counts for 2 bounds") {
		t.Errorf("log: %s", &logged)
	}
}

func TestCollectorIsConsistent(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(newCollector(fullStats, "1"))
	if _, err := reg.Gather(); err != nil {
		t.Error(err)
	}
}
