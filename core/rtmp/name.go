package rtmp

import (
	"net/url"
	"strings"
)

// SplitName makes the identity of a stream out of connect's app and the name
// of a publish or play command, both as they came, queries included.
//
// Clients cut a URL in different places: of rtmp://h/live/eu/cam, ffmpeg makes
// app live/eu and name cam, others app live and name eu/cam. So the last
// segment of both together is streamName, the ones before it are appPath; a
// name alone under an app of several segments may be empty, since OBS users
// put the whole URL into the server field. Outer slashes and empty segments
// are dropped, as are the instance _definst_ at the end of the app and the
// Flash prefixes mp4:, flv:, f4v: and mp3: (ffmpeg adds mp4: to names that end
// in .mp4). Percent signs stay as they are. query is that of the name, then
// that of the app, undecoded and joined by &.
func SplitName(app, name string) (appPath, streamName, query string) {
	app, appQuery, _ := strings.Cut(app, "?")
	name, nameQuery, _ := strings.Cut(name, "?")
	apps, names := appSegments(app), segments(trimFormat(name))
	query = joinQuery(nameQuery, appQuery)
	all := append(apps, names...)
	last := len(all) - 1
	if last < 0 || len(names) == 0 && last == 0 {
		return strings.Join(all, "/"), "", query
	}
	return strings.Join(all[:last], "/"), all[last], query
}

func segments(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// appSegments are the segments of an app without the default instance.
func appSegments(app string) []string {
	s := segments(app)
	if n := len(s); n > 0 && s[n-1] == "_definst_" {
		return s[:n-1]
	}
	return s
}

func trimFormat(name string) string {
	for _, prefix := range []string{"mp4:", "flv:", "f4v:", "mp3:"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return rest
		}
	}
	return name
}

func joinQuery(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "&" + b
}

// join puts a path and its query together again.
func join(path, query string) string {
	if query == "" {
		return path
	}
	return path + "?" + query
}

// splitApp makes connect's app into a clean path and its query, with what
// tcURL says where the app is silent. A tcUrl that says more than the app is
// not believed: there are clients that put the stream's name into it.
func splitApp(app, tcURL string) (path, query, vhost string) {
	host, urlPath, urlQuery := splitURL(tcURL)
	path, query, _ = strings.Cut(app, "?")
	if path = strings.Join(appSegments(path), "/"); path == "" {
		path = strings.Join(appSegments(urlPath), "/")
	}
	if query == "" {
		query = urlQuery
	}
	if vhost = parameter(query, "vhost"); vhost == "" {
		vhost = host
	}
	return path, query, vhost
}

// splitURL cuts up scheme://host:port/path?query. It takes what no parser of
// URLs would, because nothing but the host depends on it.
func splitURL(s string) (host, path, query string) {
	_, s, _ = strings.Cut(s, "://")
	s, query, _ = strings.Cut(s, "?")
	host, path, _ = strings.Cut(s, "/")
	host = host[strings.LastIndexByte(host, '@')+1:]
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host, _, _ = strings.Cut(inner, "]")
		return host, path, query
	}
	host, _, _ = strings.Cut(host, ":")
	return host, path, query
}

// parameter is the first value of a query parameter, decoded if that works.
func parameter(query, name string) string {
	for pair := range strings.SplitSeq(query, "&") {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			if plain, err := url.QueryUnescape(value); err == nil {
				return plain
			}
			return value
		}
	}
	return ""
}
