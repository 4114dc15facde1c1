package httpflv

import "strings"

// fields is the header section of a head: lines "name: value", each with its
// CR LF, without the empty line. Lookups scan it: a head has some fifteen
// lines and is asked a dozen times, so that an index would cost more than it
// saves.
type fields string

// next splits off the first line.
func (f fields) next() (name, value string, rest fields) {
	line, after, _ := strings.Cut(string(f), "\r\n")
	name, value, _ = strings.Cut(line, ":")
	return name, trimSpace(value), fields(after)
}

// check applies RFC 9112 section 5: a name is a token with the colon right
// behind it ("No whitespace is allowed between the field name and colon"), and
// a line does not continue on the next. offset is where the section starts in
// the head.
func (f fields) check(offset int) error {
	for len(f) > 0 {
		line, rest, _ := strings.Cut(string(f), "\r\n")
		name, _, found := strings.Cut(line, ":")
		switch {
		case line[0] == ' ' || line[0] == '\t':
			return bad(offset, "folded header line")
		case !found:
			return bad(offset, "header line without a colon")
		case !isToken(name):
			return bad(offset, "malformed header name")
		}
		offset += len(line) + len("\r\n")
		f = fields(rest)
	}
	return nil
}

// first returns the value of the first line with the given name, and the
// number of such lines.
func (f fields) first(name string) (value string, n int) {
	for len(f) > 0 {
		var k, v string
		if k, v, f = f.next(); equalFold(k, name) {
			if n++; n == 1 {
				value = v
			}
		}
	}
	return value, n
}

func (f fields) joined(name string) string {
	value, n := f.first(name)
	if n < 2 {
		return value
	}
	all := make([]string, 0, n)
	for len(f) > 0 {
		var k, v string
		if k, v, f = f.next(); equalFold(k, name) {
			all = append(all, v)
		}
	}
	return strings.Join(all, ", ")
}

func (f fields) hasToken(name, token string) bool {
	for len(f) > 0 {
		var k, v string
		if k, v, f = f.next(); equalFold(k, name) && listHas(v, token) {
			return true
		}
	}
	return false
}

// listHas reports whether the comma-separated list holds token.
func listHas(list, token string) bool {
	for item := range strings.SplitSeq(list, ",") {
		if equalFold(trimSpace(item), token) {
			return true
		}
	}
	return false
}

// trimSpace strips the optional white space of RFC 9110 section 5.6.3.
func trimSpace(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// equalFold compares in ASCII: strings.EqualFold also takes the Kelvin sign
// for a k, which no other HTTP parser does.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
