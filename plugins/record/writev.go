package record

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// maxVectors is the kernel's limit of a writev (IOV_MAX).
const maxVectors = 1024

// Writev writes all buffers at the file's position, as few calls as may be.
// It uses up bufs, but does not change what they point to.
func Writev(f *os.File, bufs [][]byte) error {
	for len(bufs) > 0 {
		n, err := unix.Writev(int(f.Fd()), bufs[:min(len(bufs), maxVectors)])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", f.Name(), err)
		}
		if n <= 0 {
			return fmt.Errorf("write %s: %w", f.Name(), io.ErrShortWrite)
		}
		bufs = consume(bufs, n)
	}
	return nil
}

// consume takes n written bytes off the buffers.
func consume(bufs [][]byte, n int) [][]byte {
	for len(bufs) > 0 && n >= len(bufs[0]) {
		n -= len(bufs[0])
		bufs = bufs[1:]
	}
	if n > 0 {
		bufs[0] = bufs[0][n:]
	}
	return bufs
}
