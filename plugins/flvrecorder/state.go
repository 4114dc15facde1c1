package flvrecorder

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/record"
)

// state is what is needed to go on with a part, and to finish it. It is
// written when the part begins and when something of it changes, which is
// rare.
type state struct {
	App      string `json:"app"`
	Name     string `json:"name"`
	Session  string `json:"session"`
	Manifest string `json:"manifest"` // path
	// Part is the manifest's. Until the part is Closed, Size and all that
	// says To are 0.
	Part   record.Part       `json:"part"`
	Rel    string            `json:"rel"` // below data_dir, with slashes
	URL    string            `json:"url"`
	Labels map[string]string `json:"labels,omitempty"`
	// The live head: see liveHead.
	Audio bool   `json:"audio"`
	Video bool   `json:"video"`
	Meta  []byte `json:"meta"`
	Zeros int    `json:"zeros"`
	// Body is where counted tags begin, in bytes, and First the number of the
	// first of them: what counted before it is in the head.
	Body  int64  `json:"body"`
	First uint64 `json:"first"`
	// Publisher is the last onMetaData's payload, Headers are the sequence
	// headers in force.
	Publisher []byte   `json:"publisher,omitempty"`
	Headers   []header `json:"headers,omitempty"`
	Extent    extent   `json:"extent"`
	// Closed: no more is written to it but its head. Finished: nor that. The
	// state stays until the next part has its own, so that whoever goes on
	// with the session knows that there was one.
	Closed   bool `json:"closed"`
	Finished bool `json:"finished"`
}

// header is a sequence header, or an extra, as it is written.
type header struct {
	Kind    media.Kind  `json:"kind"`
	Track   uint8       `json:"track"`
	Role    media.Flags `json:"role"`
	Payload []byte      `json:"payload"`
}

func (st *state) head() liveHead {
	return liveHead{audio: st.Audio, video: st.Video, meta: st.Meta, zeros: st.Zeros}
}

// file is the part's path.
func (st *state) file() string {
	return filepath.Join(filepath.Dir(st.Manifest), filepath.FromSlash(st.Part.File))
}

// folder is where the states of one session are.
type folder string

func (d folder) statePath(part int64) string {
	return filepath.Join(string(d), strconv.FormatInt(part, 10)+".json")
}

func (d folder) indexPath(part int64) string {
	return filepath.Join(string(d), strconv.FormatInt(part, 10)+".index")
}

func (d folder) save(st *state) error {
	b, err := json.Marshal(st)
	if err == nil {
		err = record.WriteFile(d.statePath(st.Part.Number), b)
	}
	if err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	return nil
}

// load reads the states, in the order of their parts.
func (d folder) load() ([]*state, error) {
	names, err := filepath.Glob(filepath.Join(string(d), "*.json"))
	if err != nil {
		return nil, fmt.Errorf("read states: %w", err)
	}
	var states []*state
	for _, name := range names {
		if strings.HasPrefix(filepath.Base(name), ".") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read state: %w", err)
		}
		st := new(state)
		if err := json.Unmarshal(b, st); err != nil {
			return nil, fmt.Errorf("read state %s: %w", name, err)
		}
		states = append(states, st)
	}
	slices.SortFunc(states, func(a, b *state) int { return cmp.Compare(a.Part.Number, b.Part.Number) })
	return states, nil
}

// finish notes that a part is finished.
func (d folder) finish(st *state) error {
	st.Finished = true
	return errors.Join(d.save(st), gone(os.Remove(d.indexPath(st.Part.Number))))
}

// tidy removes the states of finished parts before a part.
func (d folder) tidy(before int64) error {
	states, err := d.load()
	for _, st := range states {
		if st.Finished && st.Part.Number < before {
			err = errors.Join(err, d.forget(st.Part.Number))
		}
	}
	return err
}

// forget removes what belongs to a part.
func (d folder) forget(part int64) error {
	return errors.Join(gone(os.Remove(d.indexPath(part))), gone(os.Remove(d.statePath(part))))
}

// gone forgives that something is not there.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
