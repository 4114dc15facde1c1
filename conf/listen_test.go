package conf

import "testing"

func TestParseEndpoint(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		":1935": true, "127.0.0.1:0": true, "[::1]:1935": true, "localhost:80": true, "[fe80::1%eth0]:80": true,
		"0.0.0.0:65535": true, "": false, "1935": false, ":": false, ":65536": false, ":-1": false, ":http": false,
		"::1:80": false, "example.com:80": false, "127.1:80": false, "LOCALHOST:80": false, ":+1": false,
	} {
		if _, ok := parseEndpoint(addr); ok != want {
			t.Errorf("%q: %v", addr, ok)
		}
	}
}

func TestClashes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{":1", ":2", false},
		{":1", ":1", true},
		{":0", ":0", false},
		{"127.0.0.1:0", "127.0.0.1:0", false},
		{":1", "127.0.0.1:1", true},
		{"0.0.0.0:1", "[::1]:1", true},
		{"[::]:1", "127.0.0.1:1", true},
		{"127.0.0.1:1", "[::1]:1", false},
		{"127.0.0.1:1", "127.0.0.1:1", true},
		{"127.0.0.1:1", "[::ffff:127.0.0.1]:1", true},
		{"127.0.0.1:1", "192.0.2.1:1", false},
		{"localhost:1", "[::1]:1", true},
		{"localhost:1", "127.0.0.1:1", true},
		{"localhost:1", "localhost:1", true},
		{"localhost:1", ":1", true},
		{"localhost:1", "192.0.2.1:1", false},
	} {
		a, okA := parseEndpoint(test.a)
		b, okB := parseEndpoint(test.b)
		if !okA || !okB || a.clashes(b) != test.want || b.clashes(a) != test.want {
			t.Errorf("%s, %s: not %v", test.a, test.b, test.want)
		}
	}
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"127.0.0.1:1": true, "127.8.9.1:1": true, "[::1]:1": true, "localhost:1": true, "[::ffff:127.0.0.1]:1": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false, "192.0.2.1:1": false,
	} {
		if e, _ := parseEndpoint(addr); e.loopback() != want {
			t.Errorf("%s: %v", addr, !want)
		}
	}
}
