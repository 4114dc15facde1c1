package web

import (
	"cmp"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// StreamInfo is one live stream as /streams.json shows it. Zero values stand
// for what is not known (yet).
type StreamInfo struct {
	App, Name     string
	Video, Audio  string // codec names, such as "H.264" and "AAC"; "" without that track
	Width, Height int    // pixels
	FPS           float64
	BitrateKbps   int // kilobits of 1,000 bits a second
	Viewers       int
	Since         time.Time // when the publisher began
}

// streamJSON is StreamInfo on the wire.
type streamJSON struct {
	App         string  `json:"app"`
	Name        string  `json:"name"`
	URL         string  `json:"url"`
	Video       string  `json:"video"`
	Audio       string  `json:"audio"`
	Width       int     `json:"width"`
	Height      int     `json:"height"`
	FPS         float64 `json:"fps"`
	BitrateKbps int     `json:"bitrate_kbps"`
	Viewers     int     `json:"viewers"`
	Since       string  `json:"since"`
}

func (s *Server) serveStreams(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if !s.settings.Load().List {
		fail(w, http.StatusNotFound, "the list of streams is switched off (http.list)")
		return
	}
	body, err := json.Marshal(listStreams(s.opts.Streams()))
	if err != nil {
		s.log.Error("encode the list of streams", "err", err)
		fail(w, http.StatusInternalServerError, "the list of streams cannot be written")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // a client that has gone needs no answer
}

// listStreams sorts by app and name, so that a list on a page holds still.
func listStreams(in []StreamInfo) []streamJSON {
	out := make([]streamJSON, 0, len(in)) // never nil: none is [], not null
	for _, i := range in {
		out = append(out, i.wire())
	}
	slices.SortFunc(out, func(a, b streamJSON) int {
		return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.Name, b.Name))
	})
	return out
}

func (i StreamInfo) wire() streamJSON {
	return streamJSON{
		App: i.App, Name: i.Name, URL: liveURL(i.App, i.Name),
		Video: i.Video, Audio: i.Audio,
		Width: i.Width, Height: i.Height, FPS: roundFPS(i.FPS),
		BitrateKbps: i.BitrateKbps, Viewers: i.Viewers, Since: sinceText(i.Since),
	}
}

// liveURL returns the path of a stream's HTTP-FLV, each segment escaped.
func liveURL(app, name string) string {
	segments := append(strings.Split(app, "/"), name+".flv")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return "/" + strings.Join(segments, "/")
}

// roundFPS keeps two decimals (29.97). Publishers send this number, and JSON
// has no NaN or infinity.
func roundFPS(fps float64) float64 {
	if math.IsNaN(fps) || math.IsInf(fps, 0) {
		return 0
	}
	return math.Round(fps*100) / 100
}

func sinceText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
