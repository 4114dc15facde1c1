package gate

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// newID is a name for a session that nobody guesses.
func newID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// macSize is how many bytes of the HMAC-SHA256 a signed id carries.
const macSize = 16

// sign is an id as it stands in URLs below prefix, and is valid there only.
func (g *Gate) sign(id, prefix string) string {
	return id + "." + base64.RawURLEncoding.EncodeToString(g.mac(id, prefix))
}

// verify returns the id that sign made token of; "" if it is of no value.
func (g *Gate) verify(token, prefix string) string {
	id, text, _ := strings.Cut(token, ".")
	mac, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || !hmac.Equal(mac, g.mac(id, prefix)) {
		return ""
	}
	return id
}

func (g *Gate) mac(id, prefix string) []byte {
	h := hmac.New(sha256.New, g.key[:])
	h.Write([]byte(id + "\x00" + prefix))
	return h.Sum(nil)[:macSize]
}
