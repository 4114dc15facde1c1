package event

// Names returns the names of all events.
func Names() []string {
	return []string{
		Connect, Publish, Play, Record, Request,
		StreamStart, StreamLost, StreamBack, Codec, Unpublish, ViewerStart, Stop,
		Segment, RecordDone, Close, Tick,
	}
}
