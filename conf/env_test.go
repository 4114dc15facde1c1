package conf

import (
	"net/netip"
	"reflect"
	"testing"
)

var envTests = []struct {
	name    string
	file    string
	environ []string
	change  func(*Config) // of Default
	err     string
}{
	{name: "others are left alone", environ: []string{"PATH=/bin", "MILLRACE=1", "millrace_log_level=x", "=C:=x", "MILLRACE_LOG_LEVEL"}},
	{
		name:    "overrides the file",
		file:    "[stream]\nmax_lag = \"4s\"\n",
		environ: []string{"MILLRACE_STREAM_MAX_LAG=3s"},
		change:  func(c *Config) { c.Stream.MaxLag = 3 * Second },
	},
	{
		name:    "the last of two",
		environ: []string{"MILLRACE_SERVER_LOOPS=x", "MILLRACE_SERVER_LOOPS=4", "MILLRACE_LOG_LEVEL=warn", "MILLRACE_LOG_LEVEL=error"},
		change:  func(c *Config) { c.Log.Level = LevelError },
		err:     `environment: MILLRACE_SERVER_LOOPS: found "x", expected an integer from 0 to 1024`,
	},
	{
		name: "every kind",
		environ: []string{
			"MILLRACE_SERVER_LOOPS=4",
			"MILLRACE_LOG_FORMAT=json",
			"MILLRACE_RTMP_LISTEN=:1935, [::1]:1936",
			"MILLRACE_HTTP_LIST=false",
			"MILLRACE_HTTP_WWW_DIR=/a=b",
			"MILLRACE_HTTP_CORS_ORIGINS=",
			"MILLRACE_HTTP_TRUSTED_PROXIES=10.0.0.0/8",
			"MILLRACE_ADMIN_LISTEN=:8502",
			"MILLRACE_ADMIN_TOKEN=abc",
			"MILLRACE_LIMITS_CONNECTIONS_PER_IP=7",
			"MILLRACE_LIMITS_NOTSENT_LOWAT=0",
			"MILLRACE_STREAM_NAME_PATTERN=^[A-Za-z0-9]+$",
			"MILLRACE_STREAM_MERGE_WINDOW=0s",
			"MILLRACE_STREAM_MEMORY=50%",
			"MILLRACE_STREAM_ON_BUSY=reject",
		},
		change: func(c *Config) {
			c.Server.Loops = 4
			c.Log.Format = FormatJSON
			c.RTMP.Listen = []Listen{{Addr: ":1935"}, {Addr: "[::1]:1936"}}
			c.HTTP.List = false
			c.HTTP.WWWDir = "/a=b"
			c.HTTP.CORSOrigins = []string{}
			c.HTTP.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
			c.Admin = Admin{Listen: ":8502", Token: "abc"}
			c.Limits.ConnectionsPerIP = 7
			c.Limits.NotsentLowat = 0
			c.Stream.NamePattern = `^[A-Za-z0-9]+$`
			c.Stream.MergeWindow = MergeWindow{}
			c.Stream.Memory = Memory{Percent: 50}
			c.Stream.OnBusy = BusyReject
		},
	},
	{
		name:    "unknown variables",
		environ: []string{"MILLRACE_STREAM_MAXLAG=3s", "MILLRACE_ADMIN_TOKN=supersecret", "MILLRACE_=", "MILLRACE_XYZZY_PLUGH=1"},
		err: "environment: MILLRACE_: found an unknown name, expected the variable of a key, such as MILLRACE_STREAM_MAX_LAG\n" +
			"environment: MILLRACE_ADMIN_TOKN: found an unknown name, expected the variable of a key, such as MILLRACE_STREAM_MAX_LAG (did you mean MILLRACE_ADMIN_TOKEN?)\n" +
			"environment: MILLRACE_STREAM_MAXLAG: found an unknown name, expected the variable of a key, such as MILLRACE_STREAM_MAX_LAG (did you mean MILLRACE_STREAM_MAX_LAG?)\n" +
			"environment: MILLRACE_XYZZY_PLUGH: found an unknown name, expected the variable of a key, such as MILLRACE_STREAM_MAX_LAG",
	},
	{
		name: "bad values",
		environ: []string{
			"MILLRACE_ADMIN_TOKEN=super secret",
			"MILLRACE_HTTP_LIST=1",
			"MILLRACE_HTTP_LISTEN=:8501,,:8503,8504",
			"MILLRACE_SERVER_LOOPS=2000",
			"MILLRACE_STREAM_MAX_LAG=",
		},
		err: `environment: MILLRACE_ADMIN_TOKEN: found (hidden), expected a token of letters, digits and - . _ ~ + / =, or ""` + "\n" +
			`environment: MILLRACE_HTTP_LIST: found "1", expected true or false` + "\n" +
			`environment: MILLRACE_HTTP_LISTEN: found "", expected an address such as ":1935", "127.0.0.1:0", "[::1]:1935" or "localhost:1935"` + "\n" +
			`environment: MILLRACE_HTTP_LISTEN: found "8504", expected an address such as ":1935", "127.0.0.1:0", "[::1]:1935" or "localhost:1935"` + "\n" +
			"environment: MILLRACE_SERVER_LOOPS: found 2000, expected an integer from 0 to 1024\n" +
			`environment: MILLRACE_STREAM_MAX_LAG: found "", expected a duration such as "5s"`,
	},
	{
		name:    "clashes with the file",
		file:    "[rtmp]\nlisten = [\":1936\"]\n[http]\nlisten = [\":1937\"]\n",
		environ: []string{"MILLRACE_HTTP_LISTEN=:8080,127.0.0.1:1936", "MILLRACE_STREAM_RING_BYTES=1MiB"},
		err: `environment: MILLRACE_HTTP_LISTEN: found "127.0.0.1:1936", expected an address that does not clash with rtmp.listen ":1936"` + "\n" +
			`environment: MILLRACE_STREAM_RING_BYTES: found "1MiB", expected at least stream.gop_max_bytes (16MiB)`,
	},
	{
		name:    "token for the file's listener",
		file:    "[admin]\nlisten = \":8502\"\n",
		environ: []string{"MILLRACE_ADMIN_TOKEN="},
		err:     `environment: MILLRACE_ADMIN_TOKEN: found "", expected a token, because admin.listen ":8502" is not loopback`,
	},
	{
		name:    "listener without a token",
		environ: []string{"MILLRACE_ADMIN_LISTEN=:8502"},
		err:     `environment: admin.token: found "", expected a token, because admin.listen ":8502" is not loopback`,
	},
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	for _, test := range envTests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := Parse("f.toml", []byte(test.file), test.environ)
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Errorf("got:\n%v\nwant:\n%s", err, test.err)
				}
				return
			}
			want := Default()
			if test.change != nil {
				test.change(&want)
			}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
			}
		})
	}
}

// TestEnvNames keeps two keys from meeting in one variable.
func TestEnvNames(t *testing.T) {
	t.Parallel()
	seen := make(map[string]string)
	for _, key := range Keys() {
		if other, ok := seen[key.Env]; ok {
			t.Errorf("%s and %s are both %s", key.Name, other, key.Env)
		}
		seen[key.Env] = key.Name
	}
	if got := envName("plugins.flv-gateway.enabled"); got != "MILLRACE_PLUGINS_FLV_GATEWAY_ENABLED" {
		t.Errorf("got %s", got)
	}
}
