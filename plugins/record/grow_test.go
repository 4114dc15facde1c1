package record

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file goes on behind what stays of it, with the sum of that if it is wanted.
func TestReopen(t *testing.T) {
	t.Parallel()
	for _, summed := range []bool{true, false} {
		path := filepath.Join(t.TempDir(), "1.ts")
		if err := os.WriteFile(path, []byte("whole torn"), 0o600); err != nil {
			t.Fatal(err)
		}
		sum := sha256.New()
		of := sum
		if !summed {
			of = nil
		}
		f, err := Reopen(path, 5, of)
		if err != nil {
			t.Fatal(err)
		}
		if err := Writev(f, [][]byte{[]byte(" and"), nil, []byte(" more")}); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if b, err := os.ReadFile(path); string(b) != "whole and more" {
			t.Errorf("%q, %v", b, err)
		}
		want := sha256.Sum256([]byte("whole"))
		if got := fmt.Sprintf("%x", sum.Sum(nil)); summed != (got == fmt.Sprintf("%x", want)) {
			t.Errorf("summed %t: %s", summed, got)
		}
	}
	if _, err := Reopen(filepath.Join(t.TempDir(), "none"), 0, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no file: %v", err)
	}
}

// What replaces a file, or a link, leaves nothing else behind.
func TestReplace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at, alias := filepath.Join(dir, "a", "index"), filepath.Join(dir, "b", "index")
	for _, d := range []string{at, alias} {
		if err := os.Mkdir(filepath.Dir(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"one", "two"} {
		// As a crash left it.
		if err := os.WriteFile(filepath.Join(dir, "a", ".index.new"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Replace(at, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := Link(alias, at); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(alias); string(b) != text {
			t.Errorf("%q, %v", b, err)
		}
	}
	if to, err := os.Readlink(alias); to != "../a/index" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	for _, d := range []string{at, alias} {
		if all, err := os.ReadDir(filepath.Dir(d)); len(all) != 1 {
			t.Errorf("%v, %v", all, err)
		}
	}
}

// What extends a file takes its end away, and leaves nothing else behind; who
// reads the old one has all of it.
func TestExtend(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "index.json")
	if err := Extend(path, 1, []byte("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no file: %v", err)
	}
	long := strings.Repeat("0123456789", 20_000)
	if err := os.WriteFile(path, []byte(long+"]"), 0o600); err != nil {
		t.Fatal(err)
	}
	old, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	for _, more := range []string{",a]", ",b]"} {
		// As a crash left it.
		if err := os.WriteFile(filepath.Join(dir, ".index.json.new"), []byte("torn"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Extend(path, 1, []byte(more)); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(path); string(b) != long+",a,b]" {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if b, err := io.ReadAll(old); string(b) != long+"]" {
		t.Errorf("the old one has %d bytes, %v", len(b), err)
	}
	if err := Extend(path, len(long)+100, []byte("x")); err == nil {
		t.Error("more is cut than there is")
	}
	if all, err := os.ReadDir(dir); len(all) > 2 {
		t.Errorf("%v, %v", all, err)
	}
}

// No entry of a playlist lies across a page, so that readers of the growing
// file see whole ones.
func TestAppendLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "index.m3u8")
	if err := os.WriteFile(path, []byte("#EXTM3U\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const entries = 300
	for i := range entries {
		if err := AppendLines(path, []byte("#EXTINF:4.000,\n/"+strings.Repeat("x", 20+i%77)+".m4s\n")); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for at := 0; ; found++ {
		i := bytes.Index(b[at:], []byte("#EXTINF"))
		if i < 0 {
			break
		}
		from := at + i
		to := from + bytes.Index(b[from:], []byte(".m4s\n")) + 5
		if from/page != (to-1)/page {
			t.Errorf("entry from %d to %d", from, to)
		}
		at = to
	}
	if found != entries {
		t.Errorf("%d entries of %d", found, entries)
	}
	for line := range strings.Lines(string(b)) {
		if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "/") {
			t.Errorf("line %q", line)
		}
	}
}
