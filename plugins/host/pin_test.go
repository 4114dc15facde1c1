package host

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestPinned changes programs between the check of their sum and their start.
func TestPinned(t *testing.T) {
	t.Parallel()
	echo, err := os.ReadFile("/bin/echo")
	if err != nil {
		t.Fatal(err)
	}
	for name, program := range map[string][]byte{
		"script": []byte("#!/bin/sh\necho \"$@\"\n"), "program": echo,
	} {
		for how, change := range map[string]func(path string) error{
			"written over": func(path string) error { return os.WriteFile(path, []byte("#!/bin/sh\necho other\n"), 0o755) },
			"replaced": func(path string) error {
				return errors.Join(os.WriteFile(path+".new", []byte("#!/bin/sh\necho other\n"), 0o755), os.Rename(path+".new", path))
			},
			"removed": os.Remove,
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(t.TempDir(), "plugin")
				if err := os.WriteFile(path, program, 0o755); err != nil {
					t.Fatal(err)
				}
				sum := sha256.Sum256(program)
				pinned, err := pin(path, hex.EncodeToString(sum[:]))
				if err != nil {
					t.Fatal(err)
				}
				defer pinned.Close()
				if err := change(path); err != nil {
					t.Fatal(err)
				}
				if _, err := pinned.WriteAt([]byte("x"), 0); err == nil {
					t.Error("what was pinned can be written to")
				}
				cmd, err := command(path, pinned, t.TempDir(), []string{"one", "two"})
				if err != nil {
					t.Fatal(err)
				}
				if out, err := cmd.Output(); err != nil || string(out) != "one two\n" {
					t.Errorf("%q, %v", out, err)
				}
			})
		}
	}
}

func TestPinOther(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "plugin")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("other"))
	if _, err := pin(path, hex.EncodeToString(sum[:])); !errors.Is(err, ErrChecksum) {
		t.Error(err)
	}
}
