package plugintest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/sdk"
)

// Journal is a recorder whose record is a line of text for each frame, so that
// a test sees what came and what did not:
//
//	SEQ KIND DTS
//	gap FROM TO
//	lost NEXT NEXT
//	cut NEXT NEXT    (the record ends, and whether the session does is not known)
//
// It resumes, and hands over, as a recorder should; beside that it is as
// simple as one can be. Configuration: kind, the folder below data_dir, and
// merge, for how long frames may be held back.
type Journal struct {
	host     sdk.Host
	handover bool
	kind     string
	merge    time.Duration
}

// NewJournal makes a Journal.
func NewJournal() sdk.Plugin { return &Journal{handover: true, kind: "journal"} }

// NewPlainJournal makes one that cannot hand over.
func NewPlainJournal() sdk.Plugin { return &Journal{kind: "journal"} }

// Info is sdk.Plugin's.
func (j *Journal) Info() sdk.Info {
	return sdk.Info{Name: "journal", Version: "1.0", Capabilities: sdk.Capabilities{
		Media: &sdk.MediaWanted{Merge: j.merge}, Handover: j.handover, Objects: []string{"journal/"},
	}}
}

// Configure takes kind and merge.
func (j *Journal) Configure(c sdk.Config) (problems []sdk.Problem) {
	for key, value := range c.Values {
		text, isText := value.(string)
		merge, err := time.ParseDuration(text)
		switch {
		case key == "merge" && err == nil:
			j.merge = merge
		case key == "merge":
			problems = append(problems, sdk.Problem{Key: key, Message: "is not a duration"})
		case key != "kind":
			problems = append(problems, sdk.Problem{Key: key, Message: "is unknown"})
		case !isText || text == "":
			problems = append(problems, sdk.Problem{Key: key, Message: "is not text"})
		default:
			j.kind = text
		}
	}
	return problems
}

// Start is sdk.Plugin's.
func (j *Journal) Start(_ context.Context, h sdk.Host) error {
	j.host = h
	return nil
}

// Stop is sdk.Plugin's.
func (j *Journal) Stop(context.Context) error { return nil }

// Attach is sdk.Recorder's.
func (j *Journal) Attach(ctx context.Context, a sdk.Attach) (sdk.Stream, error) {
	at, err := j.host.OpenRecord(ctx, sdk.RecordRequest{
		App: a.App, Name: a.Name, Session: a.Session, Kind: j.kind, Part: 1, Ext: ".txt", Started: a.Started,
	})
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(at.Dir, at.Name), os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	s := &journalStream{j: j, a: a, at: at, f: f, next: a.Next}
	if a.Resume {
		if err := s.recover(); err != nil {
			f.Close()
			return nil, err
		}
	}
	return s, nil
}

type journalStream struct {
	j    *Journal
	a    sdk.Attach
	at   sdk.RecordPlace
	f    *os.File
	next uint64
	buf  []byte
}

// recover cuts a torn line off and finds the number after the last whole one.
func (s *journalStream) recover() error {
	b, err := os.ReadFile(s.f.Name())
	if err != nil {
		return err
	}
	b = b[:bytes.LastIndexByte(b, '\n')+1]
	if err := s.f.Truncate(int64(len(b))); err != nil {
		return err
	}
	s.next = 0
	lines := bytes.Fields(b)
	if n := len(lines); n >= 3 {
		last, err := strconv.ParseUint(string(lines[n-3]), 10, 64)
		if err != nil { // "gap FROM TO": it goes on at To
			last, err = strconv.ParseUint(string(lines[n-1]), 10, 64)
			last--
		}
		if err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		s.next = last + 1
	}
	return nil
}

// ResumeAt is sdk.Resumer's.
func (s *journalStream) ResumeAt() uint64 { return s.next }

// Write is sdk.Stream's.
func (s *journalStream) Write(items []sdk.Item) error {
	s.buf = s.buf[:0]
	for _, it := range items {
		switch it.Type {
		case sdk.Frame:
			s.buf = fmt.Appendf(s.buf, "%d %s %d\n", it.Seq, it.Frame.Kind, it.Frame.DTS)
			s.next = it.Seq + 1
		case sdk.Gap:
			s.buf = fmt.Appendf(s.buf, "gap %d %d\n", it.From, it.To)
			s.next = it.To
		}
	}
	_, err := s.f.Write(s.buf)
	return err
}

// Detach is sdk.Stream's.
func (s *journalStream) Detach(ctx context.Context, d sdk.Detach) (sdk.Detached, error) {
	switch {
	case d.Why == sdk.Lost:
		_, _ = fmt.Fprintf(s.f, "lost %d %d\n", s.next, s.next)
	case d.Why != sdk.Handover && !d.Final:
		_, _ = fmt.Fprintf(s.f, "cut %d %d\n", s.next, s.next)
	}
	if err := s.f.Close(); err != nil {
		return sdk.Detached{}, err
	}
	r := sdk.Detached{Durable: s.next}
	switch d.Why {
	case sdk.Handover:
		if s.j.handover {
			r.Handover = []byte(s.at.Rel)
		}
	case sdk.Ended, sdk.Stopped:
		return r, s.j.host.Announce(ctx, event.Event{
			Event: event.RecordDone, App: s.a.App, Name: s.a.Name, Session: s.a.Session, File: s.at.Rel,
			Plugin: "journal", ToSeq: s.next,
		})
	}
	return r, nil
}
