package amf

// Limits bounds one decode: one call of a Decode function. A field that is 0
// or less takes its default.
type Limits struct {
	// Depth is how many containers may be inside one another; default 32.
	Depth int
	// Values is how many values there may be, containers, elements and
	// AMF3 trait names included, counting what a reference repeats each
	// time; default 65,536.
	Values int
	// Bytes is how many bytes of names, strings and byte arrays references
	// may repeat, so that writing a value without references stays in
	// proportion to what was read; default 1 MiB.
	Bytes int
}

func (l Limits) withDefaults() Limits {
	if l.Depth <= 0 {
		l.Depth = 32
	}
	if l.Values <= 0 {
		l.Values = 1 << 16
	}
	if l.Bytes <= 0 {
		l.Bytes = 1 << 20
	}
	return l
}
