package hls

import (
	"crypto/aes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// keyring holds a stream's AES keys: in state_dir, one file each, and as
// objects that the gate of the server can guard.
type keyring struct {
	dir  string // of files
	base string // of objects: hls/APP/NAME/keys
	id   string // of the key in use
	key  []byte
	used int // segments begun with it
}

// next returns the key for a segment that begins, and the URI of it. After
// rotate segments it is a new one; 0: never.
func (k *keyring) next(rotate int) (key []byte, uri string, fresh bool, err error) {
	if k.key == nil || rotate > 0 && k.used >= rotate {
		if err := k.make(); err != nil {
			return nil, "", false, err
		}
		fresh = true
	}
	k.used++
	return k.key, "/" + path.Join(k.base, k.id), fresh, nil
}

// make makes a key with a name that tells nothing.
func (k *keyring) make() error {
	random := make([]byte, 2*aes.BlockSize)
	if _, err := rand.Read(random); err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	key, id := random[:aes.BlockSize], hex.EncodeToString(random[aes.BlockSize:])
	if err := os.WriteFile(filepath.Join(k.dir, id), key, 0o600); err != nil {
		return fmt.Errorf("keep a key: %w", err)
	}
	k.key, k.id, k.used = key, id, 0
	return nil
}

// keysIn are the URIs of the keys that a playlist on disk names, each once.
func keysIn(playlist string) []string {
	b, err := os.ReadFile(playlist)
	if err != nil {
		return nil
	}
	var uris []string
	for line := range strings.Lines(string(b)) {
		rest, ok := strings.CutPrefix(line, "#EXT-X-KEY:")
		_, rest, found := strings.Cut(rest, `URI="`)
		if uri, _, closed := strings.Cut(rest, `"`); ok && found && closed && !slices.Contains(uris, uri) {
			uris = append(uris, uri)
		}
	}
	return uris
}

// removeKey removes a key that no segment needs any more: its file, and the
// object that is made of it.
func (p *Plugin) removeKey(uri string) {
	object := strings.TrimPrefix(uri, "/")
	rel, ok := strings.CutPrefix(object, kind+"/")
	if own, _ := path.Match("*/*/keys/*", rel); !ok || !own || !filepath.IsLocal(rel) {
		return // a playlist that somebody else wrote
	}
	p.deleteObject(object)
	if err := os.Remove(filepath.Join(p.stateDir(), rel)); err != nil && !os.IsNotExist(err) {
		p.log.Warn("cannot remove an old key", "err", err)
	}
}

// file is where the key of a URI is.
func (k *keyring) file(uri string) string { return filepath.Join(k.dir, path.Base(uri)) }

// load finds the key of a URI that next returned.
func (k *keyring) load(uri string) ([]byte, error) {
	id := path.Base(uri)
	key, err := os.ReadFile(k.file(uri))
	if err == nil && len(key) != aes.BlockSize {
		err = fmt.Errorf("it has %d bytes", len(key))
	}
	if err != nil {
		return nil, fmt.Errorf("read key %s: %w", id, err)
	}
	k.key, k.id = key, id
	return key, nil
}
