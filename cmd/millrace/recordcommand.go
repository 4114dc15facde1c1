package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/millrace/millrace/plugins/flvrecorder"
	"github.com/millrace/millrace/plugins/fmp4"
	"github.com/millrace/millrace/plugins/record"
)

const recordUsage = `Usage:
  millrace record verify PATH…           say whether recordings are complete, or what they miss
  millrace record repair [--mp4] PATH…   mend what a crash left

PATH is a recording (an FLV file, a session's folder, a manifest) or a folder
with recordings below it. repair cuts a torn end off, writes an FLV's duration
and seek table afresh, and merges a session's segments into stream_full.mp4; of
a folder, it leaves alone what is whole. With --mp4, an FLV gets an MP4
beside it. What is being recorded is not touched.

"Complete" is a recording to whose end its session, or whoever stopped it, came;
one that a crash ended is at best whole up to there.

Exit status: 0 all is complete, or was mended; 1 it is not.
`

// runRecord serves "millrace record".
func runRecord(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("millrace record", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, recordUsage) }
	mp4 := flags.Bool("mp4", false, "make an MP4 of an FLV")
	words, err := parseAnywhere(flags, args)
	if err != nil {
		return usageStatus(err)
	}
	if len(words) < 2 || words[0] != "verify" && words[0] != "repair" || *mp4 && words[0] == "verify" {
		fmt.Fprint(stderr, recordUsage)
		return exitUsage
	}
	all, err := findRecordings(words[1:])
	if err != nil {
		fmt.Fprintf(stderr, "millrace record %s: %v\n", words[0], err)
		return exitFailed
	}
	status := exitDone
	r := repairer{mp4: *mp4, log: slog.New(slog.NewTextHandler(stderr, nil))}
	for _, one := range all {
		var said string
		ok := true
		if words[0] == "verify" {
			said, ok, err = one.verify()
		} else {
			said, err = r.repair(ctx, one)
		}
		switch {
		case err != nil:
			fmt.Fprintf(stderr, "millrace record %s: %s: %v\n", words[0], one.path, err)
		default:
			fmt.Fprintf(stdout, "%s: %s\n", one.path, strings.TrimSuffix(said, "\n"))
		}
		if err != nil || !ok {
			status = exitFailed
		}
	}
	return status
}

// recording is one record on disk.
type recording struct {
	path string
	// manifest is nil for an FLV file without one.
	manifest *record.Manifest
	at       string // the manifest's path
	named    bool   // by the user, not found in a folder
}

// findRecordings finds the recordings that paths name, or that are below
// them; each once.
func findRecordings(paths []string) ([]recording, error) {
	var all []recording
	add := func(r recording) {
		if r.manifest == nil || !slices.ContainsFunc(all, func(o recording) bool { return o.at == r.at }) {
			all = append(all, r)
		}
	}
	for _, path := range paths {
		before := len(all)
		r, err := recordingAt(path)
		switch {
		case err == nil:
			r.named = true
			add(r)
			continue
		case !errors.Is(err, record.ErrNoManifest):
			return nil, err
		}
		if err := walkRecordings(path, add); err != nil {
			return nil, err
		}
		if len(all) == before {
			return nil, fmt.Errorf("no recording in %s", path)
		}
	}
	return all, nil
}

// recordingAt is the record that path itself is.
func recordingAt(path string) (recording, error) {
	at, err := record.Find(path)
	if errors.Is(err, record.ErrNoManifest) && isFLV(path) {
		return recording{path: path}, nil
	}
	if err != nil {
		return recording{}, err
	}
	m, err := record.Load(at)
	if err != nil {
		return recording{}, err
	}
	return recording{path: path, manifest: &m, at: at}, nil
}

func isFLV(path string) bool { return strings.EqualFold(filepath.Ext(path), ".flv") }

// walkRecordings calls add for the records below a folder. Links are not
// followed: they lead to what is found anyway.
func walkRecordings(root string, add func(recording)) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != root && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case d.Type()&fs.ModeSymlink != 0:
			return nil
		case !d.IsDir() && !isFLV(path) && filepath.Ext(path) != ".json":
			return nil
		}
		r, err := recordingAt(path)
		if err != nil || r.manifest != nil && r.manifest.Plugin == "" {
			return nil // a folder of others, or JSON of another kind
		}
		add(r)
		if d.IsDir() {
			return filepath.SkipDir
		}
		return nil
	})
}

// isFLVRecord: flvrecorder knows what is in its files.
func (r *recording) isFLVRecord() bool { return r.manifest == nil || r.manifest.Plugin == "flv" }

func (r *recording) report() (record.Report, error) {
	if r.isFLVRecord() {
		return flvrecorder.Verify(r.path)
	}
	return record.Verify(r.path)
}

// verify says how the recording is; ok: nothing is missing.
func (r *recording) verify() (said string, ok bool, err error) {
	report, err := r.report()
	if err != nil {
		return "", false, err
	}
	if r.manifest != nil {
		return report.String(), report.Complete(), nil
	}
	if len(report.Problems) == 0 {
		return "whole; no manifest says whether anything is missing", true, nil
	}
	return "no manifest, and " + strings.Join(report.Problems, ", "), false, nil
}

// files are the record's FLV files.
func (r *recording) files() []string {
	if r.manifest == nil {
		return []string{r.path}
	}
	var all []string
	for _, p := range r.manifest.Parts {
		all = append(all, filepath.Join(filepath.Dir(r.at), filepath.FromSlash(p.File)))
	}
	return all
}

// repairer mends recordings.
type repairer struct {
	mp4 bool
	log *slog.Logger
}

func (p repairer) repair(ctx context.Context, r recording) (string, error) {
	if !r.named && !p.mp4 {
		if report, err := r.report(); err == nil && (report.Whole() || r.manifest == nil && len(report.Problems) == 0) {
			return "whole, left alone", nil
		}
	}
	switch {
	case r.isFLVRecord():
		return p.repairFLV(ctx, r)
	case r.manifest.Plugin == "mp4":
		done, err := fmp4.Repair(ctx, filepath.Dir(r.at), p.log)
		return done.String(), err
	case r.manifest.Complete:
		return "whole, left alone", nil
	}
	return "", fmt.Errorf("the plugin %q mends its recordings itself, when it starts", r.manifest.Plugin)
}

func (p repairer) repairFLV(ctx context.Context, r recording) (string, error) {
	var said []string
	for _, file := range r.files() {
		done, err := flvrecorder.Repair(file)
		if err != nil {
			return "", err
		}
		said = append(said, done.String())
		if !p.mp4 {
			continue
		}
		made, err := fmp4.Repair(ctx, file, p.log)
		if err != nil {
			return "", err
		}
		said = append(said, made.String())
	}
	return strings.Join(said, "\n"), nil
}
