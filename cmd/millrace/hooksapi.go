package main

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/core/admin"
	"github.com/millrace/millrace/hooks"
)

type hooksStatus struct {
	Scripts   []scriptStatus `json:"scripts"`
	Shadow    []scriptStatus `json:"shadow"`
	Loaded    time.Time      `json:"loaded"`
	Reloads   uint64         `json:"reloads"`
	Failed    uint64         `json:"failed"`
	LoadError *hookProblem   `json:"load_error"`
	CallError *hookProblem   `json:"call_error"`
	Queue     int            `json:"queue"`
	Workers   int            `json:"workers"`
}

type scriptStatus struct {
	File  string   `json:"file"`
	Hooks []string `json:"hooks"`
}

type hookProblem struct {
	Time time.Time `json:"time"`
	File string    `json:"file"`
	Line int       `json:"line"`
	Hook string    `json:"hook"`
	Text string    `json:"text"`
}

func getHooks(r *hooks.Runtime) func(*http.Request) (any, error) {
	return func(*http.Request) (any, error) { return statusOfHooks(r), nil }
}

func reloadHooks(r *hooks.Runtime) func(*http.Request) (any, error) {
	return func(*http.Request) (any, error) {
		if err := r.Reload(); err != nil {
			return nil, &admin.StatusError{Status: http.StatusUnprocessableEntity, Err: err}
		}
		return statusOfHooks(r), nil
	}
}

func statusOfHooks(r *hooks.Runtime) hooksStatus {
	s, load := r.Status(), r.Stats()
	return hooksStatus{
		Scripts: scriptsOf(s.Scripts), Shadow: scriptsOf(s.Shadow),
		Loaded: s.Loaded, Reloads: s.Reloads, Failed: s.Failed,
		LoadError: (*hookProblem)(s.LoadError), CallError: (*hookProblem)(s.CallError),
		Queue: load.Queue, Workers: load.Workers,
	}
}

func scriptsOf(all []hooks.ScriptStatus) []scriptStatus {
	list := make([]scriptStatus, len(all))
	for i, s := range all {
		list[i] = scriptStatus(s)
	}
	return list
}

// hookMetrics shows the scripts' counters.
type hookMetrics struct {
	runtime *hooks.Runtime
	calls, queue, workers, failed,
	duration, shadow, lost *prometheus.Desc
}

func newHookMetrics(r *hooks.Runtime) *hookMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("millrace_hook_"+name, help, labels, nil)
	}
	return &hookMetrics{
		runtime:  r,
		calls:    desc("calls_total", "Calls of hooks, by what became of them.", "hook", "result"),
		duration: desc("duration_seconds", "How long calls ran.", "hook"),
		queue:    desc("queue", "Calls that wait."),
		workers:  desc("workers", "Calls that run, or wait for HTTP."),
		failed:   desc("reloads_failed_total", "Scripts that were not put in force."),
		shadow:   desc("shadow_total", "Verdicts of shadow scripts, beside those in force.", "result"),
		lost:     desc("states_lost_total", "Lua states thrown away after a call that was stopped."),
	}
}

// Describe sends what Collect can yield.
func (m *hookMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.calls, m.duration, m.queue, m.workers, m.failed, m.shadow, m.lost} {
		ch <- d
	}
}

// Collect takes a snapshot and sends it.
func (m *hookMetrics) Collect(ch chan<- prometheus.Metric) {
	s := m.runtime.Stats()
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(d *prometheus.Desc, n int) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n))
	}
	for _, h := range s.Hooks {
		for result, n := range map[string]uint64{
			"refused": h.Refusals, "error": h.Errors, "timeout": h.Timeouts, "memory": h.Memory,
			"overload": h.Overloads, "dropped": h.Dropped,
			"ok": h.Calls - h.Refusals - h.Errors - h.Timeouts - h.Memory,
		} {
			count(m.calls, n, h.Hook, result)
		}
		m.histogram(ch, h)
	}
	gauge(m.queue, s.Queue)
	gauge(m.workers, s.Workers)
	count(m.failed, m.runtime.Status().Failed)
	count(m.lost, s.StatesLost)
	count(m.shadow, s.ShadowSame, "same")
	count(m.shadow, s.ShadowDifferent, "different")
	count(m.shadow, s.ShadowErrors, "error")
}

func (m *hookMetrics) histogram(ch chan<- prometheus.Metric, h hooks.HookStats) {
	buckets, n := make(map[float64]uint64), uint64(0)
	for i, bound := range hooks.Buckets() {
		n += h.Histogram[i]
		buckets[bound] = n
	}
	n += h.Histogram[len(h.Histogram)-1]
	ch <- prometheus.MustNewConstHistogram(m.duration, n, h.Duration.Seconds(), buckets, h.Hook)
}
