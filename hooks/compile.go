package hooks

import (
	"errors"
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// maxSource is the size of a script in bytes. The parser builds a tree of the
// whole file, and nothing interrupts it.
const maxSource = 1 << 20

// ScriptError is a mistake in a script: where it is, and what it is.
type ScriptError struct {
	File string // as the operator named it
	Line int    // 0 when there is none
	Hook string // "" outside of hooks
	Text string
}

// Error is "FILE:LINE: HOOK: TEXT", without what is not known.
func (e *ScriptError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	b.WriteString(": ")
	if e.Hook != "" {
		b.WriteString(e.Hook + ": ")
	}
	b.WriteString(e.Text)
	return b.String()
}

// chunk is a compiled file; it is immutable, and shared by all states.
type chunk struct {
	file  string // as errors name it
	proto *lua.FunctionProto
	keys  map[string][]int // lines where a key of a table is written, ascending
	needs []need           // modules that it requires by name
}

// need is a call of require with a name written in the script.
type need struct {
	module string
	line   int
}

// compile turns source into a chunk. The tree is rewritten before it becomes
// code, see rewriter.
func compile(file, source string) (c *chunk, err error) {
	if len(source) > maxSource {
		return nil, &ScriptError{File: file, Text: fmt.Sprintf("the file is larger than %d bytes", maxSource)}
	}
	// The compiler panics on trees that its 250 registers cannot hold.
	defer func() {
		if r := recover(); r != nil {
			c, err = nil, &ScriptError{File: file, Text: fmt.Sprintf("compile: %v", r)}
		}
	}()
	tree, err := parse.Parse(strings.NewReader(withoutShebang(source)), file)
	if err != nil {
		return nil, syntaxError(file, source, err)
	}
	rw := rewriter{keys: map[string][]int{}}
	if line := rw.chunk(tree); line > 0 {
		return nil, &ScriptError{File: file, Line: line, Text: "expressions or blocks are nested too deeply"}
	}
	proto, err := lua.Compile(tree, file)
	if err != nil {
		return nil, syntaxError(file, source, err)
	}
	startSmall(proto)
	return &chunk{file: file, proto: proto, keys: rw.keys, needs: rw.needs}, nil
}

// startSmall has tables that are made empty ("{}") begin with room for a few
// names: the library, when it is not told how many will come, makes it for 32 on
// the first, which is 2 KB. In an instruction (gopher-lua's opcode.go), the six
// highest bits are the operation, bits 9 to 17 the number of names, and 0 to 8
// of values by position.
func startSmall(p *lua.FunctionProto) {
	const opShift, sizes, oneName = 26, 1<<18 - 1, 1 << 9
	for i, inst := range p.Code {
		if int(inst>>opShift) == lua.OP_NEWTABLE && inst&sizes == 0 {
			p.Code[i] |= oneName
		}
	}
	for _, inner := range p.FunctionPrototypes {
		startSmall(inner)
	}
}

// withoutShebang blanks a first line that begins with "#", so that lines keep
// their numbers.
func withoutShebang(source string) string {
	if !strings.HasPrefix(source, "#") {
		return source
	}
	if i := strings.IndexByte(source, '\n'); i >= 0 {
		return source[i:]
	}
	return ""
}

func syntaxError(file, source string, err error) error {
	if e, ok := errors.AsType[*parse.Error](err); ok {
		text, line := e.Message, e.Pos.Line
		if line <= 0 { // the parser has no number for the end of the file
			line = 1 + strings.Count(strings.TrimSpace(source), "\n")
			return &ScriptError{File: file, Line: line, Text: text + " at the end of the file"}
		}
		if e.Token != "" {
			text += fmt.Sprintf(" near %q", e.Token)
		}
		return &ScriptError{File: file, Line: line, Text: text}
	}
	if e, ok := errors.AsType[*lua.CompileError](err); ok {
		return &ScriptError{File: file, Line: e.Line, Text: e.Message}
	}
	return &ScriptError{File: file, Text: strings.TrimSpace(err.Error())}
}

// keyLine is the first line in [from, to] where key is written, or 0.
func (c *chunk) keyLine(key string, from, to int) int {
	for _, line := range c.keys[key] {
		if line >= from && (to < from || line <= to) {
			return line
		}
	}
	return 0
}
