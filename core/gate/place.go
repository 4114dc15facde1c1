package gate

import (
	"strings"

	"github.com/millrace/millrace/core/event"
)

// place is where a file lies: below the folder of a protocol (hls, mp4, flv),
// and there below that of a stream.
type place struct {
	protocol  string
	app, name string // "" for a file that belongs to no stream
	// prefix is the folder, with slashes at both ends.
	prefix string
}

// placeOf tells which stream a path of a URL, decoded, belongs to; false if it
// is none of a file. A stream's folder is /PROTOCOL/APP/NAME/, where the
// slashes of APP are written ~.
func placeOf(path string) (place, bool) {
	segments := strings.SplitN(path, "/", 5)
	if len(segments) < 3 || segments[0] != "" {
		return place{}, false
	}
	switch segments[1] {
	case "hls", "mp4", "flv":
	default:
		return place{}, false
	}
	p := place{protocol: segments[1]}
	if len(segments) < 5 {
		p.prefix = path[:strings.LastIndexByte(path, '/')+1]
		return p, true
	}
	p.app, p.name = strings.ReplaceAll(segments[2], "~", "/"), segments[3]
	p.prefix = folder(p.protocol, p.app, p.name)
	return p, true
}

// folder is the prefix of a stream's files.
func folder(protocol, app, name string) string {
	return "/" + protocol + "/" + strings.ReplaceAll(app, "/", "~") + "/" + name + "/"
}

// describe fills in which stream an event is about.
func (p place) describe(ev *event.Event) {
	if ev.App, ev.Name = p.app, p.name; p.app != "" {
		ev.StreamID = p.app + "/" + p.name
	}
	ev.Protocol = p.protocol
}
