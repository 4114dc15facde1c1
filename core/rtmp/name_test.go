package rtmp

import "testing"

func TestSplitName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ app, name, wantApp, wantName, wantQuery string }{
		{"live", "stream", "live", "stream", ""},
		{"live", "stream?token=a%20b", "live", "stream", "token=a%20b"},
		{"live?token=x", "stream", "live", "stream", "token=x"},
		{"live?token=x", "stream?token=y", "live", "stream", "token=y&token=x"},
		{"live", "stream?", "live", "stream", ""},
		{"live", "stream?a?b", "live", "stream", "a?b"},
		{"live/eu", "cam", "live/eu", "cam", ""},
		{"live", "eu/cam", "live/eu", "cam", ""},
		{"live/eu", "a/b/cam", "live/eu/a/b", "cam", ""},
		{"/live/", "/stream/", "live", "stream", ""},
		{"live//eu", "//cam", "live/eu", "cam", ""},
		{"live/_definst_", "stream", "live", "stream", ""},
		{"_definst_", "stream", "", "stream", ""},
		{"live/instance", "stream", "live/instance", "stream", ""},
		{"live", "mp4:film.mp4", "live", "film.mp4", ""},
		{"live", "flv:dir/stream", "live/dir", "stream", ""},
		{"live", "mp4:", "live", "", ""},
		{"live", "a:b", "live", "a:b", ""},
		{"", "stream", "", "stream", ""},
		{"", "live/stream", "live", "stream", ""},
		{"live", "", "live", "", ""},
		{"live/stream", "", "live", "stream", ""},
		{"live/stream?x=y", "", "live", "stream", "x=y"},
		{"", "", "", "", ""},
		{"/", "/", "", "", ""},
	} {
		app, name, query := SplitName(c.app, c.name)
		if app != c.wantApp || name != c.wantName || query != c.wantQuery {
			t.Errorf("%q, %q: got %q, %q, %q", c.app, c.name, app, name, query)
		}
	}
}

func TestSplitApp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ app, tcURL, wantPath, wantQuery, wantHost string }{
		{"live", "rtmp://h/live", "live", "", "h"},
		{"live", "rtmp://h:1935/live?a=b", "live", "a=b", "h"},
		{"live?c=d", "rtmp://h/live?a=b", "live", "c=d", "h"},
		{"live?vhost=v", "rtmp://h/live", "live", "vhost=v", "v"},
		{"live", "rtmp://h/live?x&vhost=v%2ex", "live", "x&vhost=v%2ex", "v.x"},
		{"live?vhost=%zz", "", "live", "vhost=%zz", "%zz"},
		{"live", "rtmp://h/live/stream", "live", "", "h"},
		{"", "rtmp://h/live/eu/", "live/eu", "", "h"},
		{"/", "rtmp://h", "", "", "h"},
		{"live", "rtmp://[::1]:1935/live", "live", "", "::1"},
		{"live", "rtmp://[::1", "live", "", "::1"},
		{"live", "rtmp://user:pass@h:1935/live", "live", "", "h"},
		{"live", "h/live", "live", "", ""},
		{"live", "", "live", "", ""},
	} {
		path, query, host := splitApp(c.app, c.tcURL)
		if path != c.wantPath || query != c.wantQuery || host != c.wantHost {
			t.Errorf("%q, %q: got %q, %q, %q", c.app, c.tcURL, path, query, host)
		}
	}
}

func FuzzSplitName(f *testing.F) {
	f.Add("live?token=x", "eu/stream?token=y")
	f.Add("/live/_definst_", "mp4:a/b")
	f.Fuzz(func(t *testing.T, app, name string) {
		a, n, _ := SplitName(app, name)
		again, same, query := SplitName(a, n)
		if n != "" && n == trimFormat(n) && (again != a && appSegments(a) != nil && len(appSegments(a)) == len(segments(a)) || same != n || query != "") {
			t.Errorf("%q, %q became %q, %q, %q", a, n, again, same, query)
		}
	})
}
