// Package conf is the configuration of a Millrace server: its values and
// defaults, the strict reading of a TOML file and of the environment, and the
// difference between two configurations that a reload acts on.
//
// Nothing here opens a socket or starts a goroutine. A Config is a plain value
// that may be copied; its slices are not changed after Parse returned it.
package conf

import "net/netip"

// Config is everything that conf/millrace.toml can say.
type Config struct {
	Server Server
	Log    Log
	RTMP   RTMP
	HTTP   HTTP
	TLS    TLS
	Admin  Admin
	Limits Limits
	Stream Stream

	PluginSocket PluginSocket

	Hooks   Hooks
	Record  Record
	Plugins []Plugin // by name
}

// Record says what recordings are called.
type Record struct {
	// Timezone is that of the names of sessions: "local", "UTC" or a name of
	// the IANA database.
	Timezone string
	// Path is the template of recordings' paths below data_dir; "": the
	// default.
	Path string
}

// Server is the process as a whole.
type Server struct {
	Loops           int      // event loops; 0: one per CPU
	DataDir         string   // recordings, below flv, hls and mp4; served
	StateDir        string   // what is not served
	ShutdownTimeout Duration // from SIGTERM to the exit
	StatsInterval   Duration // between two statistics lines in the log
}

// Log is what is logged to stderr, and in which form.
type Log struct {
	Level  Level
	Format Format
}

// RTMP is the front for publishers and RTMP players.
type RTMP struct {
	Listen    []Listen
	ChunkSize int // bytes of an outgoing chunk's payload
}

// HTTP is the public front: live streams, pages, and the list of streams.
type HTTP struct {
	Listen         []Listen
	WWWDir         string   // "": the built-in pages
	CORSOrigins    []string // "*" or origins as a browser sends them
	List           bool     // serve /streams.json
	TrustedProxies []netip.Prefix
}

// Admin is the front for the operator.
type Admin struct {
	Listen string // "": no admin listener
	Token  string // bearer token; "" only on loopback
	Faults bool   // millrace debug may make faults
}

// PluginSocket is where programs that the server did not start read events and
// streams.
type PluginSocket struct {
	Path  string // "": nowhere
	Mode  Mode
	Token string
}

// Limits bounds what one peer, and all peers together, may take.
type Limits struct {
	Connections          int // 0: what the descriptor limit allows
	ConnectionsPerIP     int // 0: no limit
	Waiting              int // viewers that wait for a publisher
	TLSHandshakes        int // in progress at once
	HandshakeTimeout     Duration
	ConnectTimeout       Duration
	PublishTimeout       Duration
	RequestHeaderTimeout Duration
	IdleTimeout          Duration
	PublishIdleTimeout   Duration // without media
	ConnectionBuffer     Size
	CommandSize          Size
	MediaSize            Size
	PartialBytes         Size
	ChunkStreams         int
	AMFDepth             int
	NotsentLowat         Size // TCP_NOTSENT_LOWAT of viewers; 0: the system's
}

// Stream is how streams are named, kept, merged and how slow viewers are met.
type Stream struct {
	NamePattern    Pattern
	GOPCache       bool
	OnBusy         OnBusy
	BusySilence    Duration
	ReconnectGrace Duration
	PlayWait       Duration
	MergeWindow    MergeWindow
	MergeWindowMax Duration
	ReadWindowMax  Duration
	RingTime       Duration
	RingBytes      Size
	GOPMaxBytes    Size
	GOPMaxAge      Duration
	Memory         Memory // all rings together
	MaxLag         Duration
	StallTimeout   Duration
}

// Default returns the configuration of a server that was told nothing. The
// shipped millrace.toml says the same; a test holds them equal.
func Default() Config {
	return Config{
		Server: Server{DataDir: "data", StateDir: "state", ShutdownTimeout: 10 * Second, StatsInterval: 10 * Second},
		Log:    Log{Level: LevelInfo, Format: FormatText},
		RTMP:   RTMP{Listen: []Listen{{Addr: ":1935"}}, ChunkSize: 65536},
		HTTP: HTTP{
			Listen:         []Listen{{Addr: ":8501"}},
			CORSOrigins:    []string{"*"},
			List:           true,
			TrustedProxies: []netip.Prefix{},
		},
		TLS:    TLS{Certificates: []Certificate{}},
		Admin:  Admin{Listen: "127.0.0.1:8502"},
		Limits: defaultLimits(),
		Stream: defaultStream(),

		PluginSocket: PluginSocket{Mode: "0660"},

		Hooks: Hooks{
			Scripts: []string{}, Shadow: []string{}, HTTPAllow: []string{}, OnErrorFor: []string{},
			Timeout: 500 * Millisecond, QueueTimeout: 2 * Second, OnError: "deny",
			Workers: 256, Queue: 8192, Memory: 64 * MiB, Tick: 10 * Second,
			Mask: []string{"token", "key", "sign", "password", "secret", "authorization", "cookie"},
		},
		Record:  Record{Timezone: "local"},
		Plugins: defaultPlugins(),
	}
}

func defaultLimits() Limits {
	return Limits{
		Waiting:              10000,
		TLSHandshakes:        1000,
		HandshakeTimeout:     5 * Second,
		ConnectTimeout:       5 * Second,
		PublishTimeout:       10 * Second,
		RequestHeaderTimeout: 10 * Second,
		IdleTimeout:          60 * Second,
		PublishIdleTimeout:   30 * Second,
		ConnectionBuffer:     1 * MiB,
		CommandSize:          64 * KiB,
		MediaSize:            16 * MiB,
		PartialBytes:         32 * MiB,
		ChunkStreams:         64,
		AMFDepth:             32,
		NotsentLowat:         128 * KiB,
	}
}

func defaultStream() Stream {
	return Stream{
		NamePattern:    `^[A-Za-z0-9_-][A-Za-z0-9._-]*$`,
		GOPCache:       true,
		OnBusy:         BusyAuto,
		BusySilence:    2 * Second,
		ReconnectGrace: 10 * Second,
		PlayWait:       10 * Second,
		MergeWindow:    MergeWindow{Auto: true},
		MergeWindowMax: 350 * Millisecond,
		ReadWindowMax:  60 * Millisecond,
		RingTime:       15 * Second,
		RingBytes:      32 * MiB,
		GOPMaxBytes:    16 * MiB,
		GOPMaxAge:      20 * Second,
		Memory:         Memory{Percent: 25},
		MaxLag:         5 * Second,
		StallTimeout:   30 * Second,
	}
}
