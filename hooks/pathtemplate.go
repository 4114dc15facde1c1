package hooks

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/core/event"
)

// ExpandPath replaces the directives of a record's path: %app (its slashes
// become ~), %name, %session, %plugin, %part, the letters Y m d H M S of the
// record's start in the zone of its Started field (now, when that is not
// known), and %%. It does not check that the path stays below a folder.
func ExpandPath(template string, e *event.Event, now time.Time) (string, error) {
	when := e.Started
	if when.IsZero() {
		when = now
	}
	var b strings.Builder
	for rest := template; rest != ""; {
		text, after, found := strings.Cut(rest, "%")
		b.WriteString(text)
		if !found {
			break
		}
		value, n := directive(after, e, when)
		if n == 0 {
			return "", fmt.Errorf("path %q: %%%s is no directive (%%app %%name %%session %%plugin %%part %%Y %%m %%d %%H %%M %%S %%%%)", template, firstOf(after))
		}
		b.WriteString(value)
		rest = after[n:]
	}
	if b.Len() > maxValue {
		return "", fmt.Errorf("path is longer than %d bytes", maxValue)
	}
	return b.String(), nil
}

func firstOf(s string) string { return s[:min(len(s), 1)] }

// directive returns the value of the one at the start of s, and its length; 0
// when there is none.
func directive(s string, e *event.Event, when time.Time) (string, int) {
	for _, d := range []struct{ word, value string }{
		{"app", strings.ReplaceAll(e.App, "/", "~")}, {"name", e.Name}, {"session", e.Session},
		{"plugin", e.Plugin}, {"part", strconv.Itoa(max(e.Part, 1))},
	} {
		if strings.HasPrefix(s, d.word) {
			return d.value, len(d.word)
		}
	}
	layouts := map[byte]string{'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05"}
	if s == "" {
		return "", 0
	}
	if s[0] == '%' {
		return "%", 1
	}
	if layout := layouts[s[0]]; layout != "" {
		return when.Format(layout), 1
	}
	return "", 0
}
