package flvrecorder

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/plugintest"
	"github.com/millrace/millrace/plugins/record"
	"github.com/millrace/millrace/plugins/sdk"
)

// settings are values without a guard: tests run on small disks, too.
func settings(pairs ...any) map[string]any {
	v := map[string]any{"min_free": "0", "seek_index_room": "1KiB"}
	for i := 0; i < len(pairs); i += 2 {
		v[pairs[i].(string)] = pairs[i+1]
	}
	return v
}

// start makes a recorder and starts it.
func start(h *plugintest.Host, pairs ...any) *Recorder {
	r := New().(*Recorder)
	h.Start(r, settings(pairs...))
	return r
}

// recorded is a host that had a recorder take a session of what feed gives it.
func recorded(t *testing.T, feed func(*plugintest.Stream), pairs ...any) *plugintest.Host {
	t.Helper()
	h := plugintest.NewHost(t)
	recordedBy(h, feed, pairs...)
	return h
}

func recordedBy(h *plugintest.Host, feed func(*plugintest.Stream), pairs ...any) {
	r := start(h, pairs...)
	s := h.Attach(r, "live", "cam")
	feed(s)
	s.End()
	h.Stop(r)
}

// tap is a recorder whose streams a test can reach, and that can crash.
type tap struct {
	*Recorder
	stream *stream // the last
	mu     sync.Mutex
	all    []*stream
}

var _ plugintest.Crasher = (*tap)(nil)

func (t *tap) Attach(ctx context.Context, a sdk.Attach) (sdk.Stream, error) {
	s, err := t.Recorder.Attach(ctx, a)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stream = s.(*stream)
	t.all = append(t.all, t.stream)
	return s, nil
}

// Crash leaves everything as a killed process would: descriptors and locks go,
// nothing is written.
func (t *tap) Crash() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.all {
		s.kill()
	}
	if t.cancel != nil {
		t.cancel()
		t.work.Wait()
	}
}

func (s *stream) kill() {
	if s.broken {
		return
	}
	s.broken = true
	s.session.cancel()
	s.session.jobs.Wait()
	if s.cur != nil {
		_ = s.cur.release()
	}
	_ = s.session.lock.Release()
	s.r.forget(s.session)
}

func startTap(h *plugintest.Host, pairs ...any) *tap {
	p := &tap{Recorder: New().(*Recorder)}
	h.Start(p, settings(pairs...))
	return p
}

// drain waits for what is done in the background.
func (r *Recorder) drain() {
	r.mu.Lock()
	var all []*session
	for _, s := range r.sessions {
		all = append(all, s)
	}
	r.mu.Unlock()
	for _, s := range all {
		s.jobs.Wait()
	}
}

// files are the FLV files of a host, in the order of their parts.
func files(t *testing.T, h *plugintest.Host) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(h.DataDir(), "flv/*/*/*.flv"))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(names, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return names
}

func manifestOf(t *testing.T, h *plugintest.Host) record.Manifest {
	t.Helper()
	return load(t, files(t, h)[0]+".json")
}

func load(t *testing.T, path string) record.Manifest {
	t.Helper()
	m, err := record.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// written is a tag of a file.
type written struct {
	kind media.Kind
	time int64
	data string
}

// content takes a file apart: its onMetaData, its sequence headers up to the
// first coded frame, and the tags from there on.
func content(t *testing.T, path string) (amf.ECMAArray, []written, []written) {
	t.Helper()
	b := read(t, path)
	return contentOf(t, b)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func contentOf(t *testing.T, b []byte) (props amf.ECMAArray, heads, tags []written) {
	t.Helper()
	end, err := scan(bytes.NewReader(b), flv.FileHeaderSize, func(tg *tag) bool {
		data := string(b[tg.at+tagHeader : tg.end()-tagTrailer])
		if tg.at == flv.FileHeaderSize {
			m, err := flv.ParseMetadata([]byte(data), amf.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			props = m.Props
			return true
		}
		w := written{tg.kind, tg.time, data}
		if len(tags) == 0 && tg.part.Flags&(media.Config|media.Extra) != 0 {
			heads = append(heads, w)
		} else {
			tags = append(tags, w)
		}
		return true
	})
	if err != nil || end != int64(len(b)) {
		t.Fatalf("of %d bytes %d are whole tags, %v", len(b), end, err)
	}
	return props, heads, tags
}

// sourceTags are the coded frames of items as a file is to have them, with
// times from base on.
func sourceTags(items []sdk.Item, base int64) []written {
	var out []written
	for _, it := range items {
		if it.Type == sdk.Frame && !isMetadata(it.Frame) {
			out = append(out, written{it.Frame.Kind, it.Frame.DTS - base, string(it.Frame.Payload())})
		}
	}
	return out
}

func number(t *testing.T, props amf.ECMAArray, name string) float64 {
	t.Helper()
	v, ok := props.GetNumber(name)
	if !ok {
		t.Errorf("no %s in %v", name, props)
	}
	return v
}

// whole checks a finished record: manifest, sums, structure, announcements,
// and that nothing is left in the state folder.
func whole(t *testing.T, h *plugintest.Host) record.Manifest {
	t.Helper()
	m := manifestOf(t, h)
	report, err := Verify(files(t, h)[0])
	if err != nil || !report.Complete() && len(m.Gaps) == 0 || len(report.Problems) > 0 || report.Unverified > 0 {
		t.Errorf("%v\n%s", err, report.String())
	}
	if !m.Complete || m.Ended.IsZero() {
		t.Errorf("complete %t, ended %v", m.Complete, m.Ended)
	}
	if left, _ := filepath.Glob(filepath.Join(h.StateDir(), "flv/*")); len(left) > 0 {
		t.Errorf("left in the state folder: %v", left)
	}
	announced := map[string]bool{}
	for _, e := range h.Announced(event.RecordDone) {
		announced[fmt.Sprint(filepath.Base(e.File), e.Size, e.SHA256, e.FromSeq, e.ToSeq)] = true
	}
	for _, p := range m.Parts {
		if !announced[fmt.Sprint(p.File, p.Size, p.SHA256, p.FromSeq, p.ToSeq)] {
			t.Errorf("%s was not announced", p.File)
		}
	}
	return m
}

// ffmpeg runs it and returns its output.
func ffmpeg(t *testing.T, program, args string) string {
	t.Helper()
	cmd := exec.Command(program, strings.Fields("-hide_banner -v warning "+args)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%s %s: %v\n%s", program, args, err, stderr.Bytes())
	}
	return string(out)
}

// makeClip has ffmpeg write an FLV file.
func makeClip(t *testing.T, args string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "source.flv")
	ffmpeg(t, "ffmpeg", args+" -f flv "+path)
	return path
}

const (
	picture = "-f lavfi -i testsrc2=size=160x120:rate=25 "
	sound   = "-f lavfi -i sine=frequency=440:sample_rate=44100 "
	h264    = "-pix_fmt yuv420p -c:v libx264 -preset veryfast -g 25 -bf 2 "
	aac     = "-c:a aac -b:a 64k "
)

// decoded are the sums of a file's frames of one kind, "v" or "a".
func decoded(t *testing.T, path, kind string) []string {
	t.Helper()
	out := ffmpeg(t, "ffmpeg", "-i "+path+" -map 0:"+kind+" -f framemd5 -")
	var sums []string
	for line := range strings.SplitSeq(out, "\n") {
		if line != "" && line[0] != '#' {
			f := strings.Split(line, ",")
			sums = append(sums, strings.TrimSpace(f[len(f)-1]))
		}
	}
	return sums
}

func equal(t *testing.T, what string, got, want []written) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s: tag %d is %v at %d (%d bytes), want %v at %d (%d bytes)", what, i,
				got[i].kind, got[i].time, len(got[i].data), want[i].kind, want[i].time, len(want[i].data))
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d tags, want %d", what, len(got), len(want))
	}
}
