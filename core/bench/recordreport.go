package bench

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// RecordReport is what recording costs.
type RecordReport struct {
	Machine string      `json:"machine"`
	Began   time.Time   `json:"began"`
	Rows    []RecordRow `json:"rows"`
}

// RecordRow is a set of plugins, and nginx if it can do the same.
type RecordRow struct {
	Plugins []string   `json:"plugins"`
	Server  RecordRun  `json:"server"`
	Nginx   *RecordRun `json:"nginx,omitempty"`
}

// Ratio is the server's cost over nginx's; 0 without nginx.
func (r RecordRow) Ratio() float64 {
	if r.Nginx == nil || r.Nginx.PerGB == 0 {
		return 0
	}
	return r.Server.PerGB / r.Nginx.PerGB
}

// RecordRun is one server under load. GB are 10⁹ bytes that publishers sent,
// costs CPU seconds.
type RecordRun struct {
	Streams int64   `json:"streams"` // that were published
	GB      float64 `json:"gb"`
	Seconds float64 `json:"seconds"`
	// PerGB is of all processes over the interval; AfterPerGB from its end
	// until all files were finished, over all that was sent.
	PerGB      float64       `json:"cpu_s_per_gb"`
	AfterPerGB float64       `json:"after_cpu_s_per_gb"`
	Processes  []ProcessCost `json:"processes"`
	// AnswerMS is how long the event loops took to answer a request that needs
	// nothing else, as a client sees it.
	AnswerMS *Spread        `json:"answer_ms,omitempty"`
	LateMS   Spread         `json:"late_ms"` // see PublishReport
	Missed   uint64         `json:"missed"`  // frames that a plugin did not get
	Refused  int64          `json:"refused"`
	Ended    int64          `json:"ended_early"`
	Reasons  map[string]int `json:"reasons,omitempty"`
	Records  Records        `json:"records"`
	Warnings []string       `json:"warnings,omitempty"`
}

// ProcessCost is what one process took: CPU in seconds, memory in bytes.
type ProcessCost struct {
	Name         string  `json:"name"` // "server", or the plugin's
	UserSeconds  float64 `json:"user_seconds"`
	SysSeconds   float64 `json:"sys_seconds"`
	AfterSeconds float64 `json:"after_seconds"`
	PerGB        float64 `json:"cpu_s_per_gb"`
	AfterPerGB   float64 `json:"after_cpu_s_per_gb"`
	// IdleRSS is before the first publisher, BeginRSS and EndRSS are at both
	// ends of the interval. PerStream is what came between the first and the
	// last of them, for each stream.
	IdleRSS   int64 `json:"idle_rss"`
	BeginRSS  int64 `json:"begin_rss"`
	EndRSS    int64 `json:"end_rss"`
	PeakRSS   int64 `json:"peak_rss"`
	PerStream int64 `json:"rss_per_stream"`
}

// Sound reports whether all was recorded.
func (r RecordReport) Sound() bool {
	return !slices.ContainsFunc(r.Rows, func(row RecordRow) bool { return !row.Server.sound(len(row.Plugins)) })
}

// sound reports whether so many plugins recorded all streams.
func (r RecordRun) sound(plugins int) bool {
	return r.Records.Manifests == plugins*int(r.Streams) && r.Missed == 0 && r.Refused == 0 && r.Ended == 0 && r.Records.Gaps == 0 && r.Records.Incomplete == 0
}

// summary is a row in one line.
func (r RecordRow) summary() string {
	s := fmt.Sprintf("%s: %.2f s/GB", setName(r.Plugins), r.Server.PerGB)
	if r.Nginx != nil {
		s += fmt.Sprintf(", nginx %.2f s/GB, %.2f times", r.Nginx.PerGB, r.Ratio())
	}
	return s
}

// WriteText writes the report for people.
func (r RecordReport) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s, %s.\n", r.Machine, r.Began.Format(time.DateOnly))
	for _, row := range r.Rows {
		fmt.Fprintf(b, "\n%s\n", row.summary())
		row.Server.write(b, "")
		if row.Nginx != nil {
			row.Nginx.write(b, "nginx ")
		}
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func (r RecordRun) write(w io.Writer, prefix string) {
	t := newTable(w)
	t.row("  "+prefix+"load", "%.3f GB in %.1f s; late %s", r.GB, r.Seconds, r.LateMS)
	for _, p := range r.Processes {
		const mib = 1 << 20
		t.row("  "+prefix+p.Name, "%.2f s/GB (user %.2f s, system %.2f s), then %.2f s/GB; memory %.1f, %.1f to %.1f MiB, peak %.1f, %.2f per stream",
			p.PerGB, p.UserSeconds, p.SysSeconds, p.AfterPerGB, float64(p.IdleRSS)/mib, float64(p.BeginRSS)/mib, float64(p.EndRSS)/mib,
			float64(p.PeakRSS)/mib, float64(p.PerStream)/mib)
	}
	t.row("  "+prefix+"files", "%.3f GB, %d records, %d of them incomplete, %d gaps, %d frames lost", float64(r.Records.Bytes)/1e9,
		r.Records.Manifests, r.Records.Incomplete, r.Records.Gaps, r.Records.Lost)
	if r.AnswerMS != nil {
		t.row("  "+prefix+"loops", "answer %s; %d frames missed by plugins", r.AnswerMS, r.Missed)
	}
	if r.Refused+r.Ended > 0 {
		t.row("  "+prefix+"publishers", "%d refused, %d ended early: %s", r.Refused, r.Ended, strings.Join(slices.Sorted(maps.Keys(r.Reasons)), "; "))
	}
	for _, warning := range r.Warnings {
		t.row("  "+prefix+"WARNING", "%s", warning)
	}
	_ = t.flush() // w remembers its error
}
