package hooks

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
)

// Patterns of Lua 5.1 (reference manual, section 5.4.1). gopher-lua's own
// matcher cannot be interrupted while it backtracks; this one counts its steps.

const (
	maxPattern  = 1024 // bytes; the matcher recurses at most once per item
	maxCaptures = 32
)

type itemKind uint8

const (
	itemSingle   itemKind = iota // one character of set, repeated by rep
	itemOpen                     // (
	itemPosition                 // ()
	itemClose                    // )
	itemBackref                  // %1
	itemBalance                  // %bxy
	itemFrontier                 // %f[set]
	itemEnd                      // $ at the end
)

// charset has one bit for each byte.
type charset [4]uint64

func (s *charset) add(c byte)      { s[c>>6] |= 1 << (c & 63) }
func (s *charset) has(c byte) bool { return s[c>>6]&(1<<(c&63)) != 0 }

// single is the one byte in s; -1 when there are more, or none.
func (s *charset) single() int {
	found := -1
	for i, word := range s {
		switch {
		case word == 0:
		case found >= 0 || bits.OnesCount64(word) > 1:
			return -1
		default:
			found = i<<6 + bits.TrailingZeros64(word)
		}
	}
	return found
}

func (s *charset) merge(o charset, negate bool) {
	for i := range s {
		if negate {
			s[i] |= ^o[i]
		} else {
			s[i] |= o[i]
		}
	}
}

type item struct {
	kind itemKind
	rep  byte // 0 * + - ?
	n    int  // of a capture
	x, y byte // of %b
	set  charset
	next *charset // with what the rest of the pattern begins; nil: with anything, or empty
}

// pattern is a parsed pattern; it is immutable.
type pattern struct {
	text     string
	items    []item
	anchored bool
	captures int
	first    *charset // with what each match begins; nil: with anything, or empty
	only     int      // the one byte in first, or -1
}

// seek is the first place at or after i with a byte of p.first, or the end.
func (p *pattern) seek(s string, i int) int {
	if p.only >= 0 {
		if n := strings.IndexByte(s[i:], byte(p.only)); n >= 0 {
			return i + n
		}
		return len(s)
	}
	for i < len(s) && !p.first.has(s[i]) {
		i++
	}
	return i
}

// absent tells of a text in which there is no match, since nothing in it is what
// one begins with. It may be false all the same.
func (p *pattern) absent(s string) bool {
	return p.first != nil && !p.anchored && p.seek(s, 0) == len(s)
}

// parsePattern reads p; its errors are those that Lua gives, in our words.
func parsePattern(p string) (*pattern, error) {
	if len(p) > maxPattern {
		return nil, fmt.Errorf("pattern is longer than %d bytes", maxPattern)
	}
	ps := patternParser{src: p, out: pattern{text: p}}
	if len(p) > 0 && p[0] == '^' {
		ps.out.anchored = true
		ps.pos = 1
	}
	for ps.pos < len(p) {
		if err := ps.item(); err != nil {
			return nil, err
		}
	}
	if len(ps.open) > 0 {
		return nil, errors.New("unfinished capture in pattern")
	}
	items := ps.out.items
	ps.out.first, ps.out.only = beginningOf(items), -1
	if ps.out.first != nil {
		ps.out.only = ps.out.first.single()
	}
	for i := range items {
		items[i].next = beginningOf(items[i+1:])
	}
	return &ps.out, nil
}

// beginningOf is the set of the first character, if items begin with one that is
// not left out.
func beginningOf(items []item) *charset {
	for i := range items {
		switch it := &items[i]; it.kind {
		case itemOpen, itemPosition, itemClose:
			continue
		case itemSingle:
			if it.rep == 0 || it.rep == '+' {
				return &it.set
			}
		}
		break
	}
	return nil
}

type patternParser struct {
	src    string
	pos    int
	open   []int // captures not closed yet
	closed [maxCaptures]bool
	out    pattern
}

func (p *patternParser) emit(it item) { p.out.items = append(p.out.items, it) }

// item reads one item at pos.
func (p *patternParser) item() error {
	switch c := p.src[p.pos]; {
	case c == '(':
		return p.capture()
	case c == ')':
		return p.closeCapture()
	case c == '$' && p.pos == len(p.src)-1:
		p.pos++
		p.emit(item{kind: itemEnd})
		return nil
	case c == '%' && p.pos+1 < len(p.src):
		switch d := p.src[p.pos+1]; {
		case d == 'b':
			return p.balance()
		case d == 'f':
			return p.frontier()
		case d >= '0' && d <= '9':
			return p.backref(int(d - '1'))
		}
	}
	return p.single()
}

func (p *patternParser) capture() error {
	n := p.out.captures
	if n == maxCaptures {
		return errors.New("too many captures in pattern")
	}
	p.out.captures++
	p.pos++
	if p.pos < len(p.src) && p.src[p.pos] == ')' {
		p.pos++
		p.closed[n] = true
		p.emit(item{kind: itemPosition, n: n})
		return nil
	}
	p.open = append(p.open, n)
	p.emit(item{kind: itemOpen, n: n})
	return nil
}

func (p *patternParser) closeCapture() error {
	if len(p.open) == 0 {
		return errors.New("invalid pattern capture")
	}
	n := p.open[len(p.open)-1]
	p.open = p.open[:len(p.open)-1]
	p.closed[n] = true
	p.pos++
	p.emit(item{kind: itemClose, n: n})
	return nil
}

func (p *patternParser) backref(n int) error {
	if n < 0 || n >= p.out.captures || !p.closed[n] {
		return errors.New("invalid capture index in pattern")
	}
	p.pos += 2
	p.emit(item{kind: itemBackref, n: n})
	return nil
}

func (p *patternParser) balance() error {
	if p.pos+3 >= len(p.src) {
		return errors.New("%b in a pattern needs two characters")
	}
	p.emit(item{kind: itemBalance, x: p.src[p.pos+2], y: p.src[p.pos+3]})
	p.pos += 4
	return nil
}

func (p *patternParser) frontier() error {
	p.pos += 2
	if p.pos >= len(p.src) || p.src[p.pos] != '[' {
		return errors.New("missing [ after %f in pattern")
	}
	set, err := p.set()
	if err != nil {
		return err
	}
	p.emit(item{kind: itemFrontier, set: set})
	return nil
}

// single reads a character, a class or a set, and the repetition after it.
func (p *patternParser) single() error {
	set, err := p.one()
	if err != nil {
		return err
	}
	it := item{kind: itemSingle, set: set}
	if p.pos < len(p.src) {
		switch c := p.src[p.pos]; c {
		case '*', '+', '-', '?':
			it.rep = c
			p.pos++
		}
	}
	p.emit(it)
	return nil
}

func (p *patternParser) one() (set charset, err error) {
	c := p.src[p.pos]
	switch c {
	case '.':
		set.merge(charset{}, true)
	case '[':
		return p.set()
	case '%':
		if p.pos+1 >= len(p.src) {
			return set, errors.New("malformed pattern (ends with %)")
		}
		p.pos++
		addClass(&set, p.src[p.pos])
	default:
		set.add(c)
	}
	p.pos++
	return set, nil
}

// set reads "[...]" at pos.
func (p *patternParser) set() (set charset, err error) {
	unfinished := errors.New("malformed pattern (missing ])")
	p.pos++
	negate := p.pos < len(p.src) && p.src[p.pos] == '^'
	if negate {
		p.pos++
	}
	for first := true; ; first = false {
		if p.pos >= len(p.src) {
			return set, unfinished
		}
		c := p.src[p.pos]
		if c == ']' && !first {
			p.pos++
			break
		}
		if c == '%' {
			if p.pos+1 >= len(p.src) {
				return set, unfinished
			}
			addClass(&set, p.src[p.pos+1])
			p.pos += 2
			continue
		}
		p.pos += p.setRange(&set, p.src[p.pos:])
	}
	if negate {
		var all charset
		all.merge(set, true)
		set = all
	}
	return set, nil
}

// setRange adds "a" or "a-z" at the start of s and returns its length.
func (p *patternParser) setRange(set *charset, s string) int {
	if len(s) >= 3 && s[1] == '-' && s[2] != ']' {
		for c := int(s[0]); c <= int(s[2]); c++ {
			set.add(byte(c))
		}
		return 3
	}
	set.add(s[0])
	return 1
}

// addClass adds what follows a "%": a class, its complement, or the character.
func addClass(set *charset, c byte) {
	lower := c | 0x20
	test := classOf(lower)
	if test == nil || (c|0x20 < 'a' || c|0x20 > 'z') {
		set.add(c)
		return
	}
	var class charset
	for b := range 256 {
		if test(byte(b)) {
			class.add(byte(b))
		}
	}
	set.merge(class, c != lower)
}

func classOf(c byte) func(byte) bool {
	switch c {
	case 'a':
		return isAlpha
	case 'c':
		return func(b byte) bool { return b < 32 || b == 127 }
	case 'd':
		return isDigit
	case 'l':
		return func(b byte) bool { return b >= 'a' && b <= 'z' }
	case 'p':
		return func(b byte) bool { return b > 32 && b < 127 && !isAlpha(b) && !isDigit(b) }
	case 's':
		return func(b byte) bool { return b == ' ' || b >= '\t' && b <= '\r' }
	case 'u':
		return func(b byte) bool { return b >= 'A' && b <= 'Z' }
	case 'w':
		return func(b byte) bool { return isAlpha(b) || isDigit(b) }
	case 'x':
		return func(b byte) bool { return isDigit(b) || b|0x20 >= 'a' && b|0x20 <= 'f' }
	case 'z':
		return func(b byte) bool { return b == 0 }
	}
	return nil
}

func isAlpha(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }
func isDigit(b byte) bool { return b >= '0' && b <= '9' }
