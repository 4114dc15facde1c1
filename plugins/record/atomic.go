package record

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile replaces a file so that after a crash, of the machine too, it has
// either its old content or b: temporary file, fsync, rename, fsync of the
// folder. The temporary file's name begins with a dot.
func WriteFile(path string, b []byte) error {
	dir, name := filepath.Split(path)
	f, err := os.CreateTemp(dir, "."+name+".*")
	if err != nil {
		return err
	}
	err = fill(f, b)
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return SyncDir(dir)
}

func fill(f *os.File, b []byte) error {
	_, err := f.Write(b)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// SyncDir makes the names in a folder durable.
func SyncDir(dir string) error {
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}

// Replace replaces a file that can be made again: readers see the old or the
// new one, and it is not worth an fsync.
func Replace(path string, b []byte) error {
	return swap(path, func(temp string) error { return os.WriteFile(temp, b, 0o644) })
}

// Extend is Replace by what the file has, but for its last cut bytes, and b
// behind that. The kernel copies it: it takes no memory, however long it is.
func Extend(path string, cut int, b []byte) error {
	return swap(path, func(temp string) (err error) {
		old, err := os.Open(path)
		if err != nil {
			return err
		}
		defer old.Close()
		info, err := old.Stat()
		if err != nil {
			return err
		}
		keep := info.Size() - int64(cut)
		if keep < 0 {
			return io.ErrUnexpectedEOF
		}
		f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		if _, err := io.CopyN(f, old, keep); err != nil {
			return err
		}
		_, err = f.Write(b)
		return err
	})
}

// Link makes a relative link to target, in place of what is at path.
func Link(path, target string) error {
	to, err := filepath.Rel(filepath.Dir(path), target)
	if err != nil {
		return fmt.Errorf("link %s: %w", path, err)
	}
	return swap(path, func(temp string) error { return os.Symlink(to, temp) })
}

// swap puts what create makes in the place of a file at once.
func swap(path string, create func(temp string) error) error {
	dir, name := filepath.Split(path)
	temp := filepath.Join(dir, "."+name+".new")
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := create(temp); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
