package httpflv

import (
	"net/url"
	"testing"
	"time"
)

// feedCases are queries of plugins; those that are wrong say nothing.
var feedCases = []struct {
	query string
	want  Feed
	wrong bool
}{
	{"", Feed{Merge: MaxMerge}, false},
	{"from=01K:1&tracks=all&merge=300ms&lag=64MiB", Feed{"01K", 1, MaxMerge, 64 << 20, 0}, false},
	{"from=01K:0", Feed{"01K", 0, MaxMerge, 0, 0}, false},
	{"from=01K:9223372036854775807", Feed{"01K", 1<<63 - 1, MaxMerge, 0, 0}, false},
	{"from=01K:9223372036854775808", Feed{}, true},
	{"from=01K:-1", Feed{}, true},
	{"from=01K:", Feed{}, true},
	{"from=01K", Feed{}, true},
	{"from=:1", Feed{}, true},
	{"from=", Feed{}, true},
	{"from=0123456789012345678901234567890123456789012345678901234567890123x:1", Feed{}, true},
	{"merge=0s", Feed{}, false},
	{"merge=10ms", Feed{Merge: 10 * time.Millisecond}, false},
	{"merge=301ms", Feed{}, true},
	{"merge=-1ms", Feed{}, true},
	{"merge=10", Feed{}, true},
	{"lag=0", Feed{Merge: MaxMerge}, false},
	{"lag=512B", Feed{Merge: MaxMerge, Lag: 512}, false},
	{"lag=8KiB,90s", Feed{Merge: MaxMerge, Lag: 8 << 10, LagTime: 90 * time.Second}, false},
	{"lag=2GiB", Feed{Merge: MaxMerge, Lag: 2 << 30}, false},
	{"lag=4611686018427387904", Feed{Merge: MaxMerge, Lag: 1 << 62}, false},
	{"lag=4611686018427387905", Feed{}, true},
	{"lag=8589934592GiB", Feed{}, true},
	{"lag=", Feed{}, true},
	{"lag=MiB", Feed{}, true},
	{"lag=-1", Feed{}, true},
	{"lag=1MiB,", Feed{}, true},
	{"lag=1MiB,-1s", Feed{}, true},
}

func TestParseFeed(t *testing.T) {
	t.Parallel()
	for _, tt := range feedCases {
		q, err := url.ParseQuery(tt.query)
		if err != nil {
			t.Fatal(err)
		}
		got, refusal := ParseFeed(q)
		if got != tt.want || (refusal != nil) != tt.wrong {
			t.Errorf("%q: %+v, %v; want %+v", tt.query, got, refusal, tt.want)
		}
	}
}

func FuzzFeed(f *testing.F) {
	for _, tt := range feedCases {
		f.Add(tt.query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		q, _ := url.ParseQuery(query)
		got, refusal := ParseFeed(q)
		switch {
		case refusal != nil && got != (Feed{}):
			t.Errorf("%q: refused with %+v", query, got)
		case got.Merge < 0 || got.Merge > MaxMerge || got.Lag < 0 || got.LagTime < 0 || len(got.Session) > maxSession:
			t.Errorf("%q: %+v", query, got)
		case got.From > 0 && got.Session == "":
			t.Errorf("%q: a number without a session: %+v", query, got)
		}
	})
}
