package httpflv

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Live is a request for a live stream, /APP/NAME.flv.
type Live struct {
	App  string // one or more path segments, joined by slashes
	Name string // the last segment without its .flv
	// Query is the decoded query; pairs that cannot be decoded are left out.
	Query url.Values

	WebSocket bool   // asks for WebSocket-FLV
	WSKey     string // Sec-WebSocket-Key, for AppendUpgrade

	Audio, Video bool // false with ?audio=0, ?video=0
	// VTrack and ATrack are the tracks of ?vtrack=N and ?atrack=N, -1 for the
	// default one. AllTracks asks for all of them (?tracks=all).
	VTrack, ATrack int
	AllTracks      bool
	// Start is where the first frame comes from: StartGOP, StartLive, or
	// StartDefault when the request does not say.
	Start Start
	// Wait is false with ?wait=0, HEAD and OPTIONS: do not wait for a
	// publisher.
	Wait bool

	// Refusal, if not nil, is the answer to the request.
	Refusal *Refusal
}

// Start says where a viewer's first frame comes from.
type Start string

// The values of the start parameter.
const (
	StartDefault Start = ""
	StartGOP     Start = "gop"  // the cached group of pictures
	StartLive    Start = "live" // the next keyframe
)

// Reserved reports whether a first path segment belongs to something else than
// live streams (design.md section 6), so that no stream can have it as its
// app.
func Reserved(first string) bool {
	switch first {
	case "flv", "hls", "mp4", "api", "offline", "remote", "objects", "assets", "metrics", "healthz":
		return true
	}
	return false
}

// ParseLive reports whether h is a GET, HEAD or OPTIONS request for a live
// stream, and what it asks for. A request that is for a live stream and wrong
// has its answer in Refusal. The stream's name is not checked against any
// pattern.
//
// The path is judged after decoding, as net/http does it for its own; so both
// agree on which requests are for the first segments that reserved names.
func ParseLive(h Head, reserved func(first string) bool) (Live, bool) {
	switch h.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
	default:
		return Live{}, false
	}
	app, name, ok := splitLive(h.Path)
	if !ok {
		return Live{}, false
	}
	if first, _, _ := strings.Cut(app, "/"); reserved(first) {
		return Live{}, false
	}
	l := Live{App: app, Name: name, Audio: true, Video: true}
	l.Refusal = l.set(h)
	return l, true
}

// splitLive takes "/APP/NAME.flv" apart. Exactly one .flv goes: a.flv.flv is
// the stream a.flv.
func splitLive(path string) (app, name string, ok bool) {
	path, ok = strings.CutSuffix(path, ".flv")
	slash := strings.LastIndexByte(path, '/')
	if !ok || slash < 1 || path[0] != '/' {
		return "", "", false
	}
	app, name = path[1:slash], path[slash+1:]
	return app, name, app != "" && name != ""
}

func (l *Live) set(h Head) *Refusal {
	if reason := wrongPath(h, l.App+"/"+l.Name); reason != "" {
		return badRequest(reason)
	}
	if h.HasBody() {
		return badRequest("a request for a live stream has no body")
	}
	// Errors are left out with their pair: what a query means beyond our
	// parameters is for the hooks to judge.
	l.Query, _ = url.ParseQuery(h.RawQuery)
	if h.Method == http.MethodOptions {
		// A preflight asks about the method and the fields only; it gets its
		// answer, and the request itself the 400.
		return nil
	}
	if l.WebSocket = asksWebSocket(h); l.WebSocket {
		if refusal := wrongUpgrade(h); refusal != nil {
			return refusal
		}
		l.WSKey = h.Get("Sec-WebSocket-Key")
	}
	l.Wait = h.Method == http.MethodGet
	return l.setParameters()
}

// wrongPath says what is wrong in the path of a live stream. stream is App and
// Name after the .flv is off: "...flv" is no dot segment, but its name is.
func wrongPath(h Head, stream string) string {
	if escaped := h.escapedPath(); strings.Contains(escaped, "%2f") || strings.Contains(escaped, "%2F") {
		return "encoded slash in the path"
	}
	for segment := range strings.SplitSeq(stream, "/") {
		switch segment {
		case "":
			return "empty segment in the path"
		case ".", "..":
			return "dot segment in the path"
		}
	}
	if strings.ContainsFunc(stream, func(r rune) bool { return r < ' ' || r == 0x7F }) {
		return "control character in the path"
	}
	if !utf8.ValidString(stream) {
		return "path is not UTF-8"
	}
	return ""
}

func (l *Live) setParameters() *Refusal {
	var ok bool
	if l.Audio, ok = flag(l.Query, "audio"); !ok {
		return badRequest("parameter audio is not 0 or 1")
	}
	if l.Video, ok = flag(l.Query, "video"); !ok {
		return badRequest("parameter video is not 0 or 1")
	}
	if !l.Audio && !l.Video {
		return badRequest("parameters audio and video are both 0")
	}
	if refusal := l.setTracks(); refusal != nil {
		return refusal
	}
	wait, ok := flag(l.Query, "wait")
	if !ok {
		return badRequest("parameter wait is not 0 or 1")
	}
	l.Wait = l.Wait && wait
	l.Start = Start(l.Query.Get("start"))
	if l.Query.Has("start") && l.Start != StartGOP && l.Start != StartLive {
		return badRequest("parameter start is not gop or live")
	}
	return nil
}

// setTracks reads which tracks are wanted.
func (l *Live) setTracks() *Refusal {
	var ok bool
	if l.VTrack, ok = track(l.Query, "vtrack"); !ok {
		return badRequest("parameter vtrack is not a number from 0 to 255")
	}
	if l.ATrack, ok = track(l.Query, "atrack"); !ok {
		return badRequest("parameter atrack is not a number from 0 to 255")
	}
	if tracks := l.Query.Get("tracks"); l.Query.Has("tracks") {
		if tracks != "all" {
			return badRequest("parameter tracks is not all")
		}
		l.AllTracks = true
	}
	return nil
}

// track reads a parameter that is a track's number, -1 when it is absent.
func track(q url.Values, name string) (n int, ok bool) {
	if !q.Has(name) {
		return -1, true
	}
	v, err := strconv.ParseUint(q.Get(name), 10, 8)
	return int(v), err == nil
}

// flag reads a parameter that is 1 unless the query says 0.
func flag(q url.Values, name string) (on, ok bool) {
	if !q.Has(name) {
		return true, true
	}
	v := q.Get(name)
	return v != "0", v == "0" || v == "1"
}
