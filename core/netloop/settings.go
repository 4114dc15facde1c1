package netloop

import (
	"net/netip"
	"regexp"
	"time"

	"github.com/millrace/millrace/core/httpflv"
)

// Settings are what can change while the engine runs. Durations and sizes are
// those of the configuration keys of the same names.
type Settings struct {
	Limits  Limits
	Viewers Viewers
	// ReadWindowMax is the time in which each publisher has its turn to be read,
	// on a loop with thousands of messages a second; 0: all are read as
	// something comes.
	ReadWindowMax time.Duration
	// NamePattern is what each segment of an app and a name must match.
	NamePattern *regexp.Regexp
	CORS        httpflv.CORS
	// TrustedProxies may tell a client's address in a header.
	TrustedProxies []netip.Prefix
	// ObjectsByHTTP reports whether objects are left to net/http, where a gate
	// decides who gets them. Loops call it for each request; nil: never.
	ObjectsByHTTP func() bool
}

// Limits are the bounds of connections.
type Limits struct {
	// Connections is the most that are open at once, 0 for what the limit of
	// descriptors allows.
	Connections      int
	ConnectionsPerIP int
	// Waiting is the most viewers that wait for a publisher.
	Waiting int
	// TLSHandshakes is the most that are in progress at once.
	TLSHandshakes int

	HandshakeTimeout     time.Duration
	ConnectTimeout       time.Duration
	PublishTimeout       time.Duration
	RequestHeaderTimeout time.Duration
	IdleTimeout          time.Duration
	PublishIdleTimeout   time.Duration

	// Sizes in bytes.
	ConnectionBuffer int
	CommandSize      int
	MediaSize        int
	PartialBytes     int
	ChunkStreams     int
	AMFDepth         int
	// NotsentLowat is TCP_NOTSENT_LOWAT of viewers; 0 leaves the system's.
	NotsentLowat int
}

// Viewers says how viewers are served.
type Viewers struct {
	PlayWait time.Duration
	// MergeWindow is how long frames gather before they leave together;
	// negative: as the loop's load asks, up to MergeWindowMax.
	MergeWindow    time.Duration
	MergeWindowMax time.Duration
	MaxLag         time.Duration
	StallTimeout   time.Duration
}

// MergeAuto has the merge window follow the loop's load.
const MergeAuto = time.Duration(-1)
