package ws

import (
	"strings"
	"testing"
)

func TestAcceptKey(t *testing.T) {
	t.Parallel()
	// The example of RFC 6455 section 1.3.
	const key, want = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
	if got := AcceptKey(key); got != want {
		t.Errorf("AcceptKey(%q) = %q, want %q", key, got, want)
	}
}

func TestValidKey(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, key string
		want      bool
	}{
		{"of the RFC", "dGhlIHNhbXBsZSBub25jZQ==", true},
		{"empty", "", false},
		{"15 bytes", "dGhlIHNhbXBsZSBub25j", false},
		{"17 bytes", "dGhlIHNhbXBsZSBub25jZSE=", false},
		{"not base64", "dGhlIHNhbXBsZSBub25j!Q==", false},
		{"line break inside", "dGhlIHNhbXBsZSBub25\nZQ==", false},
		{"long", strings.Repeat("A", 1000), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := ValidKey(c.key); got != c.want {
				t.Errorf("ValidKey(%q) = %v, want %v", c.key, got, c.want)
			}
		})
	}
}
