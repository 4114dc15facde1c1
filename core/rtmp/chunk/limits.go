package chunk

// Limits bounds what one peer may make a [Reader] hold. A field that is 0 or
// less takes its default.
type Limits struct {
	// CommandSize is the largest message, in bytes, that is neither audio,
	// video nor aggregate (limits.command_size); default 64 KiB.
	CommandSize int
	// MediaSize is the largest audio, video or aggregate message in bytes
	// (limits.media_size); default 16 MiB.
	MediaSize int
	// PartialBytes is how many bytes all messages in progress may hold
	// (limits.partial_bytes); default 32 MiB.
	PartialBytes int
	// ChunkStreams is how many chunk streams there may be
	// (limits.chunk_streams); default 64.
	ChunkStreams int
}

func (l Limits) withDefaults() Limits {
	set := func(n *int, def int) {
		if *n <= 0 {
			*n = def
		}
	}
	set(&l.CommandSize, 64<<10)
	set(&l.MediaSize, 16<<20)
	set(&l.PartialBytes, 32<<20)
	set(&l.ChunkStreams, 64)
	return l
}
