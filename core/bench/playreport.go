package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// PlayReport is what viewers saw, over the measured interval unless noted.
// Bytes are those of the connections' payload; GB are 10⁹ of them. Durations
// are in ms if not noted.
type PlayReport struct {
	Protocol  Protocol       `json:"protocol"`
	Viewers   int            `json:"viewers"`
	Connected int64          `json:"connected"`     // accepted, ever
	Failed    int64          `json:"failed"`        // not accepted, ever
	Ended     int64          `json:"ended_early"`   // by the server, ever
	Stalled   int            `json:"stalled"`       // that never read
	Dropped   int64          `json:"stalled_ended"` // of these, by the server
	Reasons   map[string]int `json:"reasons,omitempty"`

	Bytes    uint64  `json:"bytes"`
	GbitPerS float64 `json:"gbit_per_s"`
	Frames   float64 `json:"frames"` // delivered, by the sample's
	Starved  int     `json:"starved"`

	Sample     int            `json:"sample"`
	Stamped    bool           `json:"stamped"` // by bench publish, or bench floor
	FramesLost uint64         `json:"frames_lost"`
	Repeated   uint64         `json:"frames_repeated"`
	Backwards  uint64         `json:"timestamps_backwards"`
	LatencyMS  Spread         `json:"latency_ms"`
	FirstKeyMS Spread         `json:"first_keyframe_ms"` // ever
	Usage      Usage          `json:"usage"`
	PerGB      float64        `json:"cpu_s_per_gb,omitempty"`
	PerFrameUS float64        `json:"cpu_us_per_frame,omitempty"`
	RSSPerView float64        `json:"rss_per_viewer,omitempty"` // bytes, above the idle process
	Server     *ServerMetrics `json:"server,omitempty"`
	Warnings   []string       `json:"warnings,omitempty"`
}

func (au *audience) report(shares []share, usage Usage, server *ServerMetrics) PlayReport {
	o, n, s := au.options, au.count(), &au.sample.sampled
	r := PlayReport{
		Protocol: au.protocol, Viewers: o.Viewers, Connected: n.playing, Failed: n.failed,
		Ended: n.ended, Stalled: o.Stalled, Dropped: n.dropped, Reasons: au.reasons(),
		Sample: o.Sample, Usage: usage, Server: server, Warnings: usage.warnings(),
	}
	au.sample.poller.do(func() {
		r.Stamped, r.FramesLost, r.Repeated, r.Backwards = s.stampedAny, s.lost, s.repeated, s.backwards
		r.LatencyMS, r.FirstKeyMS = s.latency.spread(), s.firstKey.spread()
	})
	for _, share := range shares {
		r.Bytes += share.bytes
	}
	r.GbitPerS = float64(r.Bytes) * 8 / 1e9 / usage.Seconds
	r.Starved = starved(shares, time.Duration(usage.Seconds*float64(time.Second)))
	if s.bytes > 0 {
		r.Frames = float64(r.Bytes) * float64(s.frames) / float64(s.bytes)
	}
	r.costs()
	return r
}

// costs derives what a server's CPU and memory come to.
func (r *PlayReport) costs() {
	if r.Usage.PID == 0 {
		return
	}
	cpu := r.Usage.CPUSeconds()
	if r.Bytes > 0 {
		r.PerGB = cpu / (float64(r.Bytes) / 1e9)
	}
	if r.Frames > 0 {
		r.PerFrameUS = cpu / r.Frames * 1e6
	}
	r.RSSPerView = float64(r.Usage.RSS-r.Usage.IdleRSS) / float64(max(r.Connected, 1))
}

// Sound reports whether each viewer got all that it was to get.
func (r PlayReport) Sound() bool {
	return r.Failed == 0 && r.Ended == 0 && r.Starved == 0 && r.FramesLost == 0 && r.Repeated == 0 && r.Backwards == 0
}

// WriteText writes the report for people.
func (r PlayReport) WriteText(w io.Writer) error {
	t := newTable(w)
	t.row("viewers", "%d connected, %d failed, %d ended early, %d starved (%s)", r.Connected, r.Failed, r.Ended, r.Starved, r.Protocol)
	if r.Stalled > 0 {
		t.row("stalled", "%d, of which the server ended %d", r.Stalled, r.Dropped)
	}
	t.row("delivered", "%.3f GB in %.1f s, %.3f Gbit/s, %.0f frames", float64(r.Bytes)/1e9, r.Usage.Seconds, r.GbitPerS, r.Frames)
	r.writeSample(t)
	r.Usage.write(t, "server")
	if r.Usage.PID != 0 {
		t.row("cost", "%.3f CPU s/GB, %.2f µs per frame, %.1f KiB per viewer", r.PerGB, r.PerFrameUS, r.RSSPerView/1024)
	}
	if m := r.Server; m != nil {
		t.row("metrics", "%.2f frames per write, %.0f writes (%.0f partial), merge window %.0f ms, loops busy %.0f%%, %.0f frames dropped",
			m.FramesPerWrite, m.Writes, m.PartialWrites, m.MergeWindowMS, 100*m.LoopsBusy, m.Dropped)
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Reasons)) {
		t.row("ended", "%d × %s", r.Reasons[reason], reason)
	}
	for _, warning := range r.Warnings {
		t.row("WARNING", "%s", warning)
	}
	return t.flush()
}

func (r PlayReport) writeSample(t *table) {
	if r.Sample == 0 {
		return
	}
	lost := fmt.Sprintf("%d lost, %d repeated", r.FramesLost, r.Repeated)
	if !r.Stamped {
		lost = "no stamps: not from millrace bench publish"
	}
	t.row("frames", "%s, %d timestamps went back (%d viewers read in full)", lost, r.Backwards, r.Sample)
	if r.Stamped {
		t.row("latency", "%s", r.LatencyMS)
	}
	t.row("first keyframe", "%s", r.FirstKeyMS)
}

// String is for people.
func (s Spread) String() string {
	return fmt.Sprintf("p50 %.1f, p99 %.1f, p99.9 %.1f, max %.1f ms", s.P50, s.P99, s.P999, s.Max)
}

func (u Usage) write(t *table, what string) {
	if u.PID != 0 {
		t.row(what, "%.2f CPU s (user %.2f, sys %.2f), memory %.1f MiB, idle %.1f, most %.1f (pid %d)",
			u.CPUSeconds(), u.UserSeconds, u.SysSeconds, mib(u.RSS), mib(u.IdleRSS), mib(u.PeakRSS), u.PID)
	}
	t.row("machine", "%.0f%% idle; server %.0f%%, this client %.0f%%, others %.0f%%; busiest client thread %.0f%%",
		100*u.MachineIdle, 100*u.ServerShare, 100*u.ClientShare, 100*u.OthersShare, 100*u.BusiestLoop)
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
