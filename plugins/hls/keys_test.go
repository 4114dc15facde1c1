package hls

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/plugins/plugintest"
	"github.com/millrace/millrace/plugins/sdk"
)

// Keys change when they should, are objects that nobody caches, and are
// nowhere in what is served from disk.
func TestKeys(t *testing.T) {
	t.Parallel()
	h, c := plugintest.NewHost(t), newClock()
	values := map[string]any{"target": "2s", "encrypt": true, "key_rotation": int64(2)}
	keys := encrypted(t, h, c, values)
	if len(keys) != 3 {
		t.Fatalf("keys %v", keys)
	}
	for i, uri := range keys {
		path := strings.TrimPrefix(uri, "/")
		o, ok := h.Object(path)
		if !ok || len(o.Body) != 16 || o.CacheControl != "private, no-store" || !strings.HasPrefix(uri, "/hls/live/cam/keys/") {
			t.Errorf("%s: %t %+v", uri, ok, o)
		}
		if _, err := os.Stat(filepath.Join(h.DataDir(), path)); err == nil {
			t.Errorf("%s is in the served folder", uri)
		}
		if i > 0 && uri == keys[i-1] {
			t.Errorf("%s is used again", uri)
		}
		if err := h.DeleteObject(t.Context(), path); err != nil {
			t.Fatal(err)
		}
	}
	startSpy(t, h, c, values)
	wait(t, func() bool {
		return !slices.ContainsFunc(keys, func(uri string) bool { _, ok := h.Object(strings.TrimPrefix(uri, "/")); return !ok })
	})
}

// encrypted records a stream, by a process that goes then, and returns the URIs
// of its keys.
func encrypted(t *testing.T, h *plugintest.Host, c *fakeClock, values map[string]any) []string {
	t.Helper()
	p := startSpy(t, h, c, values)
	defer h.Stop(p)
	small(t, h, p, plugintest.GOPs(10, 0, 50)).End()
	return check(t, list(t, h, "live/cam")).keys
}

// A process sends only those keys that the server has not, and takes away what
// is none any more.
func TestKeysKept(t *testing.T) {
	t.Parallel()
	h, c := plugintest.NewHost(t), newClock()
	keys := encrypted(t, h, c, map[string]any{"target": "2s", "encrypt": true, "key_rotation": int64(1)})
	lost, kept := strings.TrimPrefix(keys[0], "/"), strings.TrimPrefix(keys[1], "/")
	if err := h.DeleteObject(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	const stray = "hls/live/cam/keys/00"
	second := New().(*Plugin)
	second.host, second.log = h, h.Logger()
	h.Start(&mutePlugin{second}, nil) // so that the test may store below hls/
	for _, path := range []string{kept, stray} {
		if err := h.PutObject(t.Context(), sdk.Object{Path: path, Body: []byte("as it was")}); err != nil {
			t.Fatal(err)
		}
	}
	if !second.publishKeys() {
		t.Error("not taken")
	}
	if o, ok := h.Object(lost); !ok || len(o.Body) != 16 {
		t.Errorf("the lost key: %t, %q", ok, o.Body)
	}
	if o, _ := h.Object(kept); string(o.Body) != "as it was" {
		t.Errorf("a key that was there was sent again: %q", o.Body)
	}
	if _, ok := h.Object(stray); ok {
		t.Error("what is no key is there")
	}
}

// mutePlugin is one that does nothing by itself.
type mutePlugin struct{ p *Plugin }

func (m *mutePlugin) Info() sdk.Info                      { return m.p.Info() }
func (*mutePlugin) Configure(sdk.Config) []sdk.Problem    { return nil }
func (*mutePlugin) Start(context.Context, sdk.Host) error { return nil }
func (*mutePlugin) Stop(context.Context) error            { return nil }

// A key goes with the last segment that needs it.
func TestKeysWindow(t *testing.T) {
	t.Parallel()
	h, c := plugintest.NewHost(t), newClock()
	p := startSpy(t, h, c, map[string]any{"target": "2s", "encrypt": true, "key_rotation": int64(1), "window": int64(3)})
	p.still()
	small(t, h, p, plugintest.GOPs(15, 0, 50)).End()
	c.add(1e12)
	p.reaper.run(c.now())
	files, err := filepath.Glob(p.streams[0].j.path("keys/*"))
	if err != nil || len(files) != 3 {
		t.Errorf("%d keys are left: %v", len(files), err)
	}
	objects := slices.DeleteFunc(h.Objects(), func(s string) bool { return !strings.Contains(s, "/keys/") })
	if len(objects) != 3 {
		t.Errorf("%v are left", objects)
	}
}

// An old session goes with its keys; those of others stay.
func TestKeep(t *testing.T) {
	t.Parallel()
	h, c := plugintest.NewHost(t), newClock()
	p := startSpy(t, h, c, map[string]any{"target": "2s", "encrypt": true, "key_rotation": int64(2), "keep_age": "1h"})
	p.still()
	keys := func() int {
		files, err := filepath.Glob(filepath.Join(p.stateDir(), "*", "*", "keys", "*"))
		if err != nil {
			t.Fatal(err)
		}
		objects := slices.DeleteFunc(h.Objects(), func(s string) bool { return !strings.Contains(s, "/keys/") })
		if len(objects) != len(files) {
			t.Errorf("keys %v, objects %v", files, objects)
		}
		return len(files)
	}
	small(t, h, p, plugintest.GOPs(10, 0, 50)).End()
	old := p.streams[0].paths.dir
	c.add(2 * time.Hour)
	small(t, h, p, plugintest.GOPs(10, 0, 50)).End()
	live := small(t, h, p, plugintest.GOPs(3, 0, 50))
	if n := keys(); n != 7 {
		t.Fatalf("%d keys", n)
	}
	p.keep()
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("the old session stays: %v", err)
	}
	if n := keys(); n != 4 {
		t.Errorf("%d keys stay", n)
	}
	if got := check(t, list(t, h, "live/cam")); len(got.uris) == 0 {
		t.Error("the newest session is gone")
	}
	live.End()
}

// Keys of segments that were in memory only go after them.
func TestKeysInMemory(t *testing.T) {
	t.Parallel()
	h, c := plugintest.NewHost(t), newClock()
	p := startSpy(t, h, c, map[string]any{"target": "2s", "encrypt": true, "key_rotation": int64(1), "window": int64(3), "disk": false})
	p.still()
	small(t, h, p, plugintest.GOPs(15, 0, 50)).End()
	small(t, h, p, plugintest.GOPs(15, 0, 50)).End()
	c.add(time.Hour)
	p.reaper.run(c.now())
	if files, err := filepath.Glob(p.streams[0].j.path("keys/*")); err != nil || len(files) != 3 {
		t.Errorf("%d keys are left: %v", len(files), err)
	}
}

// However a segment comes in pieces, and whichever process goes on with it,
// it decrypts to what went in.
func TestEncryptor(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{7}, 16)
	for n := range 70 {
		plain := bytes.Repeat([]byte{1, 2, 3}, n)
		for step := 1; step < 50; step += 6 {
			e, err := newEncryptor(key, 9)
			if err != nil {
				t.Fatal(err)
			}
			var out []byte
			for at := 0; at < len(plain); at += step {
				out = append(out, e.write([][]byte{plain[at:min(at+step, len(plain))]})...)
				if e, err = goOnEncrypting(key, e.state); err != nil {
					t.Fatal(err)
				}
			}
			out = append(out, e.finish()...)
			if got := decrypt(t, key, 9, out); !bytes.Equal(got, plain) {
				t.Fatalf("%d bytes in steps of %d come back as %d", len(plain), step, len(got))
			}
		}
	}
}

func decrypt(t *testing.T, key []byte, number uint64, b []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil || len(b) == 0 || len(b)%16 != 0 {
		t.Fatalf("%d bytes: %v", len(b), err)
	}
	iv := binary.BigEndian.AppendUint64(make([]byte, 8), number)
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(b, b)
	pad := int(b[len(b)-1])
	if pad < 1 || pad > 16 {
		t.Fatalf("padding of %d", pad)
	}
	return b[:len(b)-pad]
}
