package admin

import "time"

// The states of a stream: sending, or in its reconnect grace.
const (
	StateLive = "live"
	StateLost = "lost"
)

// The protocols of a connection. HTTP is a connection that is no viewer (yet).
const (
	ProtocolRTMP    = "rtmp"
	ProtocolHTTPFLV = "http-flv"
	ProtocolWSFLV   = "ws-flv"
	ProtocolHTTP    = "http"
	ProtocolPlugin  = "plugin" // on the plugins' unix socket
	// Viewing sessions of playlists and recordings, which are no connections.
	ProtocolHLS = "hls"
	ProtocolMP4 = "mp4"
	ProtocolFLV = "flv"
)

// The roles of a connection. Waiting is a player whose stream has no
// publisher yet; idle is one that asked for nothing so far;
// plugin one that takes a stream from the plugins' socket.
const (
	RolePublisher = "publisher"
	RolePlayer    = "player"
	RoleWaiting   = "waiting"
	RoleIdle      = "idle"
	RolePlugin    = "plugin"
)

// StreamStatus is one stream as the API shows it. Nil pointers are shown as
// null: no publisher (while lost), a track that was not seen.
type StreamStatus struct {
	App                  string           `json:"app"`
	Name                 string           `json:"name"`
	State                string           `json:"state"` // StateLive or StateLost
	Publisher            *PublisherStatus `json:"publisher"`
	Video                *VideoStatus     `json:"video"`
	Audio                *AudioStatus     `json:"audio"`
	Viewers              int              `json:"viewers"` // all protocols, without plugins
	ViewersByProtocol    ViewerCounts     `json:"viewers_by_protocol"`
	BytesIn              uint64           `json:"bytes_in"`
	BytesOut             uint64           `json:"bytes_out"`
	FramesIn             uint64           `json:"frames_in"`
	BitrateKbps          int64            `json:"bitrate_kbps"` // of the input, 1,000 bits a second
	TimestampCorrections uint64           `json:"timestamp_corrections"`
	DroppedFrames        uint64           `json:"dropped_frames"` // not sent to slow viewers, summed over them
	RingBytes            int64            `json:"ring_bytes"`
	RingFrames           int64            `json:"ring_frames"`
	GOPFrames            int64            `json:"gop_frames"` // what a newcomer starts with
	Session              string           `json:"session"`
	Since                time.Time        `json:"since"`
}

// PublisherStatus is the connection that a stream comes from.
type PublisherStatus struct {
	ID         string `json:"id"` // a client id
	RemoteAddr string `json:"remote_addr"`
	Protocol   string `json:"protocol"`
}

// VideoStatus describes a video track; width and height are pixels, 0 when
// they could not be read.
type VideoStatus struct {
	Codec   string `json:"codec"`
	Width   int    `json:"width"`
	Height  int    `json:"height"`
	Profile string `json:"profile,omitempty"`
}

// AudioStatus describes an audio track; the sample rate is in Hz.
type AudioStatus struct {
	Codec      string `json:"codec"`
	SampleRate int    `json:"sample_rate"`
	Channels   int    `json:"channels"`
}

// ViewerCounts is a number of viewers for each protocol that can be watched.
type ViewerCounts struct {
	RTMP    int `json:"rtmp"`
	HTTPFLV int `json:"http-flv"`
	WSFLV   int `json:"ws-flv"`
	HLS     int `json:"hls"`
	MP4     int `json:"mp4"`
	FLV     int `json:"flv"` // of recordings
}

// Sum is the number of all viewers.
func (c ViewerCounts) Sum() int { return c.RTMP + c.HTTPFLV + c.WSFLV + c.HLS + c.MP4 + c.FLV }

// ClientStatus is one connection as the API shows it. Fields that do not
// apply to its role are zero.
type ClientStatus struct {
	ID            string    `json:"id"` // may stand in a URL's path segment
	Protocol      string    `json:"protocol"`
	Role          string    `json:"role"`
	TLS           bool      `json:"tls"`
	App           string    `json:"app"`
	Name          string    `json:"name"`
	RemoteAddr    string    `json:"remote_addr"`
	UserAgent     string    `json:"user_agent"` // RTMP: flashVer
	BytesIn       uint64    `json:"bytes_in"`
	BytesOut      uint64    `json:"bytes_out"`
	LagMS         int64     `json:"lag_ms"`
	DroppedFrames uint64    `json:"dropped_frames"`
	SocketQueue   int64     `json:"socket_queue"` // bytes that the kernel holds unsent
	Since         time.Time `json:"since"`
}

// Change is one key that a reload found changed. Live: in force now;
// otherwise it needs a restart. The Server must not put secrets into Old and
// New.
type Change struct {
	Key  string `json:"key"`
	Old  string `json:"old"`
	New  string `json:"new"`
	Live bool   `json:"live"`
}
