package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace/millrace/core/object"
)

// dataDir makes a data_dir of the files given by name and content; a content
// that begins with "->" is a symbolic link.
func dataDir(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content, "->"); ok {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	session   = "mp4/live/cam/20261121_120000"
	recording = "flv/live/cam/20261121_120000.flv"
)

func someFiles(t testing.TB) string {
	return dataDir(t, map[string]string{
		session + "/output_merge/init.mp4":         "init",
		session + "/output_merge/segment_1.m4s":    "0123456789",
		session + "/output_merge/index.m3u8":       "#EXTM3U",
		session + "/output_merge/stream_full.mp4":  "0123456789",
		session + "/output_merge/.segment_2.m4s.1": "half",
		session + "/manifest.json": `{"complete":true,"started":"2026-11-21T11:00:00Z","gaps":[{}],
			"parts":[{"file":"a","from_dts":0,"to_dts":2000},{"file":"b","from_dts":2000,"to_dts":4040}]}`,
		session + "/manifest.json.log":                              "x",
		session + "/session.lock":                                   "x",
		"mp4/live/cam/output_merge":                                 "->20261121_120000/output_merge",
		"mp4/live/now/20261121_110000/output_merge/stream_full.mp4": "older",
		"mp4/live/now/20261121_120000/output_merge/stream_full.mp4": "newest finished",
		"mp4/live/now/20261121_130000/output_merge/init.mp4":        "init",
		"mp4/live/now/20261121_120000/manifest.json":                `{"complete":true}`,
		"mp4/live/now/output_merge":                                 "->20261121_130000/output_merge",
		"mp4/live/cam/absolute":                                     "->/etc",
		"mp4/live/cam/out":                                          "->../../../..",
		"mp4/live~eu/cam/20261121_130000/x.mp4":                     "nested",
		recording:                                                   "FLV-old-head+tags",
		recording + ".json":                                         `{"complete":false,"started":"2026-11-21T11:00:00Z","parts":[{"file":"20261121_120000.flv"}]}`,
		"hls/live/cam/20261121_120000/1.ts":                         "ts",
		"hls/live/cam/20261121_120000/2.ts":                         "more",
		"hls/live/cam/20261121_120000/manifest.json":                `{"complete":false}`,
		"hls/live/cam/20261121_120000/index.m3u8":                   "#EXTM3U",
		"secret/a.mp4":                                              "secret",
		"mp4/live/c d/ü.mp4":                                        "odd",
	})
}

func TestData(t *testing.T) {
	t.Parallel()
	dir := someFiles(t)
	if err := syscall.Mkfifo(filepath.Join(dir, "mp4/pipe.mp4"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, addr := start(t, Options{Settings: Settings{DataDir: dir, CORSOrigins: []string{"*"}}})
	const immutable = "public, max-age=31536000, immutable"
	for _, c := range []struct {
		name, path string
		header     []string
		status     int
		body       string
		has        map[string]string
	}{
		{"session", session + "/output_merge/segment_1.m4s", nil, 200, "0123456789", map[string]string{"Content-Type": "video/iso.segment", "Cache-Control": immutable, "Accept-Ranges": "bytes", "Access-Control-Allow-Origin": "*"}},
		{"alias", "mp4/live/cam/output_merge/segment_1.m4s", nil, 200, "0123456789", map[string]string{"Cache-Control": "no-cache"}},
		{"mp4", "mp4/live/cam/output_merge/stream_full.mp4", nil, 200, "0123456789", map[string]string{"Content-Type": "video/mp4"}},
		{"mp4 while another is live", "mp4/live/now/output_merge/stream_full.mp4", nil, 200, "newest finished", map[string]string{"Cache-Control": "no-cache"}},
		{"mp4 of a live session", "mp4/live/now/20261121_130000/output_merge/stream_full.mp4", nil, 404, "made when the recording has ended", map[string]string{"Cache-Control": "no-cache"}},
		{"mp4 of no session", "mp4/live/now/20261121_140000/output_merge/stream_full.mp4", nil, 404, "there is no file", nil},
		{"playlist", "mp4/live/cam/output_merge/index.m3u8", nil, 200, "#EXTM3U", map[string]string{"Content-Type": "application/vnd.apple.mpegurl"}},
		{"live session, newest segment", "hls/live/cam/20261121_120000/2.ts", nil, 200, "more", map[string]string{"Cache-Control": "no-cache", "Content-Type": "video/mp2t"}},
		{"live session, segment before", "hls/live/cam/20261121_120000/1.ts", nil, 200, "ts", map[string]string{"Cache-Control": immutable}},
		{"nested app", "mp4/live~eu/cam/20261121_130000/x.mp4", nil, 200, "nested", nil},
		{"escaped", "mp4/live/c%20d/%C3%BC.mp4", nil, 200, "odd", nil},
		{"first byte", session + "/output_merge/segment_1.m4s", []string{"Range: bytes=0-0"}, 206, "0", map[string]string{"Content-Range": "bytes 0-0/10"}},
		{"suffix", session + "/output_merge/segment_1.m4s", []string{"Range: bytes=-3"}, 206, "789", nil},
		{"clamped", session + "/output_merge/segment_1.m4s", []string{"Range: bytes=8-99"}, 206, "89", nil},
		{"beyond", session + "/output_merge/segment_1.m4s", []string{"Range: bytes=10-"}, 416, "", map[string]string{"Content-Range": "bytes */10"}},
		{"weak if-range", session + "/output_merge/segment_1.m4s", []string{"Range: bytes=1-2", `If-Range: W/"x"`}, 200, "0123456789", nil},
		{"ten thousand ranges", session + "/output_merge/segment_1.m4s", []string{"Range: bytes=0-0" + strings.Repeat(",0-0", 9999)}, 200, "0123456789", nil},
		{"never gzip", session + "/output_merge/index.m3u8", []string{"Accept-Encoding: gzip"}, 200, "#EXTM3U", map[string]string{"Content-Encoding": ""}},
		{"absent", session + "/output_merge/segment_9.m4s", nil, 404, "", map[string]string{"Cache-Control": "no-cache"}},
		{"folder", session + "/output_merge", nil, 404, "", nil},
		{"folder with a slash", session + "/output_merge/", nil, 404, "", nil},
		{"temporary", session + "/output_merge/.segment_2.m4s.1", nil, 404, "", nil},
		{"manifest", session + "/manifest.json", nil, 404, "", nil},
		{"manifest's log", session + "/manifest.json.log", nil, 404, "", nil},
		{"manifest of a file", recording + ".json", nil, 404, "", nil},
		{"lock", session + "/session.lock", nil, 404, "", nil},
		{"pipe", "mp4/pipe.mp4", nil, 404, "", nil},
		{"absolute link", "mp4/live/cam/absolute/passwd", nil, 404, "", nil},
		{"link that leads out", "mp4/live/cam/out/etc/passwd", nil, 404, "", nil},
		{"encoded dots", "mp4/%2e%2e/secret/a.mp4", nil, 404, "", nil},
		{"encoded slash", "mp4/..%2fsecret/a.mp4", nil, 404, "", nil},
		{"other folder", "secret/a.mp4", nil, 404, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := get(t, addr, append([]string{"GET /" + c.path + " HTTP/1.1"}, c.header...)...)
			if a.StatusCode != c.status || a.StatusCode < 300 && a.body != c.body || !strings.Contains(a.body, c.body) {
				t.Errorf("%s %q", a.Status, a.body)
			}
			if a.StatusCode < 300 && !strings.HasPrefix(a.Header.Get("ETag"), `"`) {
				t.Errorf("the ETag is %s", a.Header.Get("ETag"))
			}
			for k, v := range c.has {
				if a.Header.Get(k) != v {
					t.Errorf("%s: %q, want %q", k, a.Header.Get(k), v)
				}
			}
			if c.status == 200 {
				head := get(t, addr, "HEAD /"+c.path+" HTTP/1.1")
				if head.StatusCode != 200 || head.ContentLength != int64(len(c.body)) || head.body != "" {
					t.Errorf("HEAD: %s, %d", head.Status, head.ContentLength)
				}
			}
		})
	}
}

// growing serves a recording that grows, and returns its file and the ETag that
// it has so far.
func growing(t *testing.T) (addr, path, tag string) {
	t.Helper()
	dir := someFiles(t)
	_, addr = start(t, Options{Settings: Settings{DataDir: dir}})
	whole := get(t, addr, "GET /"+recording+" HTTP/1.1")
	if whole.StatusCode != 200 || whole.body != "FLV-old-head+tags" {
		t.Fatalf("%s %q", whole.Status, whole.body)
	}
	return addr, filepath.Join(dir, recording), whole.Header.Get("ETag")
}

// TestGrowingFLV downloads a recording in pieces while it grows, and goes on
// after its end, when its head is another.
func TestGrowingFLV(t *testing.T) {
	t.Parallel()
	addr, path, tag := growing(t)
	line := "GET /" + recording + " HTTP/1.1"
	for _, c := range []struct {
		header       []string
		status       int
		body, ranges string
	}{
		{[]string{"Range: bytes=0-"}, 206, "FLV-old-head+tags", "bytes 0-16/*"},
		{[]string{"Range: bytes=-4"}, 206, "tags", "bytes 13-16/*"},
		{[]string{"Range: bytes=4-6", "If-Range: " + tag}, 206, "old", "bytes 4-6/*"},
		{[]string{"Range: bytes=4-6", `If-Range: "other"`}, 200, "FLV-old-head+tags", ""},
		{[]string{"Range: bytes=17-"}, 416, "", "bytes */17"},
	} {
		a := get(t, addr, append([]string{line}, c.header...)...)
		if a.StatusCode != c.status || c.status != 416 && a.body != c.body || a.Header.Get("Content-Range") != c.ranges {
			t.Errorf("%q: %s %q %q", c.header, a.Status, a.body, a.Header.Get("Content-Range"))
		}
	}
	if head := get(t, addr, "HEAD /"+recording+" HTTP/1.1"); head.ContentLength != 17 {
		t.Errorf("HEAD: %d bytes", head.ContentLength)
	}

	rewrite(t, path, "FLV-NEW-HEAD+tags+more")
	rewrite(t, path+".json", `{"complete":true,"parts":[{"file":"20261121_120000.flv"}],
		"extra":{"flv":{"heads":[{"file":"20261121_120000.flv","size":12,"head":"RkxWLW9sZC1oZWFk","zeros":0,"tail":""}]}}}`)
	final := get(t, addr, line)
	if final.body != "FLV-NEW-HEAD+tags+more" || final.Header.Get("ETag") == tag || !strings.Contains(final.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("%q %v", final.body, final.Header)
	}
	rest := get(t, addr, line, "Range: bytes=17-", "If-Range: "+tag)
	if rest.StatusCode != 206 || rest.body != "+more" || rest.Header.Get("ETag") != tag {
		t.Errorf("rest: %s %q", rest.Status, rest.body)
	}
	again := get(t, addr, line, "Range: bytes=2-14", "If-Range: "+tag)
	if again.body != "V-old-head+ta" {
		t.Errorf("version live: %q", again.body)
	}
	named := get(t, addr, "GET /"+recording+"?version=live HTTP/1.1")
	if named.body != "FLV-old-head+tags+more" {
		t.Errorf("version live: %q", named.body)
	}
}

// TestPartInLog finishes a file of a record that goes on: its old head is in the
// log of the manifest.
func TestPartInLog(t *testing.T) {
	t.Parallel()
	addr, path, tag := growing(t)
	line := "GET /" + recording + "%s HTTP/1.1"
	base := filepath.Base(path)
	log := `{"file":"` + base + `"}` + "\n" + `{"file":"` + base + `","again":true,"own":{"size":12,"head":"RkxWLW9sZC1oZWFk"}}` + "\n" +
		`{"file":"other_p2.flv"}` + "\n" + `{"file":"` + base + `","again":tr`
	if err := os.WriteFile(path+".json.log", []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	rewrite(t, path, "FLV-NEW-HEAD+tags")
	if final := get(t, addr, fmt.Sprintf(line, "")); final.body != "FLV-NEW-HEAD+tags" || final.Header.Get("ETag") == tag {
		t.Errorf("%q %v", final.body, final.Header)
	}
	if live := get(t, addr, fmt.Sprintf(line, "?version=live")); live.body != "FLV-old-head+tags" || live.Header.Get("ETag") != tag {
		t.Errorf("version live: %q %v", live.body, live.Header)
	}
}

// TestGrowingHead has the head of a recording replaced while it is answered.
func TestGrowingHead(t *testing.T) {
	t.Parallel()
	dir := someFiles(t)
	path := filepath.Join(dir, recording)
	live := "FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00" + "\x12\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00old head\x00\x00\x00\x13"
	rewrite(t, path, live+"tags")
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for ranges, want := range map[string]string{"": live + "tags", "bytes=26-": (live + "tags")[26:], "bytes=3-30": live[3:31], "bytes=36-37": (live + "tags")[36:38]} {
		f, err := new(Server).openFile(root, recording)
		if err != nil {
			t.Fatal(err)
		}
		rewrite(t, path, strings.Replace(live, "old head", "new HEAD", 1)+"tags and more")
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/"+recording, nil)
		r.Header.Set("Range", ranges)
		f.serve(w, r)
		f.Close()
		if got := w.Body.String(); got != want {
			t.Errorf("%q: %q, want %q", ranges, got, want)
		}
		rewrite(t, path, live+"tags")
	}
}

// rewrite changes a file in place.
func rewrite(t *testing.T, path, content string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(content); err != nil {
		t.Fatal(err)
	}
}

// TestResume has real clients go on with what they have: of a finished file,
// of one that grows, and of one that they have already.
func TestResume(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	dir := someFiles(t)
	rewrite(t, filepath.Join(dir, recording), string(body))
	rewrite(t, filepath.Join(dir, session, "output_merge/stream_full.mp4"), string(body))
	_, addr := start(t, Options{Settings: Settings{DataDir: dir}})
	for tool, args := range map[string][]string{
		"curl": {"-sS", "-f", "-C", "-", "-o"},
		"wget": {"-q", "-c", "-O"},
	} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Logf("%s is not here", tool)
			continue
		}
		for _, path := range []string{recording, session + "/output_merge/stream_full.mp4"} {
			for _, have := range []int{0, 1000, len(body)} {
				out := filepath.Join(t.TempDir(), "out")
				if err := os.WriteFile(out, body[:have], 0o644); err != nil {
					t.Fatal(err)
				}
				cmd := exec.CommandContext(t.Context(), tool, append(args, out, "http://"+addr+"/"+path)...)
				text, err := cmd.CombinedOutput()
				got, _ := os.ReadFile(out)
				// Older curl ends with 22 (-f) or 33 when it has all of it.
				if err != nil && have < len(body) || !bytes.Equal(got, body) {
					t.Errorf("%s %s from %d: %v %s, %d bytes", tool, path, have, err, text, len(got))
				}
			}
		}
	}
}

// TestResumeGrowing has curl and wget come again and again while the file
// grows.
func TestResumeGrowing(t *testing.T) {
	t.Parallel()
	dir := someFiles(t)
	path := filepath.Join(dir, recording)
	_, addr := start(t, Options{Settings: Settings{DataDir: dir}})
	var all []byte
	outs := map[string][]string{
		filepath.Join(t.TempDir(), "c"): {"curl", "-sS", "-C", "-", "-o"},
		filepath.Join(t.TempDir(), "w"): {"wget", "-q", "-c", "-O"},
	}
	for i := range 5 {
		all = append(all, bytes.Repeat([]byte{byte('a' + i)}, 100_000)...)
		rewrite(t, path, string(all))
		for out, args := range outs {
			if _, err := exec.LookPath(args[0]); err != nil {
				continue
			}
			if text, err := exec.CommandContext(t.Context(), args[0], append(args[1:], out, "http://"+addr+"/"+recording)...).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v %s", args[0], err, text)
			}
			if got, _ := os.ReadFile(out); !bytes.Equal(got, all) {
				t.Errorf("%s has %d bytes of %d", args[0], len(got), len(all))
			}
		}
	}
}

// gateFunc is a Gate.
type gateFunc func(*http.Request) Decision

func (f gateFunc) Active() bool { return true }

func (f gateFunc) Check(r *http.Request) Decision { return f(r) }

func (f gateFunc) Lists(r *http.Request, paths []string) []bool {
	may := make([]bool, len(paths))
	for i, path := range paths {
		asked := r.Clone(r.Context())
		asked.URL.Path = path
		may[i] = f(asked).Status == 0
	}
	return may
}

// TestGate is asked for files and objects alike.
func TestGate(t *testing.T) {
	t.Parallel()
	objects := object.New(time.Now)
	if err := objects.Grant("p", []string{"hls"}, 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := objects.Put("p", object.Put{Path: "hls/live/cam/o.ts", Body: []byte("object"), TTL: time.Hour}); err != nil {
		t.Fatal(err)
	}
	gate := gateFunc(func(r *http.Request) Decision {
		if r.URL.Query().Get("token") == "good" {
			return Decision{}
		}
		return Decision{Status: http.StatusForbidden, Reason: "no token"}
	})
	_, addr := start(t, Options{Objects: objects, Settings: Settings{DataDir: someFiles(t), Gate: gate}})
	for path, want := range map[string]string{
		"hls/live/cam/o.ts": "object", "hls/live/cam/20261121_120000/1.ts": "ts",
	} {
		if a := get(t, addr, "GET /"+path+" HTTP/1.1"); a.StatusCode != 403 || a.body != "no token\n" {
			t.Errorf("%s: %s %q", path, a.Status, a.body)
		}
		if a := get(t, addr, "GET /"+path+"?token=good HTTP/1.1"); a.StatusCode != 200 || a.body != want {
			t.Errorf("%s: %s %q", path, a.Status, a.body)
		}
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	dir := someFiles(t)
	s, addr := start(t, Options{Settings: Settings{DataDir: dir, List: true}})
	a := get(t, addr, "GET /records.json HTTP/1.1")
	var got []recordJSON
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.StatusCode != 200 {
		t.Fatalf("%s %v %s", a.Status, err, a.body)
	}
	want := `[{"app":"live","name":"cam","session":"20261121_120000","started":"2026-11-21T11:00:00Z","complete":false,"seconds":4,"gaps":1,"files":[` +
		`{"kind":"flv","url":"/flv/live/cam/20261121_120000.flv","bytes":17},` +
		`{"kind":"hls","url":"/hls/live/cam/20261121_120000/index.m3u8","bytes":7},` +
		`{"kind":"mp4","url":"/mp4/live/cam/20261121_120000/output_merge/stream_full.mp4","bytes":10},` +
		`{"kind":"fmp4","url":"/mp4/live/cam/20261121_120000/output_merge/index.m3u8","bytes":7}]}]` + "\n"
	if !strings.Contains(a.body, want[1:len(want)-2]) || len(got) != 3 {
		t.Errorf("%s", a.body)
	}
	for _, f := range got[len(got)-1].Files {
		if a := get(t, addr, "GET "+f.URL+" HTTP/1.1"); a.StatusCode != 200 {
			t.Errorf("%s: %s", f.URL, a.Status)
		}
	}
	if err := s.Apply(Settings{DataDir: filepath.Join(dir, "absent"), List: true}); err != nil {
		t.Fatal(err)
	}
	if a := get(t, addr, "GET /records.json HTTP/1.1"); a.body != "[]\n" {
		t.Errorf("without a data_dir: %s", a.body)
	}
	if err := s.Apply(Settings{DataDir: dir}); err != nil {
		t.Fatal(err)
	}
	if a := get(t, addr, "GET /records.json HTTP/1.1"); a.StatusCode != 404 {
		t.Errorf("switched off: %s", a.Status)
	}
}

// TestManyRecords bounds the list.
func TestManyRecords(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for i := range maxRecords + 20 {
		files["flv/live/cam/20261121_"+strconv.Itoa(100000+i)+".flv"] = "x"
	}
	root, err := os.OpenRoot(dataDir(t, files))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	all := listRecords(root, &manifests{})
	if len(all) != maxRecords || all[0].Session != "20261121_"+strconv.Itoa(100000+maxRecords+19) {
		t.Errorf("%d records, the first is %s", len(all), all[0].Session)
	}
}

func FuzzServable(f *testing.F) {
	for _, name := range []string{session + "/output_merge/init.mp4", "mp4/../secret", "mp4//a", "/mp4", "mp4/.a", "mp4/a.lock", recording + ".json", "mp4/a\x00", `mp4\..\a`} {
		f.Add(name)
	}
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "outside.mp4"), []byte("secret"), 0o600); err != nil {
		f.Fatal(err)
	}
	s := &Server{}
	f.Fuzz(func(t *testing.T, name string) {
		manifestOf(name)
		if !servable(name) {
			return
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		if file, err := s.openFile(root, name); err == nil {
			t.Errorf("%q opened %s", name, file.Name())
		}
	})
}
