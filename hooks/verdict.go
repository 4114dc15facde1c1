package hooks

import (
	"encoding/json"
	"maps"
	"reflect"
	"time"

	"github.com/millrace/millrace/core/event"
)

// Verdict is what the scripts decided about one event: an event.Verdict with a
// form for call logs and test cases. Its Err, if there is one, is a
// *ScriptError, or wraps ErrTimeout, ErrMemory, ErrOverload or ErrClosed.
type Verdict event.Verdict

// Limits are the bounds that on_connect sets for a connection.
type Limits = event.Limits

// verdictJSON is the form of a verdict in call logs and test cases. Durations
// are seconds, as in Lua.
type verdictJSON struct {
	Allow       bool              `json:"allow"`
	Reason      string            `json:"reason,omitempty"`
	Limits      *limitsJSON       `json:"limits,omitempty"`
	App         string            `json:"app,omitempty"`
	Name        string            `json:"name,omitempty"`
	Record      map[string]bool   `json:"record,omitempty"`
	MaxBitrate  int64             `json:"max_bitrate,omitempty"`
	MaxDuration float64           `json:"max_duration,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Stream      string            `json:"stream,omitempty"`
	Limit       float64           `json:"limit,omitempty"`
	Redirect    string            `json:"redirect,omitempty"`
	Rate        int64             `json:"rate,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	Path        string            `json:"path,omitempty"`
	Skip        bool              `json:"skip,omitempty"`
	Error       string            `json:"error,omitempty"`
}

type limitsJSON struct {
	MaxBitrate  int64   `json:"max_bitrate,omitempty"`
	MaxDuration float64 `json:"max_duration,omitempty"`
	Rate        int64   `json:"rate,omitempty"`
	IdleTimeout float64 `json:"idle_timeout,omitempty"`
}

// MarshalJSON writes the names that scripts use; durations in seconds.
func (v Verdict) MarshalJSON() ([]byte, error) {
	j := verdictJSON{
		Allow: v.Allow, Reason: v.Reason, App: v.App, Name: v.Name, Record: v.Record,
		MaxBitrate: v.MaxBitrate, MaxDuration: v.MaxDuration.Seconds(), Labels: v.Labels,
		Stream: v.Stream, Limit: v.Limit.Seconds(), Redirect: v.Redirect, Rate: v.Rate,
		Headers: v.Headers, Path: v.Path, Skip: v.Skip,
	}
	if v.Limits != (Limits{}) {
		j.Limits = &limitsJSON{v.Limits.MaxBitrate, v.Limits.MaxDuration.Seconds(), v.Limits.Rate, v.Limits.IdleTimeout.Seconds()}
	}
	if v.Err != nil {
		j.Error = v.Err.Error()
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes; an error comes back as text.
func (v *Verdict) UnmarshalJSON(b []byte) error {
	var j verdictJSON
	if err := decodeStrict(b, &j); err != nil {
		return err
	}
	*v = Verdict{
		Allow: j.Allow, Reason: j.Reason, App: j.App, Name: j.Name, Record: j.Record,
		MaxBitrate: j.MaxBitrate, MaxDuration: toDuration(j.MaxDuration), Labels: j.Labels,
		Stream: j.Stream, Limit: toDuration(j.Limit), Redirect: j.Redirect, Rate: j.Rate,
		Headers: j.Headers, Path: j.Path, Skip: j.Skip,
	}
	if l := j.Limits; l != nil {
		v.Limits = Limits{
			MaxBitrate: l.MaxBitrate, MaxDuration: toDuration(l.MaxDuration),
			Rate: l.Rate, IdleTimeout: toDuration(l.IdleTimeout),
		}
	}
	if j.Error != "" {
		v.Err = &ScriptError{Text: j.Error}
	}
	return nil
}

func toDuration(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second))
}

// sameVerdict compares what callers act on; the wording of an error is not.
func sameVerdict(a, b Verdict) bool {
	if (a.Err == nil) != (b.Err == nil) {
		return false
	}
	sameMaps := maps.Equal(a.Record, b.Record) && maps.Equal(a.Labels, b.Labels) && maps.Equal(a.Headers, b.Headers)
	for _, v := range []*Verdict{&a, &b} {
		v.Record, v.Labels, v.Headers, v.Err = nil, nil, nil, nil
	}
	return sameMaps && reflect.DeepEqual(a, b)
}
