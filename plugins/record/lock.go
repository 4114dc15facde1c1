package record

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Lock keeps a session to one writer. It is an flock, so that it goes with the
// process that holds it.
type Lock struct{ f *os.File }

// ErrLocked is returned when another process writes the session.
var ErrLocked = errors.New("another process writes this session")

const (
	lockWait  = 10 * time.Second
	lockRetry = 20 * time.Millisecond
)

// AcquireLock takes the lock at path, which it creates. It waits up to 10 s,
// or until ctx ends, for another writer to go, and then returns [ErrLocked].
func AcquireLock(ctx context.Context, path string) (*Lock, error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	for {
		l, err := TryLock(path)
		if !errors.Is(err, ErrLocked) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(lockRetry):
		}
	}
}

// TryLock takes the lock at path, which it creates, or returns [ErrLocked] at
// once.
func TryLock(path string) (*Lock, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open lock: %w", err)
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			_ = f.Close() // nothing was written
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, fmt.Errorf("%w: %s", ErrLocked, path)
			}
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if isAt(f, path) {
			return &Lock{f: f}, nil
		}
		_ = f.Close() // removed by its holder between open and flock
	}
}

// isAt reports whether path still names the open file.
func isAt(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}

// Release lets the next writer in. The file stays.
func (l *Lock) Release() error {
	if err := CloseLocked(l.f); err != nil {
		return fmt.Errorf("release lock: %w", err)
	}
	return nil
}

// CloseLocked closes a file and lets go of its flock at once. To close it is not
// enough: between fork and exec a child of any goroutine has the descriptor, and
// the lock with it.
func CloseLocked(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	// Not f.Fd, the number of which may be another file's by now if f was closed.
	var failed error
	err = conn.Control(func(fd uintptr) { failed = syscall.Flock(int(fd), syscall.LOCK_UN) })
	return errors.Join(err, failed, f.Close())
}

// Remove releases the lock and removes its file: the session is over.
func (l *Lock) Remove() error {
	err := os.Remove(l.f.Name())
	return errors.Join(err, l.Release())
}
