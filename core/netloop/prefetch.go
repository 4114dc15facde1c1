//go:build amd64 || arm64

package netloop

import "unsafe"

// prefetch has the processor fetch lines of 64 bytes from p on into its caches,
// while it goes on. It reads nothing: p may be anything.
//
//go:noescape
func prefetch(p unsafe.Pointer, lines int)
