package event

import "time"

// Event is one thing that happened, or that is to be decided, with all that
// is known of it. Fields that do not apply are zero, and left out on the wire.
// The JSON names are those of Lua, of the plugin protocol and of the log.
//
// An Event is a value: whoever gets one must not change its maps.
type Event struct {
	Event string    `json:"event"` // one of the names of this package
	Time  time.Time `json:"time"`

	// The stream. StreamID is "APP/NAME"; Session is the ULID of the publish
	// session, kept over a reconnect within the grace.
	App      string `json:"app,omitempty"`
	Name     string `json:"name,omitempty"`
	StreamID string `json:"stream_id,omitempty"`
	Session  string `json:"session,omitempty"`

	// The peer. ClientID can be kicked.
	ClientID   string            `json:"client_id,omitempty"`
	Protocol   string            `json:"protocol,omitempty"` // rtmp rtmps http-flv ws-flv hls mp4 flv http
	RemoteAddr string            `json:"remote_addr,omitempty"`
	Params     map[string]string `json:"params,omitempty"` // decoded query; the first value of each
	TCURL      string            `json:"tc_url,omitempty"`
	PageURL    string            `json:"page_url,omitempty"`
	FlashVer   string            `json:"flash_ver,omitempty"`
	UserAgent  string            `json:"user_agent,omitempty"`
	Headers    map[string]string `json:"headers,omitempty"` // names in lower case
	Method     string            `json:"method,omitempty"`
	Path       string            `json:"path,omitempty"` // of the request, decoded
	Host       string            `json:"host,omitempty"`

	// The media, as far as it is known. FPS and sizes are the publisher's word.
	VideoCodec string  `json:"video_codec,omitempty"`
	AudioCodec string  `json:"audio_codec,omitempty"`
	Width      int     `json:"width,omitempty"`  // pixels
	Height     int     `json:"height,omitempty"` // pixels
	FPS        float64 `json:"fps,omitempty"`
	SampleRate int     `json:"sample_rate,omitempty"` // Hz
	Channels   int     `json:"channels,omitempty"`

	// The end, or a moment, of a stream, a viewer or a connection. Duration
	// and Gap are in seconds; Gap is the time without a publisher.
	Reason        string  `json:"reason,omitempty"`
	BytesIn       uint64  `json:"bytes_in,omitempty"`
	BytesOut      uint64  `json:"bytes_out,omitempty"`
	Duration      float64 `json:"duration,omitempty"`
	Gap           float64 `json:"gap,omitempty"`
	DroppedFrames uint64  `json:"dropped_frames,omitempty"`

	// A record: what the plugin of that name wrote, or is about to. File is
	// below data_dir, with slashes; URL is where the server serves it.
	Plugin  string    `json:"plugin,omitempty"`
	File    string    `json:"file,omitempty"`
	URL     string    `json:"url,omitempty"`
	Part    int       `json:"part,omitempty"`   // from 1
	Number  int64     `json:"number,omitempty"` // of a segment
	Size    int64     `json:"size,omitempty"`   // bytes
	SHA256  string    `json:"sha256,omitempty"` // hexadecimal
	Started time.Time `json:"started,omitzero"` // wall clock of the first frame
	FromSeq uint64    `json:"from_seq,omitempty"`
	ToSeq   uint64    `json:"to_seq,omitempty"`

	// Record maps names of plugin tables to whether on_publish has them record
	// the stream; a name that is not in it keeps its default.
	Record map[string]bool `json:"record,omitempty"`

	// Labels are what on_publish attached; they are never shown to peers.
	Labels map[string]string `json:"labels,omitempty"`
}
