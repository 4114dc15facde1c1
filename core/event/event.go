// Package event holds the names of a stream's lifecycle events and their
// fields: one spelling for log, API, metrics, hooks and plugins.
package event

// Names of decisions, which may refuse or rename, and of notices.
const (
	Connect     = "on_connect"
	Publish     = "on_publish"
	Play        = "on_play"
	Record      = "on_record"
	Request     = "on_request"
	StreamStart = "on_stream_start"
	StreamLost  = "on_stream_lost"
	StreamBack  = "on_stream_back"
	Codec       = "on_codec"
	Unpublish   = "on_unpublish"
	ViewerStart = "on_viewer_start"
	Stop        = "on_stop"
	Segment     = "on_segment"
	RecordDone  = "on_record_done"
	Close       = "on_close"
	Tick        = "on_tick"
)

// Names of fields.
const (
	App        = "app"
	Name       = "name"
	Stream     = "stream"
	Session    = "session"
	ClientID   = "client_id"
	Protocol   = "protocol"
	RemoteAddr = "remote_addr"
	UserAgent  = "user_agent"
	Reason     = "reason"
	BytesIn    = "bytes_in"
	BytesOut   = "bytes_out"
	Duration   = "duration"
	LagMS      = "lag_ms"
	Dropped    = "dropped_frames"
	Plugin     = "plugin"
)
