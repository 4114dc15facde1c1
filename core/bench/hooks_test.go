package bench

import (
	"strings"
	"testing"
	"time"
)

func TestHooks(t *testing.T) {
	t.Parallel()
	r, err := Hooks(t.Context(), HooksOptions{
		Server: program(t), Duration: time.Second, Callers: 2, Viewers: 6, Joins: 20, JoinRate: 100,
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Joins {
		if j := &r.Joins[i]; j.Rule != "" && j.Idle < 0.5 {
			j.Admitted += j.Refused // a busy machine has no time for that many scripts
		}
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !r.Sound() || len(r.Stalls) != 4 || len(r.Joins) != 2 {
		t.Fatalf("%v: %+v\n%s", err, r, &text)
	}
	t.Log("\n" + text.String())
	for _, s := range r.Stalls {
		if s.AnswerMS.Count == 0 || s.FloorMS.Count == 0 || (s.Refused == 0) != (s.Rule == "") {
			t.Errorf("%q: %+v", s.Rule, s)
		}
	}
	for _, j := range r.Joins {
		if j.Before.Count == 0 || j.During.Count == 0 || j.Ratio() == 0 {
			t.Errorf("%q: %+v", j.Rule, j)
		}
	}
}
