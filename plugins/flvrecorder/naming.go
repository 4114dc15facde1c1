package flvrecorder

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/millrace/millrace/plugins/sdk"
)

// nameSeparator stands between a publish session and the number of a recording
// of it after the first.
const nameSeparator = "~"

// nameOf names a recording: the first of a publish session by that, further ones,
// after somebody stopped one and started another, with their number.
func nameOf(publish string, n int) string {
	if n == 1 {
		return publish
	}
	return publish + nameSeparator + strconv.Itoa(n)
}

// publishOf is the publish session of a recording.
func publishOf(name string) string {
	publish, _, _ := strings.Cut(name, nameSeparator)
	return publish
}

// nameFor finds the recording that a stream goes on with: that of the process
// before, or a new one beside those that are being finished still.
func (r *Recorder) nameFor(a sdk.Attach) (string, error) {
	if k := string(a.Handover); publishOf(k) == a.Session {
		return k, nil
	}
	newest, err := r.newest(a.Session)
	if err != nil {
		return "", err
	}
	if a.Resume || a.Handover != nil {
		return nameOf(a.Session, max(newest, 1)), nil
	}
	return nameOf(a.Session, newest+1), nil
}

// newest is the number of the newest recording of a publish session that is
// not finished yet, 0 if all are.
func (r *Recorder) newest(publish string) (int, error) {
	states, err := filepath.Glob(filepath.Join(r.stateDir, publish+"*", "*.json"))
	if err != nil {
		return 0, fmt.Errorf("look for recordings of the session: %w", err)
	}
	newest := 0
	for _, path := range states {
		k := filepath.Base(filepath.Dir(path))
		if k == publish {
			newest = max(newest, 1)
		} else if n, ok := strings.CutPrefix(k, publish+nameSeparator); ok {
			if n, err := strconv.Atoi(n); err == nil {
				newest = max(newest, n)
			}
		}
	}
	return newest, nil
}
