package record

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.lock")
	a, err := AcquireLock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := TryLock(path); !errors.Is(err, ErrLocked) {
		t.Errorf("twice: %v", err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := AcquireLock(over, path); !errors.Is(err, ErrLocked) {
		t.Errorf("with no time left: %v", err)
	}
	got := make(chan error)
	go func() {
		b, err := AcquireLock(t.Context(), path)
		if err == nil {
			err = b.Remove()
		}
		got <- err
	}()
	if err := a.Release(); err != nil {
		t.Error(err)
	}
	if err := <-got; err != nil {
		t.Errorf("after the other: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a removed lock is there")
	}
}

// Whoever removes its lock leaves the next one a new file: never two holders.
func TestLockExcludes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.lock")
	var inside atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				l, err := AcquireLock(t.Context(), path)
				if err != nil {
					t.Error(err)
					return
				}
				if inside.Add(1) != 1 {
					t.Error("two inside")
				}
				inside.Add(-1)
				if err := l.Remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// A lock that is released is free even while a child that another goroutine
// starts has its descriptor, as each has between fork and exec.
func TestLockOfAChild(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.lock")
	l, err := TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	childs, err := syscall.Dup(int(l.f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
	next, err := TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(syscall.Close(childs), next.Remove()); err != nil {
		t.Error(err)
	}
}
