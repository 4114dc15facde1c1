package gate

import (
	"bytes"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// wholeBandwidth is the BANDWIDTH of a multivariant playlist with one variant:
// the attribute must be there (RFC 8216, 4.3.4.2), and has nothing to choose.
const wholeBandwidth = "1000000"

// Rewrite puts the session's id into what a playlist leads to. A client that
// has come without the id would come back to a media playlist without it: it
// gets a multivariant playlist that leads there with it.
func (a *answer) Rewrite(playlist []byte) []byte {
	p := rewriter{session: a.session, token: a.gate.sign(a.session.id, a.session.prefix), base: a.request.URL.Path}
	query := a.request.URL.Query()
	target, isMedia := targetOf(playlist)
	if isMedia {
		a.gate.learn(a.session, target)
	}
	if isMedia && !query.Has(idParameter) && !query.Has("_HLS_msn") {
		name := (&url.URL{Path: path.Base(p.base)}).EscapedPath()
		if a.request.URL.RawQuery != "" {
			name += "?" + a.request.URL.RawQuery
		}
		return []byte("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=" + wholeBandwidth + "\n" + p.mark(name) + "\n")
	}
	out := make([]byte, 0, 2*len(playlist))
	for line := range bytes.Lines(playlist) {
		out = append(out, p.line(string(line))...)
	}
	return out
}

// targetOf is the target duration of a media playlist; false for another.
func targetOf(playlist []byte) (time.Duration, bool) {
	_, rest, ok := bytes.Cut(playlist, []byte("#EXT-X-TARGETDURATION:"))
	if !ok {
		return 0, false
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	n, err := strconv.ParseFloat(string(bytes.TrimSpace(line)), 64)
	if err != nil || !(n > 0 && n < 3600) {
		return defaultTarget, true
	}
	return time.Duration(n * float64(time.Second)), true
}

// learn notes how long the segments are that a session gets.
func (g *Gate) learn(s *session, target time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.target = target
}

// rewriter marks the URIs of one playlist.
type rewriter struct {
	session *session
	token   string
	base    string // path of the playlist's URL
}

// line rewrites a line, with its end.
func (p rewriter) line(line string) string {
	text := strings.TrimRight(line, "\r\n")
	end := line[len(text):]
	switch tag, attributes, ok := strings.Cut(text, ":"); {
	case text == "":
	case text[0] != '#':
		text = p.mark(text)
	case ok && strings.HasPrefix(tag, "#EXT-X-") && strings.Contains(attributes, `URI="`):
		text = tag + ":" + p.attributes(attributes)
	}
	return text + end
}

// attributes rewrites the URI of an attribute list (RFC 8216, 4.2): names and
// values with an equals sign between, a comma behind, and commas in quotes.
func (p rewriter) attributes(list string) string {
	var out strings.Builder
	for list != "" {
		name, rest, ok := strings.Cut(list, "=")
		if !ok {
			break
		}
		out.WriteString(name + "=")
		if list = rest; !strings.HasPrefix(list, `"`) {
			end := strings.IndexByte(list, ',') + 1
			if end == 0 {
				break
			}
			out.WriteString(list[:end])
			list = list[end:]
			continue
		}
		value, after, ok := strings.Cut(list[1:], `"`)
		if !ok {
			break
		}
		if strings.TrimLeft(name, ", \t") == "URI" {
			value = p.mark(value)
		}
		out.WriteString(`"` + value + `"`)
		if list = after; strings.HasPrefix(list, ",") {
			out.WriteByte(',')
			list = list[1:]
		}
	}
	return out.String() + list
}

// mark puts the id into a URI that leads below the session's prefix; any other
// is left alone. What leads below the folder that is served in its place, leads
// to the session's own again.
func (p rewriter) mark(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Path == "" {
		return uri
	}
	s := p.session
	to := u.Path
	if strings.HasPrefix(to, "/") {
		if rest, ok := strings.CutPrefix(path.Clean(to), s.instead); ok && s.instead != "" {
			to = s.prefix + rest
			u.Path, u.RawPath = to, ""
		}
	} else {
		to = path.Dir(p.base) + "/" + to
	}
	if !strings.HasPrefix(path.Clean(to), s.prefix) {
		return uri
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += idParameter + "=" + p.token
	return u.String()
}
