package bench

import (
	"errors"
	"net/netip"
	"testing"
)

func TestParseTarget(t *testing.T) {
	t.Parallel()
	addr := netip.MustParseAddrPort
	tests := []struct {
		url  string
		want target
		err  error
	}{
		{"rtmp://127.0.0.1/live/x", target{RTMP, "127.0.0.1", addr("127.0.0.1:1935"), "live", "x", "", false}, nil},
		{"rtmp://127.0.0.1:19/live/eu/x?token=a%20b", target{RTMP, "127.0.0.1:19", addr("127.0.0.1:19"), "live/eu", "x", "?token=a%20b", false}, nil},
		{"http://127.0.0.1:8501/live/x.flv?a=b", target{HTTPFLV, "127.0.0.1:8501", addr("127.0.0.1:8501"), "", "/live/x.flv", "?a=b", false}, nil},
		{"ws://[::1]/live/x.flv", target{WSFLV, "[::1]", addr("[::1]:80"), "", "/live/x.flv", "", false}, nil},
		{"rtmps://127.0.0.1/live/x", target{RTMP, "127.0.0.1", addr("127.0.0.1:1936"), "live", "x", "", true}, nil},
		{"https://127.0.0.1/live/x.flv", target{HTTPFLV, "127.0.0.1", addr("127.0.0.1:443"), "", "/live/x.flv", "", true}, nil},
		{"wss://127.0.0.1:9/live/x.flv", target{WSFLV, "127.0.0.1:9", addr("127.0.0.1:9"), "", "/live/x.flv", "", true}, nil},
		{"rtmp://127.0.0.1/x", target{}, ErrURL},
		{"rtmp://127.0.0.1/live/", target{}, ErrURL},
		{"rtmp:///live/x", target{}, ErrURL},
		{"http://127.0.0.1/", target{}, ErrURL},
		{"ftp://127.0.0.1/live/x", target{}, ErrURL},
		{"", target{}, ErrURL},
	}
	for _, tt := range tests {
		got, err := parseTarget(t.Context(), tt.url)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %+v %v", tt.url, got, err)
		}
	}
	for _, url := range []string{"rtmp://127.0.0.1:99999/live/x", "http://[::1/x", "http://127.0.0.1:x/y"} {
		if _, err := parseTarget(t.Context(), url); err == nil {
			t.Errorf("%s: no error", url)
		}
	}
}

func TestTargetOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		n, of   int
		renamed string
	}{{"x", 0, 1, "x"}, {"x", 0, 2, "x1"}, {"/live/x.flv", 9, 20, "/live/x10.flv"}} {
		if got := (target{name: tt.name}).of(tt.n, tt.of).name; got != tt.renamed {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
}

func TestSourceFor(t *testing.T) {
	t.Parallel()
	seen := map[netip.Addr]bool{}
	for i := range 70_000 {
		a := sourceFor(loopback, i)
		if !a.IsLoopback() || seen[a] {
			t.Fatalf("%d: %v", i, a)
		}
		seen[a] = true
	}
	for _, s := range []string{"192.0.2.1", "::1"} {
		if a := sourceFor(netip.MustParseAddr(s), 1); a.IsValid() {
			t.Errorf("to %s from %v", s, a)
		}
	}
}
