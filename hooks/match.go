package hooks

// span is a capture: src[start:end], or a position when end is isPosition.
type span struct{ start, end int }

const isPosition = -2

// matcher runs one pattern over one string. tick is asked with the number of
// steps done; false ends the match.
type matcher struct {
	src     string
	p       *pattern
	caps    []span  // one for each capture of p
	few     [4]span // room for caps, mostly
	tick    func(n int) bool
	steps   int
	stopped bool
}

// begin makes m ready for a string.
func (m *matcher) begin(src string, p *pattern, tick func(n int) bool) {
	// What is in few is written before it is read.
	m.src, m.p, m.tick, m.steps, m.stopped = src, p, tick, 0, false
	if p.captures <= len(m.few) {
		m.caps = m.few[:p.captures]
	} else {
		m.caps = make([]span, p.captures)
	}
}

// at matches at s exactly and returns the end, or -1.
func (m *matcher) at(s int) int {
	return m.match(0, s)
}

// find looks for the first match at or after s; start is -1 when there is none.
func (m *matcher) find(s int) (start, end int) {
	for ; s <= len(m.src); s++ {
		if s = m.skip(s); s < 0 {
			break
		}
		if e := m.at(s); e >= 0 {
			return s, e
		}
		if m.p.anchored || m.stopped {
			break
		}
	}
	return -1, -1
}

// skip is the first place at or after s where a match may begin, or -1.
func (m *matcher) skip(s int) int {
	first := m.p.first
	if first == nil || m.p.anchored {
		return s
	}
	begin := s
	s = m.p.seek(m.src, s)
	if !m.step((s-begin)/4) || s == len(m.src) {
		return -1
	}
	return s
}

// step counts n steps; false: stop. It is short, to be inlined.
func (m *matcher) step(n int) bool {
	if m.steps += n; m.steps >= clockEvery {
		m.report()
	}
	return !m.stopped
}

// report tells of the steps since the last time.
func (m *matcher) report() {
	if !m.tick(m.steps) {
		m.stopped = true
	}
	m.steps = 0
}

// match matches the items from i at s and returns the end, or -1. It recurses
// where it may have to come back: at most once per item.
func (m *matcher) match(i, s int) int {
	for i < len(m.p.items) {
		if !m.step(1) {
			return -1
		}
		it := &m.p.items[i]
		switch it.kind {
		case itemOpen, itemPosition, itemClose:
			return m.capture(it, i, s)
		case itemSingle:
			if it.rep != 0 {
				return m.repeat(it, i, s)
			}
			if s >= len(m.src) || !it.set.has(m.src[s]) {
				return -1
			}
			s++
		default:
			if s = m.fixed(it, s); s < 0 {
				return -1
			}
		}
		i++
	}
	return s
}

// fixed matches an item that has at most one way to match.
func (m *matcher) fixed(it *item, s int) int {
	switch it.kind {
	case itemEnd:
		if s != len(m.src) {
			return -1
		}
		return s
	case itemBackref:
		return m.backref(it.n, s)
	case itemBalance:
		return m.balance(it, s)
	}
	// %f: the byte before is not in the set, the one here is; NUL outside.
	var before, here byte
	if s > 0 {
		before = m.src[s-1]
	}
	if s < len(m.src) {
		here = m.src[s]
	}
	if it.set.has(before) || !it.set.has(here) {
		return -1
	}
	return s
}

func (m *matcher) capture(it *item, i, s int) int {
	old := m.caps[it.n]
	switch it.kind {
	case itemOpen:
		m.caps[it.n] = span{start: s}
	case itemPosition:
		m.caps[it.n] = span{start: s, end: isPosition}
	default:
		m.caps[it.n].end = s
	}
	end := m.match(i+1, s)
	if end < 0 {
		m.caps[it.n] = old
	}
	return end
}

func (m *matcher) backref(n, s int) int {
	c := m.caps[n]
	if c.end == isPosition {
		return s // a position is empty text
	}
	text := m.src[c.start:c.end]
	if !m.step(len(text)/16) || len(m.src)-s < len(text) || m.src[s:s+len(text)] != text {
		return -1
	}
	return s + len(text)
}

func (m *matcher) balance(it *item, s int) int {
	if s >= len(m.src) || m.src[s] != it.x {
		return -1
	}
	depth := 1
	for e := s + 1; e < len(m.src); e++ {
		if !m.step(1) {
			return -1
		}
		switch m.src[e] {
		case it.y:
			if depth--; depth == 0 {
				return e + 1
			}
		case it.x:
			depth++
		}
	}
	return -1
}

// repeat matches a single item with * + - or ?.
func (m *matcher) repeat(it *item, i, s int) int {
	if it.rep == '-' {
		return m.lazy(it, i, s)
	}
	least, most := 0, len(m.src)-s
	switch it.rep {
	case '+':
		least = 1
	case '?':
		most = min(most, 1)
	}
	n := 0
	for n < most && it.set.has(m.src[s+n]) {
		n++
	}
	if !m.step(n / 4) {
		return -1
	}
	for ; n >= least; n-- {
		if m.mayGoOn(it, s+n) {
			if end := m.match(i+1, s+n); end >= 0 || m.stopped {
				return end
			}
		}
		if !m.step(1) {
			return -1
		}
	}
	return -1
}

// mayGoOn tells whether what comes after an item may match at s, by its first
// character.
func (m *matcher) mayGoOn(it *item, s int) bool {
	return it.next == nil || s < len(m.src) && it.next.has(m.src[s])
}

func (m *matcher) lazy(it *item, i, s int) int {
	for {
		if m.mayGoOn(it, s) {
			if end := m.match(i+1, s); end >= 0 {
				return end
			}
		}
		if !m.step(1) || s >= len(m.src) || !it.set.has(m.src[s]) {
			return -1
		}
		s++
	}
}
