package host

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// pin copies a program into memory that nobody can change from then on, and
// checks the copy's SHA-256: what was summed is what runs, whatever becomes of
// the file meanwhile. The caller closes it.
func pin(path, want string) (*os.File, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	pinned, err := newMemory(filepath.Base(path))
	if err != nil {
		return nil, fmt.Errorf("pin %s: %w", path, err)
	}
	h := sha256.New()
	if _, err = io.Copy(io.MultiWriter(pinned, h), in); err == nil {
		const all = unix.F_SEAL_WRITE | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL
		_, err = unix.FcntlInt(pinned.Fd(), unix.F_ADD_SEALS, all)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("pin %s: %w", path, err), pinned.Close())
	}
	sum, err := hex.DecodeString(want)
	if err != nil || subtle.ConstantTimeCompare(sum, h.Sum(nil)) != 1 {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, ErrChecksum), pinned.Close())
	}
	return pinned, nil
}

// newMemory makes a file in memory that may be executed.
func newMemory(name string) (*os.File, error) {
	const longest = 249 // bytes of a name, memfd_create(2)
	name = name[:min(len(name), longest)]
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// command runs the program at path, or what was pinned of it. The latter is
// the process's descriptor 3, which an interpreter of a script opens; it goes
// by a link in dir, so that the process has the program's name.
func command(path string, pinned *os.File, dir string, args []string) (*exec.Cmd, error) {
	if pinned == nil {
		return exec.Command(path, args...), nil
	}
	link := filepath.Join(dir, filepath.Base(path))
	if err := os.Symlink("/proc/self/fd/3", link); err != nil {
		return nil, fmt.Errorf("name pinned program: %w", err)
	}
	cmd := exec.Command(link, args...)
	cmd.Args[0] = path
	cmd.ExtraFiles = []*os.File{pinned} // descriptor 3
	return cmd, nil
}
