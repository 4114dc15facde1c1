package message

import (
	"errors"
	"fmt"

	"github.com/millrace/millrace/core/amf"
)

// Command is a call or the answer to one (section 7.1.1).
type Command struct {
	Name string
	// ID is the transaction id; 0 asks for no answer.
	ID float64
	// Object is the command object, an *amf.Object as a rule; nil is written
	// as null.
	Object any
	// Args are what follows the command object.
	Args []any
	// AMF3 says that the message is of type 17. Its values are AMF0 all the
	// same, behind a byte of 0.
	AMF3 bool
}

// DecodeCommand decodes a payload of type 20, or 17. Rubbish behind a whole
// command object is ignored; no client deserves to be closed for that.
func DecodeCommand(typ uint8, b []byte, lim amf.Limits) (Command, error) {
	c := Command{AMF3: typ == TypeCommandAMF3}
	vals, err := amf.DecodeAll0(stripFormat(typ, b), lim)
	if err != nil && (len(vals) < 3 || tooLarge(err)) {
		return Command{}, fmt.Errorf("decode command: %w", err)
	}
	var ok bool
	if len(vals) > 0 {
		c.Name, ok = vals[0].(string)
	}
	if !ok {
		return Command{}, errors.New("decode command: it has no name")
	}
	if len(vals) > 1 {
		c.ID, _ = vals[1].(float64)
	}
	if len(vals) > 2 {
		c.Object, c.Args = vals[2], vals[3:]
	}
	return c, nil
}

func tooLarge(err error) bool {
	return errors.Is(err, amf.ErrDepth) || errors.Is(err, amf.ErrValues) || errors.Is(err, amf.ErrBytes)
}

// stripFormat drops the byte before the AMF0 values of types 17 and 15, which
// names their format. Some encoders leave it out: a payload that starts with
// AMF0's string marker is taken to be one of theirs.
func stripFormat(typ uint8, b []byte) []byte {
	const stringMarker = 2
	if (typ == TypeCommandAMF3 || typ == TypeDataAMF3) && len(b) > 0 && b[0] != stringMarker {
		return b[1:]
	}
	return b
}

// Type implements [Body].
func (c Command) Type() uint8 {
	if c.AMF3 {
		return TypeCommandAMF3
	}
	return TypeCommandAMF0
}

// Append implements [Body].
func (c Command) Append(dst []byte) []byte {
	if c.AMF3 {
		dst = append(dst, 0)
	}
	dst = amf.Append0(dst, c.Name)
	dst = amf.Append0(dst, c.ID)
	dst = amf.Append0(dst, c.Object)
	for _, v := range c.Args {
		dst = amf.Append0(dst, v)
	}
	return dst
}

// Arg is the argument at i, or nil if there is none.
func (c Command) Arg(i int) any {
	if i >= len(c.Args) {
		return nil
	}
	return c.Args[i]
}

// Text is the argument at i if it is a string, else "".
func (c Command) Text(i int) string {
	s, _ := c.Arg(i).(string)
	return s
}

// Number is the argument at i if it is a number, else or.
func (c Command) Number(i int, or float64) float64 {
	if n, ok := c.Arg(i).(float64); ok {
		return n
	}
	return or
}

// Bool is the argument at i if it is a boolean or a number, else or.
func (c Command) Bool(i int, or bool) bool {
	switch v := c.Arg(i).(type) {
	case bool:
		return v
	case float64:
		return v != 0
	}
	return or
}
