package host

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/host/place"
	"github.com/millrace/millrace/plugins/sdk"
)

// Errors that callers branch on.
var (
	ErrNoPlugin  = errors.New("no such plugin")
	ErrNoStream  = errors.New("no such stream")
	ErrNoMedia   = errors.New("the plugin takes no media")
	ErrRunning   = errors.New("the recording is running")
	ErrNotActive = errors.New("the recording is not running")
	ErrNotUp     = errors.New("the plugin is not running")
)

// Rights are what a token for the data plane allows.
type Rights struct {
	// Plugin is the name of the plugin's table.
	Plugin string
	// Objects are the prefixes below which it may store objects, and
	// ObjectsMax is how many bytes of them.
	Objects    []string
	ObjectsMax int64
	// Buffer is how many bytes it may lag behind, over all its streams.
	Buffer int64
}

// Metric is a value that a plugin reports.
type Metric struct {
	Plugin, Name string
	Counter      bool // Value is added
	Value        float64
	Labels       map[string]string
}

// Options are what a Host needs from the server. Functions may be called from
// any goroutine; those that are nil are done without.
type Options struct {
	Logger *slog.Logger
	// DataDir and StateDir are existing folders; both are made absolute.
	DataDir, StateDir string
	// RunDir is where the private folders of sockets are made; "" is the
	// system's folder for temporary files. Short: a unix socket's path has
	// at most 107 bytes.
	RunDir string
	// Beside is the folder in which relative commands are looked up before
	// PATH; "" is that of the server's own program.
	Beside string
	// MediaSocket is the unix socket of the data plane.
	MediaSocket string
	// IssueToken makes a token for the data plane, RevokeToken ends it.
	IssueToken  func(Rights) (string, error)
	RevokeToken func(token string)
	// Kick ends a stream ("APP/NAME") or a client; false: there is none.
	Kick func(id, reason string) bool
	// Decide runs on_record.
	Decide func(ctx context.Context, e event.Event) (place.Verdict, error)
	// Wants says whether a hook asked for, or refused, a recording of a
	// stream; not decided: the plugin's own wish holds.
	Wants func(plugin string, stream event.Event) (want, decided bool)
	// Kept says whether the media of a session that has ended can still be
	// read. nil: of none that no plugin had begun with.
	Kept func(session string) bool
	// Announced gets on_segment and on_record_done, for the hooks and
	// everybody else but plugins: the Host tells those. It must not block.
	Announced func(event.Event)
	// Metrics gets what plugins report. It must not block.
	Metrics func(Metric)
	// Location is that of the names of sessions, nil the local one, and
	// RecordTemplate the default of package place.
	Location       *time.Location
	RecordTemplate string
	// HealthInterval is how often plugins are asked how they are; 0 is 5 s.
	HealthInterval time.Duration
	// HealthTimeout is how long one may take to answer; 0 is 5 s. Three answers
	// in a row that fail end it.
	HealthTimeout time.Duration
}

// Config is the table of a plugin.
type Config struct {
	Enabled bool
	// Command is the program: absolute, or looked up beside the server's own
	// and then in PATH.
	Command string
	Args    []string
	// Env is added to the environment, which has nothing of the server's own
	// but PATH, HOME, LANG, TZ and TMPDIR.
	Env map[string]string
	// Restart is "always", "on-failure" (another status than 0, or killed) or
	// "never".
	Restart string
	// SHA256 is the program's checksum in hexadecimal; "" is any.
	SHA256 string
	// Buffer is how many bytes the plugin may lag behind, over all streams.
	Buffer int64
	// ObjectsMax is how many bytes of objects it may store.
	ObjectsMax   int64
	StartTimeout time.Duration
	StopTimeout  time.Duration
	// StuckTimeout is how long a plugin may be busy with what it was given.
	StuckTimeout time.Duration
	// MTLS: the control connection is encrypted and both ends authenticate.
	MTLS   bool
	Limits Limits
	// Values are the plugin's own keys.
	Values map[string]any
}

// Limits of a plugin's process. Zero values are no limits.
type Limits struct {
	Memory int64  // resident bytes; beyond it the process is replaced
	Nice   int    // -20 to 19
	User   string // a user's name; the server must be root
	Files  uint64 // descriptors
}

// Problem is one thing wrong with a plugin's table.
type Problem = sdk.Problem

// DefaultConfig is a table with nothing in it.
func DefaultConfig() Config {
	return Config{
		Enabled: true, Restart: "always", Buffer: 64 << 20, Limits: Limits{Nice: 10}, ObjectsMax: 256 << 20, MTLS: true,
		StartTimeout: 10 * time.Second, StopTimeout: 10 * time.Second, StuckTimeout: 30 * time.Second,
	}
}
