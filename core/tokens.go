package core

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"strings"
	"sync"

	"github.com/millrace/millrace/core/netloop"
)

// Rights are what the holder of a token may do on the plugins' socket.
type Rights struct {
	// Media: read streams; the rings keep up to Buffer bytes for it over all
	// its streams, 0: as much as it asks for.
	Media  bool
	Buffer int64
	// Events: read GET /events.
	Events bool
	// Objects are the prefixes below which it may store objects, ObjectsMax
	// what they may take, in bytes; 0: defaultObjectsMax.
	Objects    []string
	ObjectsMax int64
}

// Holder is who a token was issued to.
type Holder struct {
	Plugin string
	Rights
}

// tokens are those in force, by their hash: a look-up takes no longer for one
// that is nearly right.
type tokens struct {
	mu sync.RWMutex
	by map[[sha256.Size]byte]Holder
}

// IssueToken makes a token by which plugin has rights on the plugins' socket,
// until RevokeToken. Any goroutine.
func (s *Server) IssueToken(plugin string, r Rights) string {
	token := rand.Text()
	s.tokens.set(token, Holder{plugin, r})
	if len(r.Objects) > 0 {
		s.grantObjects(plugin, r)
	}
	return token
}

// RevokeToken ends what IssueToken began, for requests from now on.
func (s *Server) RevokeToken(token string) {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	delete(s.tokens.by, sha256.Sum256([]byte(token)))
}

// TokenHolder says who a token belongs to; false: it is not in force.
func (s *Server) TokenHolder(token string) (Holder, bool) {
	s.tokens.mu.RLock()
	defer s.tokens.mu.RUnlock()
	h, ok := s.tokens.by[sha256.Sum256([]byte(token))]
	return h, ok
}

// RequestHolder says whose token a request bears.
func (s *Server) RequestHolder(r *http.Request) (Holder, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return Holder{}, false
	}
	return s.TokenHolder(strings.TrimSpace(token))
}

func (t *tokens) set(token string, h Holder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = make(map[[sha256.Size]byte]Holder)
	}
	t.by[sha256.Sum256([]byte(token))] = h
}

// grant is what an event loop must know of a token.
func (s *Server) grant(token string) (netloop.Grant, bool) {
	h, ok := s.TokenHolder(token)
	return netloop.Grant{Plugin: h.Plugin, Media: h.Media, Buffer: h.Buffer}, ok
}
