package place

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/millrace/millrace/plugins/sdk"
)

// sessionForm is the form of a session's name, in package time's notation.
const sessionForm = "20060102_150405"

// freeSession is a name for a session: that of its start, then _2, _3 as long
// as a record of this stream by any recorder has it. One that has a name
// already gets a later one. What r says of the start does not count: recorders
// may know it less well than who asked first.
func (n *Namer) freeSession(r sdk.RecordRequest, s *session) (string, error) {
	taken, err := n.taken(r)
	if err != nil {
		return "", err
	}
	last := ""
	if k := len(s.names); k > 0 {
		last = s.names[k-1]
	}
	past := last == ""
	for i := 1; i <= maxTries; i++ {
		candidate := numbered(s.start, i)
		if past && !taken[candidate] {
			return candidate, nil
		}
		past = past || candidate == last
	}
	return "", fmt.Errorf("%w: %s and %d names after it are taken", ErrRefused, s.start, maxTries)
}

func started(r sdk.RecordRequest) time.Time {
	if r.Started.IsZero() {
		return time.Now()
	}
	return r.Started
}

// taken are the session names that this stream's records have on disk, and
// those of sessions that have not put anything there yet.
func (n *Namer) taken(r sdk.RecordRequest) (map[string]bool, error) {
	names := map[string]bool{}
	for _, s := range n.sessions {
		if s.app == r.App && s.stream == r.Name {
			for _, name := range s.names {
				names[name] = true
			}
		}
	}
	kinds, err := fs.ReadDir(n.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("read data_dir: %w", err)
	}
	for _, kind := range kinds {
		dir := path.Join(kind.Name(), folder(r.App), r.Name)
		entries, err := fs.ReadDir(n.root.FS(), dir)
		if err != nil {
			continue // no record of this kind
		}
		for _, e := range entries {
			base, _, _ := strings.Cut(e.Name(), ".")
			names[base] = true
		}
	}
	return names, nil
}

// CheckTemplate says what is wrong with a template of records' paths; "" is
// the default.
func CheckTemplate(template string) error {
	if template == "" {
		return nil
	}
	n := &Namer{o: Options{Location: time.UTC}}
	for rest := template; ; { // any label may be there
		_, after, ok := strings.Cut(rest, "{label.")
		if !ok {
			break
		}
		label, tail, _ := strings.Cut(after, "}")
		template, rest = strings.ReplaceAll(template, "{label."+label+"}", "x"), tail
	}
	_, err := n.expand(template, &record{name: sessionForm}, "x", sdk.RecordRequest{App: "x", Name: "x", Kind: "flv", Started: time.Unix(0, 0)})
	return err
}

// expand fills a template in, and checks every segment of the result.
func (n *Namer) expand(template string, rec *record, plugin string, r sdk.RecordRequest) (string, error) {
	at := started(r).In(n.o.Location)
	fields := map[string]string{
		"kind": r.Kind, "app": folder(r.App), "name": r.Name, "session": rec.name, "plugin": plugin,
		"year": at.Format("2006"), "month": at.Format("01"), "day": at.Format("02"),
		"hour": at.Format("15"), "minute": at.Format("04"), "second": at.Format("05"),
	}
	var b strings.Builder
	for rest := template; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		b.WriteString(before)
		if !found {
			break
		}
		field, tail, closed := strings.Cut(after, "}")
		value, known := fields[field]
		if label, ok := strings.CutPrefix(field, "label."); ok {
			value, known = rec.labels[label]
		}
		if !closed || !known {
			return "", fmt.Errorf("%w: no field {%s}", ErrRefused, field)
		}
		b.WriteString(value)
		rest = tail
	}
	return b.String(), checkPath(b.String())
}

func checkPath(p string) error {
	if len(p) > 1024 {
		return fmt.Errorf("%w: path of %d bytes", ErrRefused, len(p))
	}
	for segment := range strings.SplitSeq(p, "/") {
		if err := checkSegment(segment); err != nil {
			return err
		}
	}
	return nil
}

// checkSegment lets pass what can be a file name in data_dir: no dot files,
// which the server does not serve, and no "..".
func checkSegment(s string) error {
	switch {
	case s == "" || len(s) > 200:
		return fmt.Errorf("%w: path segment of %d bytes", ErrRefused, len(s))
	case s[0] == '.' || strings.ContainsAny(s, "/\\"):
		return fmt.Errorf("%w: path segment %q", ErrRefused, s)
	}
	for _, c := range s {
		if c < ' ' || c == 0x7F || c == 0xFFFD {
			return fmt.Errorf("%w: path segment %q", ErrRefused, s)
		}
	}
	return nil
}
