// Package certificate holds the certificates of the TLS listeners: it picks one
// by the name that a client asks for, and reads the files again when they
// change.
package certificate

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Pair names the files of one certificate: the chain, leaf first, and the
// leaf's private key, both PEM.
type Pair struct{ Cert, Key string }

// ErrNone is returned for a handshake when there is no certificate.
var ErrNone = errors.New("no certificate is configured")

// Store holds certificates. Its methods may be called from any goroutine.
type Store struct {
	log     *slog.Logger
	current atomic.Pointer[[]tls.Certificate]
	watcher *fsnotify.Watcher
	ended   sync.WaitGroup

	mu    sync.Mutex
	pairs []Pair
	dirs  map[string]bool // that are watched
}

// New loads the pairs and watches their files until Close.
func New(log *slog.Logger, pairs []Pair) (*Store, error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch certificates: %w", err)
	}
	s := &Store{log: log, watcher: watcher, dirs: make(map[string]bool)}
	if err := s.Set(pairs); err != nil {
		watcher.Close()
		return nil, err
	}
	s.ended.Go(s.watch)
	return s, nil
}

// Close stops watching; handshakes still find their certificates.
func (s *Store) Close() error {
	err := s.watcher.Close()
	s.ended.Wait()
	return err
}

// Set puts pairs in force in the place of those before, and reads their files.
// If one cannot be used, nothing changes.
func (s *Store) Set(pairs []Pair) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := loadAll(pairs)
	if err != nil {
		return err
	}
	for i, c := range all {
		if wrong := Expiry(c, time.Now()); wrong != "" {
			s.log.Warn("a certificate is of no use now", "cert", pairs[i].Cert, "reason", wrong)
		}
	}
	s.pairs = pairs
	s.current.Store(&all)
	s.watchFolders()
	return nil
}

func loadAll(pairs []Pair) ([]tls.Certificate, error) {
	all := make([]tls.Certificate, len(pairs))
	for i, p := range pairs {
		var err error
		if all[i], err = Load(p); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Load reads one pair. The error says which of the files is wrong.
func Load(p Pair) (tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(p.Cert, p.Key)
	if err != nil {
		return c, fmt.Errorf("load certificate %s with key %s: %w", p.Cert, p.Key, err)
	}
	return c, nil
}

// Expiry says what is wrong with c's dates at now, "" for nothing.
func Expiry(c tls.Certificate, now time.Time) string {
	switch leaf := c.Leaf; {
	case now.After(leaf.NotAfter):
		return "expired at " + leaf.NotAfter.UTC().Format(time.RFC3339)
	case now.Before(leaf.NotBefore):
		return "is not valid before " + leaf.NotBefore.UTC().Format(time.RFC3339)
	}
	return ""
}

// Config is what a TLS listener offers; protocols are those of ALPN, the best
// first.
func (s *Store) Config(protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     protocols,
		GetCertificate: s.pick,
	}
}

// pick returns the first certificate that fits the name, and the kinds of keys,
// that a client asks for; who asks for another name gets the first of all, and
// says himself what he thinks of it.
func (s *Store) pick(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	all := *s.current.Load()
	if len(all) == 0 {
		return nil, ErrNone
	}
	for i := range all {
		if hello.SupportsCertificate(&all[i]) == nil {
			return &all[i], nil
		}
	}
	return &all[0], nil
}
