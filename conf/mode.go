package conf

import (
	"io/fs"
	"strconv"
	"strings"
)

// Mode is the permissions of a file, in octal as chmod has them: "0660".
type Mode string

// Perm returns the permissions; none for a Mode that is none.
func (m Mode) Perm() fs.FileMode {
	n, err := strconv.ParseUint(string(m), 8, 32)
	if err != nil {
		return 0
	}
	return fs.FileMode(n) & fs.ModePerm
}

func isMode(s string) bool {
	n, err := strconv.ParseUint(s, 8, 32)
	return err == nil && len(s) == 4 && n <= uint64(fs.ModePerm)
}

func mode(dst *Mode) field { return str(dst, `permissions such as "0660"`, isMode) }

// maxSocketPath is the longest path of a unix socket, in bytes: unix(7) has 107,
// and the server makes it under a name that is longer by 4.
const maxSocketPath = 103

func socketPath(dst *string) field {
	return str(dst, `a path of at most 103 bytes, or "" for no socket`, func(s string) bool {
		return len(s) <= maxSocketPath && !strings.ContainsRune(s, 0)
	})
}
