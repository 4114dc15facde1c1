package admin

import (
	"runtime"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// kind is a metric's type, as README.md and the exposition name it.
type kind string

const (
	counter   kind = "counter"
	gauge     kind = "gauge"
	histogram kind = "histogram"
)

func (k kind) valueType() prometheus.ValueType {
	if k == counter {
		return prometheus.CounterValue
	}
	return prometheus.GaugeValue
}

// family is one metric: what it is called, what it means, and where in a
// snapshot it is found.
type family struct {
	name   string
	kind   kind
	labels []string
	help   string
	read   func(*Stats, sink)
}

// families is the list of all our metrics. No label names a viewer or a
// stream: their number has no bound. A counter's name without _total is never
// another metric's, since OpenMetrics takes them for the same.
func families(version string) []family {
	all := []family{{
		"millrace_build_info", gauge, []string{"version", "go_version"}, "Always 1; the labels tell the build.",
		func(_ *Stats, out sink) { out.value(1, version, runtime.Version()) },
	}}
	for _, group := range [][]family{connectionFamilies(), streamFamilies(), pluginFamilies(), loopFamilies(), processFamilies()} {
		all = append(all, group...)
	}
	return all
}

func connectionFamilies() []family {
	protocol, reason := []string{"protocol"}, []string{"reason"}
	return []family{
		{"millrace_connections", gauge, protocol, "Open connections.",
			perProtocol(func(p ProtocolStats) float64 { return float64(p.Connections) })},
		{"millrace_connections_opened_total", counter, protocol, "Connections that came to speak the protocol.",
			perProtocol(func(p ProtocolStats) float64 { return float64(p.Opened) })},
		{"millrace_connections_refused_total", counter, reason, "Connections refused before they were served.",
			perKey(func(s *Stats) map[string]uint64 { return s.Refused })},
		{"millrace_connections_closed_total", counter, reason, "Connections that ended.",
			perKey(func(s *Stats) map[string]uint64 { return s.Closed })},
		{"millrace_accept_errors_total", counter, []string{"kind"}, "Errors of accept, such as emfile.",
			perKey(func(s *Stats) map[string]uint64 { return s.AcceptErrors })},
		{"millrace_bytes_in_total", counter, protocol, "Bytes read from sockets.",
			perProtocol(func(p ProtocolStats) float64 { return float64(p.BytesIn) })},
		{"millrace_bytes_out_total", counter, protocol, "Bytes that sockets took.",
			perProtocol(func(p ProtocolStats) float64 { return float64(p.BytesOut) })},
		{"millrace_viewers", gauge, protocol, "Viewers of live streams, playlists and recordings.", readViewers},
		{"millrace_waiting_viewers", gauge, nil, "Viewers that wait for a publisher, and requests that wait for an object.",
			single(func(s *Stats) float64 { return float64(s.WaitingViewers) })},
	}
}

func streamFamilies() []family {
	return []family{
		{"millrace_publishers", gauge, nil, "Connections that publish.",
			single(func(s *Stats) float64 { return float64(s.Publishers) })},
		{"millrace_streams", gauge, []string{"state"}, "Streams: live, or lost and in their reconnect grace.", readStreams},
		{"millrace_frames_in_total", counter, nil, "Frames taken from publishers.",
			single(func(s *Stats) float64 { return float64(s.FramesIn) })},
		{"millrace_frames_out_total", counter, nil, "Frames delivered, once for each viewer.",
			single(func(s *Stats) float64 { return float64(s.FramesOut) })},
		{"millrace_frames_dropped_total", counter, []string{"reason"},
			"Frames not delivered to a slow viewer: skipped for lag, or a gap since they left the ring unsent.", readDropped},
		{"millrace_skips_total", counter, nil, "Times that a slow viewer was moved forward.",
			single(func(s *Stats) float64 { return float64(s.Skips) })},
		{"millrace_timestamp_corrections_total", counter, nil, "Jumps in publishers' timestamps that were corrected.",
			single(func(s *Stats) float64 { return float64(s.TimestampCorrections) })},
		{"millrace_ring_bytes", gauge, nil, "Bytes of media held by all rings.",
			single(func(s *Stats) float64 { return float64(s.RingBytes) })},
		{"millrace_ring_frames", gauge, nil, "Frames held by all rings.",
			single(func(s *Stats) float64 { return float64(s.RingFrames) })},
		{"millrace_memory_limit_bytes", gauge, nil, "What all rings together may hold.",
			single(func(s *Stats) float64 { return float64(s.MemoryLimit) })},
		{"millrace_gop_cache_drops_total", counter, nil, "GOP caches dropped for their size or age.",
			single(func(s *Stats) float64 { return float64(s.GOPCacheDrops) })},
		{"millrace_object_bytes", gauge, []string{"plugin"}, "Bytes of objects in memory, by who made them.",
			func(s *Stats, out sink) {
				for plugin, n := range s.ObjectBytes {
					out.value(float64(n), plugin)
				}
			}},
		{"millrace_ingest_to_socket_seconds", histogram, nil, "From the read of a frame's last byte to a viewer's socket having taken it; what the frame waited in its publisher's socket, up to read_window_max, comes before.",
			func(s *Stats, out sink) { out.histogram(s.IngestToSocket) }},
	}
}

func pluginFamilies() []family {
	return []family{
		{"millrace_feeds", gauge, nil, "Streams that plugins read, once for each.",
			single(func(s *Stats) float64 { return float64(s.PluginFeeds) })},
		{"millrace_feed_bytes_total", counter, nil, "Bytes of streams that plugins took.",
			single(func(s *Stats) float64 { return float64(s.PluginBytes) })},
		{"millrace_feed_frames_total", counter, nil, "Frames delivered to plugins, once for each.",
			single(func(s *Stats) float64 { return float64(s.PluginFrames) })},
		{"millrace_feed_gaps_total", counter, nil, "Gaps that plugins were told of.",
			single(func(s *Stats) float64 { return float64(s.PluginGaps) })},
		{"millrace_feed_missed_frames_total", counter, nil, "Frames in those gaps.",
			single(func(s *Stats) float64 { return float64(s.PluginFramesGap) })},
		{"millrace_feed_backlog_bytes", gauge, []string{"plugin"}, "What the rings keep past their own caps for a plugin that is slow.",
			func(s *Stats, out sink) {
				for name, n := range s.PluginBacklog {
					out.value(float64(n), name)
				}
			}},
	}
}

func loopFamilies() []family {
	loop := []string{"loop"}
	return []family{
		{"millrace_loop_connections", gauge, loop, "Open connections of the event loop.",
			perLoop(func(l LoopStats) float64 { return float64(l.Connections) })},
		{"millrace_loop_viewers", gauge, loop, "Viewers of the event loop.",
			perLoop(func(l LoopStats) float64 { return float64(l.Viewers) })},
		{"millrace_loop_busy_seconds_total", counter, loop, "Time that the event loop did not wait; its rate is the share of busy time.",
			perLoop(func(l LoopStats) float64 { return l.Busy.Seconds() })},
		{"millrace_loop_passes_total", counter, loop, "Passes over the event loop's viewers.",
			perLoop(func(l LoopStats) float64 { return float64(l.Passes) })},
		{"millrace_loop_pass_duration_seconds", histogram, loop, "How long a pass took.", readPassDuration},
		{"millrace_loop_writev_calls_total", counter, loop, "Calls of writev.",
			perLoop(func(l LoopStats) float64 { return float64(l.WritevCalls) })},
		{"millrace_loop_writev_partial_total", counter, loop, "Calls of writev of which the socket did not take all.",
			perLoop(func(l LoopStats) float64 { return float64(l.WritevPartial) })},
		{"millrace_loop_merge_window_seconds", gauge, loop, "Merge window in force.",
			perLoop(func(l LoopStats) float64 { return l.MergeWindow.Seconds() })},
		{"millrace_loop_wakeups_total", counter, loop, "Times that the event loop was woken for new frames.",
			perLoop(func(l LoopStats) float64 { return float64(l.Wakeups) })},
	}
}

func processFamilies() []family {
	return []family{
		{"millrace_handler_panics_total", counter, nil, "Panics caught in a connection's handler.",
			single(func(s *Stats) float64 { return float64(s.HandlerPanics) })},
		{"millrace_config_reloads_total", counter, []string{"result"}, "Reloads of the configuration: ok, or failed with the old one kept.", readReloads},
	}
}

func single(get func(*Stats) float64) func(*Stats, sink) {
	return func(s *Stats, out sink) { out.value(get(s)) }
}

func perKey(get func(*Stats) map[string]uint64) func(*Stats, sink) {
	return func(s *Stats, out sink) {
		for key, n := range get(s) {
			out.value(float64(n), key)
		}
	}
}

func perProtocol(get func(ProtocolStats) float64) func(*Stats, sink) {
	return func(s *Stats, out sink) {
		for name, p := range s.Protocols {
			out.value(get(p), name)
		}
	}
}

func perLoop(get func(LoopStats) float64) func(*Stats, sink) {
	return func(s *Stats, out sink) {
		for i, l := range s.Loops {
			out.value(get(l), strconv.Itoa(i))
		}
	}
}

// readViewers leaves plain HTTP out: what is watched has a protocol of its own.
func readViewers(s *Stats, out sink) {
	for name, p := range s.Protocols {
		if name != ProtocolHTTP {
			out.value(float64(p.Viewers), name)
		}
	}
}

func readStreams(s *Stats, out sink) {
	out.value(float64(s.StreamsLive), StateLive)
	out.value(float64(s.StreamsLost), StateLost)
}

func readDropped(s *Stats, out sink) {
	out.value(float64(s.FramesDroppedLag), "lag")
	out.value(float64(s.FramesDroppedGap), "gap")
}

func readPassDuration(s *Stats, out sink) {
	for i, l := range s.Loops {
		out.histogram(l.PassDuration, strconv.Itoa(i))
	}
}

func readReloads(s *Stats, out sink) {
	out.value(float64(s.ReloadsOK), "ok")
	out.value(float64(s.ReloadsFailed), "failed")
}
