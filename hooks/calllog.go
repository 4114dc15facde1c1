package hooks

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace/core/event"
)

// masked stands for a value that a call log does not show.
const masked = "***"

// CallRecord is a line of a call log.
type CallRecord struct {
	Time    time.Time   `json:"time"`
	Hook    string      `json:"hook"`
	Event   event.Event `json:"event"`
	Verdict *Verdict    `json:"verdict,omitempty"` // of decisions
	Log     []LogLine   `json:"log,omitempty"`
	MS      float64     `json:"ms"`
	Error   string      `json:"error,omitempty"`
}

// callLog writes lines, one at a time.
type callLog struct {
	mu sync.Mutex
	w  io.Writer // nil: none is kept
}

// write appends what one call was; secrets in the event are masked.
func (c *callLog) write(j job, o outcome, mask []string, warn func(string, ...any)) {
	if c.w == nil || o.skipped {
		return
	}
	rec := CallRecord{
		Time: j.queued, Hook: hooksInOrder[j.hook], Event: maskEvent(*j.e, mask), Log: o.logs,
		MS: float64(o.took.Microseconds()) / 1000,
	}
	if j.done != nil {
		rec.Verdict = &o.verdict
	}
	if o.err != nil {
		rec.Error = o.err.Error()
	}
	line, err := json.Marshal(rec)
	if err == nil {
		c.mu.Lock()
		_, err = c.w.Write(append(line, '\n'))
		c.mu.Unlock()
	}
	if err != nil {
		warn("hook call was not logged", "error", err)
	}
}

// maskEvent returns e without the secrets in its parameters, headers, labels
// and addresses. Maps of e are not changed.
func maskEvent(e event.Event, mask []string) event.Event {
	e.Params = maskMap(e.Params, mask)
	e.Headers = maskMap(e.Headers, mask)
	e.Labels = maskMap(e.Labels, mask)
	for _, address := range []*string{&e.TCURL, &e.PageURL, &e.Path, &e.URL} {
		*address = maskURL(*address, mask)
	}
	for k, v := range e.Headers {
		if k == "referer" {
			e.Headers[k] = maskURL(v, mask)
		}
	}
	return e
}

// isSecret tells names that are, or contain, one of the words: "stream_key".
func isSecret(name string, mask []string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(mask, func(word string) bool { return strings.Contains(name, strings.ToLower(word)) })
}

func maskMap(m map[string]string, mask []string) map[string]string {
	if len(m) == 0 {
		return m
	}
	out := maps.Clone(m)
	for k := range out {
		if isSecret(k, mask) {
			out[k] = masked
		}
	}
	return out
}

// maskURL masks parameters of an address's query, and its password.
func maskURL(s string, mask []string) string {
	if !strings.ContainsAny(s, "?@") {
		return s
	}
	base, query, found := strings.Cut(s, "?")
	if u, err := url.Parse(base); err == nil && u.User != nil {
		u.User = url.User(u.User.Username())
		base = u.String()
	}
	if !found {
		return base
	}
	pairs := strings.Split(query, "&")
	for i, p := range pairs {
		if k, _, _ := strings.Cut(p, "="); isSecret(unescape(k), mask) {
			pairs[i] = k + "=" + masked
		}
	}
	return base + "?" + strings.Join(pairs, "&")
}

// isMasked tells events from which something was taken.
func isMasked(e *event.Event) bool {
	for _, m := range []map[string]string{e.Params, e.Headers, e.Labels} {
		for _, v := range m {
			if v == masked {
				return true
			}
		}
	}
	return strings.Contains(e.TCURL+e.PageURL+e.Path+e.URL, "="+masked)
}

// verdictText is a verdict on one line, as test cases write it.
func verdictText(v Verdict) string {
	word := "allow"
	if !v.Allow {
		word = "deny"
	}
	if v.Err != nil {
		return word + " (error: " + v.Err.Error() + ")"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%s (%v)", word, err)
	}
	var fields map[string]any
	if json.Unmarshal(b, &fields) != nil {
		return word
	}
	delete(fields, "allow")
	if reason, ok := fields["reason"].(string); ok && len(fields) == 1 {
		return fmt.Sprintf("%s %q", word, reason)
	}
	if len(fields) == 0 {
		return word
	}
	rest, err := json.Marshal(fields)
	if err != nil {
		return word
	}
	return word + " " + string(rest)
}
