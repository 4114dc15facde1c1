package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/core/admin"
	"github.com/millrace/millrace/plugins/host"
)

// restartPatience is how long a request waits for a plugin's swap.
const restartPatience = time.Minute

// endpoints are those of the plugins on the admin listener.
func (r *recorders) endpoints() []admin.Endpoint {
	return []admin.Endpoint{
		{Method: "GET", Pattern: "/api/v1/plugins", About: "all plugins, their state, their streams and what they report", Serve: r.getPlugins},
		{Method: "POST", Pattern: "/api/v1/plugins/{plugin}/restart", About: "swap a plugin for a new process; no frame is lost", Serve: r.restart},
		{Method: "GET", Pattern: "/api/v1/plugins/{plugin}/logs", About: "its last lines; ?n=", Serve: r.logs},
		{Method: "POST", Pattern: recordings, About: "start a recording of a stream", Serve: r.startRecording},
		{Method: "DELETE", Pattern: recordings, About: "stop one, until it is started or the next session", Serve: r.stopRecording},
	}
}

// pluginJSON is a plugin with what it reports of itself.
type pluginJSON struct {
	host.Status
	Metrics []metricJSON `json:"metrics,omitempty"`
}

// metricJSON is a metric of a plugin's own.
type metricJSON struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
	Value  float64           `json:"value"`
}

func (r *recorders) getPlugins(*http.Request) (any, error) {
	all := []pluginJSON{}
	for _, s := range r.host.List() {
		all = append(all, pluginJSON{s, r.metrics.of(s.Name)})
	}
	return map[string]any{"plugins": all}, nil
}

func (r *recorders) restart(req *http.Request) (any, error) {
	ctx, cancel := context.WithTimeout(req.Context(), restartPatience)
	defer cancel()
	return nil, answerFor(r.host.Restart(ctx, req.PathValue("plugin")))
}

func (r *recorders) logs(req *http.Request) (any, error) {
	n, _ := strconv.Atoi(req.URL.Query().Get("n"))
	lines, err := r.host.Logs(req.PathValue("plugin"), n)
	if err != nil {
		return nil, answerFor(err)
	}
	if lines == nil {
		lines = []string{}
	}
	return map[string]any{"lines": lines}, nil
}

// recordings is where a stream's recording by a plugin is started and stopped.
const recordings = "/api/v1/streams/{stream...}/recordings/{plugin}"

func (r *recorders) startRecording(req *http.Request) (any, error) {
	app, name := admin.StreamOf(req)
	return nil, answerFor(r.host.StartRecording(app, name, req.PathValue("plugin")))
}

func (r *recorders) stopRecording(req *http.Request) (any, error) {
	app, name := admin.StreamOf(req)
	return nil, answerFor(r.host.StopRecording(app, name, req.PathValue("plugin")))
}

// answerFor gives the host's errors their status.
func answerFor(err error) error {
	status := 0
	switch {
	case err == nil:
		return nil
	case errors.Is(err, host.ErrNoPlugin), errors.Is(err, host.ErrNoStream):
		status = http.StatusNotFound
	case errors.Is(err, host.ErrRunning), errors.Is(err, host.ErrNotActive), errors.Is(err, host.ErrNotUp), errors.Is(err, host.ErrNoMedia):
		status = http.StatusConflict
	default:
		return err
	}
	return &admin.StatusError{Status: status, Err: err}
}

// pluginMetrics shows how the plugins are, and what they report.
type pluginMetrics struct {
	host *host.Host

	up, restarts, streams, memory, dropped, missed *prometheus.Desc

	mu  sync.Mutex
	own map[string]*ownMetric // by name and labels
}

// ownMetric is one that a plugin reports.
type ownMetric struct {
	name, plugin string
	counter      bool
	labels       map[string]string
	value        float64
}

// maxOwnMetrics bounds what plugins may make up.
const maxOwnMetrics = 1000

func newPluginMetrics() *pluginMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("millrace_plugin_"+name, help, labels, nil)
	}
	return &pluginMetrics{
		own:      make(map[string]*ownMetric),
		up:       desc("up", "1 while the plugin runs.", "plugin", "state"),
		restarts: desc("restarts_total", "Processes of the plugin after the first.", "plugin"),
		streams:  desc("streams", "Streams that the plugin has.", "plugin"),
		memory:   desc("memory_bytes", "Resident memory of the plugin's process.", "plugin"),
		dropped:  desc("events_dropped_total", "Events that the plugin was too slow for.", "plugin"),
		missed:   desc("frames_missed", "Frames that did not reach the plugin, of the streams that it has.", "plugin"),
	}
}

// take notes what a plugin reports; a name is valid when Prometheus says so.
func (m *pluginMetrics) take(v host.Metric) {
	key := v.Plugin + "\x00" + v.Name + "\x00" + fmt.Sprint(v.Labels)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !v.Counter && math.IsNaN(v.Value) {
		delete(m.own, key)
		return
	}
	old := m.own[key]
	if old == nil {
		if len(m.own) >= maxOwnMetrics {
			return
		}
		old = &ownMetric{name: v.Name, plugin: v.Plugin, counter: v.Counter, labels: v.Labels}
		m.own[key] = old
	}
	if v.Counter {
		old.value += v.Value
	} else {
		old.value = v.Value
	}
}

// of are those that a plugin reports, sorted. What JSON has no number for is
// left out.
func (m *pluginMetrics) of(plugin string) []metricJSON {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []metricJSON
	for _, key := range slices.Sorted(maps.Keys(m.own)) {
		if o := m.own[key]; o.plugin == plugin && !math.IsInf(o.value, 0) && !math.IsNaN(o.value) {
			all = append(all, metricJSON{o.name, o.labels, o.value})
		}
	}
	return all
}

// Describe sends nothing: what plugins report is not known beforehand.
func (m *pluginMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect takes a snapshot and sends it.
func (m *pluginMetrics) Collect(ch chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	for _, s := range m.host.List() {
		up := 0.0
		if s.State == host.Running {
			up = 1
		}
		send(m.up, prometheus.GaugeValue, up, s.Name, string(s.State))
		send(m.restarts, prometheus.CounterValue, float64(s.Restarts), s.Name)
		send(m.streams, prometheus.GaugeValue, float64(len(s.Streams)), s.Name)
		send(m.memory, prometheus.GaugeValue, float64(s.Memory), s.Name)
		send(m.dropped, prometheus.CounterValue, float64(s.EventsDropped), s.Name)
		missed := 0.0
		for _, st := range s.Streams {
			missed += float64(st.Missed)
		}
		send(m.missed, prometheus.GaugeValue, missed, s.Name)
	}
	m.collectOwn(ch)
}

func (m *pluginMetrics) collectOwn(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.own {
		kind := prometheus.GaugeValue
		if o.counter {
			kind = prometheus.CounterValue
		}
		labels := prometheus.Labels{"plugin": o.plugin}
		for k, v := range o.labels {
			labels[k] = strings.ToValidUTF8(v, "\uFFFD")
		}
		d := prometheus.NewDesc("millrace_plugin_"+o.name, "Reported by the plugin.", nil, labels)
		if metric, err := prometheus.NewConstMetric(d, kind, o.value); err == nil {
			ch <- metric
		}
	}
}
