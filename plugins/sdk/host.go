package sdk

import (
	"context"
	"log/slog"
	"time"

	"github.com/millrace/millrace/core/event"
)

// Host is what a plugin may ask of the server. All methods may be called from
// any goroutine.
type Host interface {
	// Logger's records appear in the server's log, with the plugin's name.
	Logger() *slog.Logger
	// DataDir is what is served; StateDir is not. Both are absolute.
	DataDir() string
	StateDir() string
	// OpenRecord has the host name a record: a file or folder below data_dir,
	// which is reserved for the caller.
	OpenRecord(ctx context.Context, r RecordRequest) (RecordPlace, error)
	// Announce tells hooks and other plugins of a segment (event.Segment) or
	// of a finished record (event.RecordDone).
	Announce(ctx context.Context, e event.Event) error
	// PutObject stores an object that the server serves from memory, until
	// its TTL; DeleteObject removes it.
	PutObject(ctx context.Context, o Object) error
	DeleteObject(ctx context.Context, path string) error
	// Gauge and Count set and add to a metric of the plugin's own, shown as
	// millrace_plugin_NAME with the labels plugin and those given in pairs. A
	// gauge of something that is over is taken away by setting it to NaN.
	Gauge(name string, value float64, labels ...string)
	Count(name string, add float64, labels ...string)
	// Kick ends a stream ("APP/NAME") or a client by id; false: there is none.
	Kick(ctx context.Context, id, reason string) (bool, error)
	// Streams are the live streams, as on_stream_start and on_codec describe
	// them, and those that have ended but that this plugin is to get the rest
	// of: it will be attached to them once more.
	Streams(ctx context.Context) ([]event.Event, error)
}

// RecordRequest asks where a record goes.
type RecordRequest struct {
	App, Name, Session string
	// Kind is the name of the folder below data_dir: flv, mp4, hls, or the
	// name of the plugin's table.
	Kind string
	// Part counts the files of one session from 1; the name of a later part
	// is made from that of the first. 0 reserves a folder.
	Part int
	// Ext is the file's extension with its dot; "" with Part 0.
	Ext     string
	Started time.Time
}

// RecordPlace is the answer.
type RecordPlace struct {
	// Skip: this session is not to be recorded.
	Skip bool
	// Dir is absolute; Name is the file's name in it, reserved by an empty
	// file, or the folder's. SessionName is YYYYMMDD_HHMMSS, the same for all
	// recorders of a session.
	Dir, Name, SessionName string
	// Rel is Dir/Name below data_dir, with slashes; URL is where it is served.
	Rel, URL string
	// Alias is the folder in which the link to the newest session belongs.
	Alias  string
	Labels map[string]string
}

// Object is a resource that the server serves from memory.
type Object struct {
	// Path is below one of the granted prefixes, such as
	// "hls/live/cam/index.m3u8".
	Path        string
	ContentType string
	// CacheControl is sent as it is; "" means no-cache.
	CacheControl string
	TTL          time.Duration // from now; 0 means one minute
	Body         []byte        // owned by the host from here on
	// Parts make the body of objects already stored, in order, instead of
	// Body; of at most 4096 bodies in all.
	Parts []string
	// Blocking playlists of LL-HLS: requests with _HLS_msn and _HLS_part wait
	// until MSN and Part are reached. Both count what this playlist holds.
	Blocking  bool
	MSN, Part int64
	// Delta is what ?_HLS_skip=YES gets; nil: Body.
	Delta []byte
	// Hint is the path of an object that does not exist yet, and for which
	// requests wait.
	Hint string
}

// Refresher is a [Host] that keeps many small objects without their being sent
// again. The host of [Serve] is one; a server from before it answers an error.
type Refresher interface {
	// RefreshObjects has all objects below a folder, such as
	// "hls/live/cam/keys/", stay for ttl from now, and returns their paths.
	RefreshObjects(ctx context.Context, folder string, ttl time.Duration) ([]string, error)
}

// Grower is a [Host] whose objects can grow without all of them being sent
// again. The host of [Serve] is one; a server from before gives no tags.
type Grower interface {
	// GrowObject stores o as PutObject does, and returns a tag of what is at its
	// path then; "": the server has none. With the tag of an earlier call,
	// o.Body comes behind the first keep bytes of the object that got it, which
	// has to be at o.Path still: if not, nothing is stored and the error is
	// ErrObjectChanged. o has no Parts.
	GrowObject(ctx context.Context, o Object, tag string, keep int64) (string, error)
}

// Config is a plugin's table.
type Config struct {
	// Values holds the keys as TOML has them: string, int64, float64, bool,
	// []any, map[string]any.
	Values map[string]any
}

// Problem is one thing wrong with a configuration.
type Problem struct {
	Key     string // dotted, below the plugin's table
	Message string
}
