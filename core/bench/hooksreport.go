package bench

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"time"
)

// HooksReport is what [Hooks] found.
type HooksReport struct {
	Machine string     `json:"machine"`
	Began   time.Time  `json:"began"`
	Stalls  []StallRun `json:"stalls,omitempty"`
	Joins   []JoinRun  `json:"joins,omitempty"`
}

// StallRun is how long loops kept others waiting while scripts ran under a
// rule; "" is without any.
type StallRun struct {
	Rule     string `json:"rule"`
	AnswerMS Spread `json:"answer_ms"`
	Stalls   uint64 `json:"stalls"` // answers after more than 5 ms
	// FloorMS and FloorStalls are those of threads of another process that do
	// nothing but answer, asked at the same time: what the machine has of them
	// is no loop's.
	FloorMS     Spread  `json:"floor_ms"`
	FloorStalls uint64  `json:"floor_stalls"`
	Refused     int     `json:"refused"`
	Allowed     int     `json:"allowed"`
	Lost        int     `json:"lost"`    // without an answer
	CallMS      Spread  `json:"call_ms"` // until the verdict
	Idle        float64 `json:"machine_idle"`
}

// JoinRun is the latency of viewers before others came, and while they came.
type JoinRun struct {
	Rule     string         `json:"rule"`
	Viewers  int            `json:"viewers"`
	Joins    int            `json:"joins"`
	Rate     int            `json:"joins_per_s"`
	Existing int            `json:"existing"` // of Viewers, at the end
	Admitted int64          `json:"admitted"`
	Refused  int64          `json:"refused"`
	Reasons  map[string]int `json:"reasons,omitempty"`
	Before   Spread         `json:"before_ms"`
	During   Spread         `json:"during_ms"`
	Idle     float64        `json:"machine_idle"` // while they came
}

// Ratio is that of the latencies' p99.
func (r JoinRun) Ratio() float64 {
	if r.Before.P99 == 0 {
		return 0
	}
	return r.During.P99 / r.Before.P99
}

// Sound reports whether each hostile call was refused, and all others admitted.
func (r HooksReport) Sound() bool {
	return !slices.ContainsFunc(r.Stalls, func(s StallRun) bool { return s.Allowed > 0 || s.Lost > 0 }) &&
		!slices.ContainsFunc(r.Joins, func(j JoinRun) bool { return int(j.Admitted) != j.Joins || j.Existing != j.Viewers })
}

func named(rule, none string) string {
	if rule == "" {
		return none
	}
	return rule
}

func (r StallRun) summary() string {
	s := fmt.Sprintf("%s: loops answer %s, %d of %d after more than 5 ms; bare threads beside them %s, %d of %d",
		named(r.Rule, "no scripts run"), r.AnswerMS, r.Stalls, r.AnswerMS.Count, r.FloorMS, r.FloorStalls, r.FloorMS.Count)
	if r.Rule != "" {
		s += fmt.Sprintf("; %d calls refused after %s, %d allowed, %d lost", r.Refused, r.CallMS, r.Allowed, r.Lost)
	}
	return s + fmt.Sprintf("; machine %.0f%% idle", 100*r.Idle)
}

func (r JoinRun) summary() string {
	return fmt.Sprintf("%d joins at %d/s, %s: %d admitted, %d refused; latency of %d viewers %s before, %s during, ratio of p99 %.2f; machine %.0f%% idle",
		r.Joins, r.Rate, named(r.Rule, "let in at once"), r.Admitted, r.Refused, r.Existing, r.Before, r.During, r.Ratio(), 100*r.Idle)
}

// WriteText writes the report for people.
func (r HooksReport) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s, %s.\n", r.Machine, r.Began.Format(time.DateOnly))
	for _, run := range r.Stalls {
		fmt.Fprintln(b, run.summary())
	}
	for _, run := range r.Joins {
		fmt.Fprintln(b, run.summary())
		for reason, n := range run.Reasons {
			fmt.Fprintf(b, "  %d: %s\n", n, reason)
		}
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
