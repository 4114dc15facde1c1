package web

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// Settings are what Server.Apply changes while the server runs. A request uses
// the settings in force when it began.
type Settings struct {
	// List serves /streams.json; off, it answers 404.
	List bool
	// CORSOrigins are the origins that other sites' pages may come from, such
	// as "https://example.org"; "*" allows all, none sends no CORS headers.
	CORSOrigins []string
	// WWWDir is a folder whose files replace the built-in pages; "" keeps them.
	WWWDir string
	// StallTimeout is how long a viewer over HTTP/2 may take nothing; 0: for
	// ever.
	StallTimeout time.Duration
	// DataDir is the folder in which recordings lie, below flv, hls and mp4;
	// "" serves none. It need not exist.
	DataDir string
	// Gate, if not nil, is asked before a page or anything below /flv, /hls and
	// /mp4 is served.
	Gate Gate
}

// Apply puts new settings in force for the requests that follow. If they
// cannot be used it returns an error and the old ones stay. Safe for any
// goroutine.
func (s *Server) Apply(next Settings) error {
	if err := checkWWWDir(next.WWWDir); err != nil {
		return err
	}
	next.CORSOrigins = slices.Clone(next.CORSOrigins)
	s.settings.Store(&next)
	return nil
}

func checkWWWDir(dir string) error {
	if dir == "" {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open www_dir: %w", err)
	}
	return root.Close()
}
