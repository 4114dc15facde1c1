package httpflv

import "strings"

// The punctuation that the grammars allow beside letters and digits.
const (
	tokenMarks = "!#$%&'*+-.^_`|~"     // RFC 9110 section 5.6.2
	hostMarks  = "!$%&'()*+,-.:;=[]_~" // RFC 3986 sections 3.2.2 and 3.2.3
)

func isToken(s string) bool { return s != "" && consistsOf(s, tokenMarks) }

// isHost reports whether s could be a host with or without a port. It may be
// empty (RFC 9112 section 3.2).
func isHost(s string) bool { return consistsOf(s, hostMarks) }

func consistsOf(s, marks string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && strings.IndexByte(marks, c) < 0 {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	l := c | 0x20
	return l >= 'a' && l <= 'z' || c >= '0' && c <= '9'
}
