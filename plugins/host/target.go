package host

import (
	"net/url"
	"strings"
	"time"

	"github.com/millrace/millrace/core/event"
)

// target is the request for a stream's media.
func (p *process) target(e *event.Event) string {
	var b strings.Builder
	for segment := range strings.SplitSeq(e.App+"/"+e.Name, "/") {
		b.WriteString("/" + url.PathEscape(segment))
	}
	merge := time.Duration(0)
	if p.info.Media != nil {
		merge = max(p.info.Media.Merge, 0)
	}
	b.WriteString(".flv?tracks=all&merge=" + merge.String() + "&lag=" + sizeText(p.config.Buffer))
	return b.String()
}

// wants reports whether a plugin wants a stream by what it said of itself.
func (p *process) wants(e *event.Event) bool {
	m := p.info.Media
	if m == nil || m.OnDemand {
		return false
	}
	return anyMatches(m.Streams, e.App+"/"+e.Name) && anyCodec(m.Codecs, e.VideoCodec, e.AudioCodec)
}

func anyMatches(patterns []string, s string) bool {
	for _, p := range patterns {
		if match(p, s) {
			return true
		}
	}
	return len(patterns) == 0
}

// anyCodec reports whether one of a stream's codecs is wanted.
func anyCodec(wanted []string, have ...string) bool {
	for _, w := range wanted {
		for _, h := range have {
			if h != "" && codecName(w) == codecName(h) {
				return true
			}
		}
	}
	return len(wanted) == 0
}

// codecName makes "H.264" and "h264" one.
func codecName(s string) string {
	return strings.ToLower(strings.NewReplacer(".", "", "-", "", " ", "").Replace(s))
}

// match reports whether s is of a pattern in which * is any text and ? any
// byte.
func match(pattern, s string) bool {
	star, after := -1, 0 // where the last * was, and what it has taken up to
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, after = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == s[j]):
			i++
			j++
		case star >= 0:
			after++
			i, j = star+1, after
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}
