package web

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// fullName is what an MP4 record becomes at its end.
const fullName = "output_merge/stream_full.mp4"

// newestFull leads from the alias of the newest session's stream_full.mp4,
// which is not there while that session is live, to the newest that is; it
// returns any other name as it is.
func newestFull(root *os.Root, name string) string {
	stream, ok := strings.CutSuffix(name, "/"+fullName)
	if !ok || !strings.HasPrefix(stream, "mp4/") || strings.Count(stream, "/") != 2 {
		return name
	}
	entries, err := fs.ReadDir(root.FS(), stream)
	if err != nil {
		return name
	}
	for _, e := range slices.Backward(entries) { // sorted by name, which is by time
		full := path.Join(stream, e.Name(), fullName)
		if !e.IsDir() || !isSession(e.Name()) {
			continue
		}
		if info, err := root.Stat(full); err == nil && info.Mode().IsRegular() {
			return full
		}
	}
	return name
}

// isToCome tells the MP4 of a session that is there, and has none by now.
func isToCome(root *os.Root, name string) bool {
	if !strings.HasPrefix(name, "mp4/") || !strings.HasSuffix(name, "/"+fullName) {
		return false
	}
	_, err := root.Stat(path.Dir(name))
	return err == nil
}
