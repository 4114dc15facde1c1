package conf

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// document is a decoded TOML text that still knows where its keys stand.
//
// The decoder has no call for the position of a key. It does put one into the
// error of a value that its Unmarshaler refuses; node refuses every value to
// get at it.
type document struct {
	text     string
	md       toml.MetaData
	sections map[string]toml.Primitive
}

// decode parses text. The error is a toml.ParseError whenever that is possible.
func decode(text string) (d document, err error) {
	// The decoder panics with "BUG: …" where its lexer and its parser disagree.
	// A server that reloads must not go down by that.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("decode TOML: %v", r)
		}
	}()
	d.text = text
	d.md, err = toml.Decode(text, &d.sections)
	return d, err
}

// node is a value of a document and the offset at which it starts, behind the
// "[" of a list; -1 for a table that is only implied by a dotted key.
type node struct {
	value any
	start int
}

var errNode = errors.New("refused for its position")

// UnmarshalTOML keeps v and refuses it.
func (n *node) UnmarshalTOML(v any) error {
	n.value = v
	return errNode
}

func (d *document) node(p toml.Primitive) node {
	n := node{start: -1}
	err := d.md.PrimitiveDecode(p, &n)
	var refused toml.ParseError
	if errors.As(err, &refused) && refused.Position.Line > 0 {
		n.start = refused.Position.Start
	}
	return n
}

// children returns the keys of a table, nil for any other value.
func (d *document) children(p toml.Primitive) map[string]toml.Primitive {
	var keys map[string]toml.Primitive
	if d.md.PrimitiveDecode(p, &keys) != nil {
		return nil
	}
	return keys
}

// line returns the line of a node; for an implied table that of the first key
// within it. The path leads to the node.
func (d *document) line(n node, path ...string) int {
	if n.start >= 0 {
		return lineAt(d.text, n.start)
	}
	for _, key := range d.md.Keys() {
		if len(key) <= len(path) || !slices.Equal([]string(key[:len(path)]), path) {
			continue
		}
		if first := d.descend(key); first.start >= 0 {
			return lineAt(d.text, first.start)
		}
	}
	return 1
}

// descend follows a key to its node.
func (d *document) descend(key toml.Key) node {
	p := d.sections[key[0]]
	for _, part := range key[1:] {
		p = d.children(p)[part]
	}
	return d.node(p)
}

// elementLines returns the line of each element of the list that is the node of
// key; nil when n is no list, or its elements were not found.
func (d *document) elementLines(n node, key string) []int {
	switch n.value.(type) {
	case []any:
		return elementLines(d.text, n.start)
	case []map[string]any:
		return headerLines(d.text, key)
	}
	return nil
}

// lineAt returns the line of an offset, which the decoder sometimes puts before
// the text or behind it.
func lineAt(text string, offset int) int {
	offset = max(0, min(offset, len(text)))
	return 1 + strings.Count(text[:offset], "\n")
}
