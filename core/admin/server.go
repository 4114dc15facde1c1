package admin

import "context"

// Server is what the API needs of the live server. Every method may be called
// from any goroutine, several at a time. Slices and maps that it returns are
// the caller's to keep and change.
type Server interface {
	// Streams lists the streams that are live or in their grace, in any order.
	Streams() []StreamStatus
	Stream(app, name string) (StreamStatus, bool)
	// Clients asks each loop; it returns ctx's error if one does not answer in
	// time.
	Clients(ctx context.Context) ([]ClientStatus, error)
	// KickStream ends the stream's publisher; false: no such stream. The
	// reason is at most 123 bytes of UTF-8.
	KickStream(app, name, reason string) bool
	// KickClient ends one connection; false: no such client.
	KickClient(ctx context.Context, id, reason string) (bool, error)
	// Reload reads the configuration again and puts in force what can be
	// changed live. An error leaves the old one in force; if it (or one that
	// it wraps) has a method Problems() []string, the fault is the file's and
	// the API answers 422 with that list.
	Reload() ([]Change, error)
	// Stats is a snapshot of all counters, taken once per scrape.
	Stats() Stats
}

// problems is an error about a configuration, one line per fault.
type problems interface {
	error
	Problems() []string
}
