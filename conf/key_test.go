package conf

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const manual = "millrace.toml"

func TestManualHoldsDefaults(t *testing.T) {
	t.Parallel()
	c, err := Parse(manual, readTest(t, manual), nil)
	for i := range c.Plugins {
		c.Plugins[i].file, c.Plugins[i].lines = "", nil
	}
	if err != nil || !reflect.DeepEqual(c, Default()) {
		t.Errorf("%v\n%v", err, Diff(Default(), c))
	}
}

// TestManualComments holds the manual to the table of keys: every key, in
// order, each below a comment that ends with its values and its reload.
func TestManualComments(t *testing.T) {
	t.Parallel()
	assignment := regexp.MustCompile(`^([a-z_]+) = `)
	section, keys := "", Keys()
	var comment []string
	for i, line := range strings.Split(string(readTest(t, manual)), "\n") {
		if len([]rune(line)) > 140 {
			t.Errorf("%s:%d: too long", manual, i+1)
		}
		switch m := assignment.FindStringSubmatch(line); {
		case strings.HasPrefix(line, "["):
			section, comment = strings.Trim(line, "[]"), nil
		case strings.HasPrefix(line, "#"):
			comment = append(comment, line)
		case m == nil && len(keys) > 0 && slices.Contains(comment, "# [["+keys[0].Name+"]]"):
			checkComment(t, i, keys[0], comment) // tables, of which there are none
			keys, comment = keys[1:], nil
		case m == nil || strings.HasPrefix(section, "plugins."):
			comment = nil // the plugins' keys are the plugins' own
		case len(keys) == 0 || keys[0].Name != section+"."+m[1]:
			t.Fatalf("%s:%d: %s.%s is not the next key of %v", manual, i+1, section, m[1], keys)
		default:
			checkComment(t, i+1, keys[0], comment)
			keys, comment = keys[1:], nil
		}
	}
	if len(keys) > 0 {
		t.Errorf("not in the manual: %v", keys)
	}
}

func checkComment(t *testing.T, line int, key Key, comment []string) {
	t.Helper()
	reload := map[Reload]string{Live: "Live.", Restart: "Restart."}[key.Reload]
	want := "# Value: " + key.Accepts + ". " + reload
	if len(comment) < 2 || comment[len(comment)-1] != want {
		t.Errorf("%s:%d: the comment above %s is to say something, then %q: %q", manual, line, key.Name, want, comment)
	}
}

// TestManualStrictRule keeps the reference system's rule in the manual, and it
// has to work when its comment sign is taken away.
func TestManualStrictRule(t *testing.T) {
	t.Parallel()
	const rule = `name_pattern = '^[A-Za-z0-9]+$'`
	text := string(readTest(t, manual))
	if !strings.Contains(text, "\n# "+rule+"\n") {
		t.Fatal("the rule is not in the manual")
	}
	c, err := Parse("f", []byte("[stream]\n"+rule), nil)
	if err != nil {
		t.Fatal(err)
	}
	strict := c.Stream.NamePattern.Regexp()
	for name, want := range map[string]bool{"abc123": true, "a_b": false, "a-b": false, "a.b": false, "": false, "ä": false, "a\n": false} {
		if strict.MatchString(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestReload(t *testing.T) {
	t.Parallel()
	want := []string{"server.loops", "server.data_dir", "server.state_dir", "log.format", "rtmp.listen", "rtmp.chunk_size", "http.listen", "admin.listen",
		"plugin_socket.path", "plugin_socket.mode", "plugin_socket.token", "hooks.call_log", "record.timezone", "record.path"}
	var got []string
	for _, key := range Keys() {
		if key.Reload == Restart {
			got = append(got, key.Name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("restart: %v", got)
	}
	if Live.String() != "live" || Restart.String() != "restart" {
		t.Error("names of Reload")
	}
}

// TestTableIsComplete holds the table to the structs: a field without a key
// could never be set.
func TestTableIsComplete(t *testing.T) {
	t.Parallel()
	fields := 0
	config := reflect.TypeFor[Config]()
	for i := range config.NumField() {
		if section := config.Field(i).Type; section.Kind() == reflect.Struct { // a plugin's keys are its own
			fields += section.NumField()
		}
	}
	if n := len(Keys()); n != fields {
		t.Errorf("%d keys for %d fields", n, fields)
	}
}

// TestDefaultsInRange feeds every default back as an environment variable.
func TestDefaultsInRange(t *testing.T) {
	t.Parallel()
	for _, key := range Keys() {
		text := strings.NewReplacer("[", "", "]", "", `"`, "").Replace(key.Default)
		if key.Name == "stream.name_pattern" {
			text = key.Default
		}
		c, err := Parse("", nil, []string{key.Env + "=" + text})
		if err != nil || !reflect.DeepEqual(c, Default()) {
			t.Errorf("%s: %v, %v", key.Name, err, Diff(Default(), c))
		}
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	old, changed := Default(), Default()
	if got := Diff(old, changed); len(got) != 0 {
		t.Errorf("no change: %v", got)
	}
	changed.RTMP.Listen = []Listen{{Addr: ":1935"}, {Addr: ":1936", ProxyProtocol: true}, {Addr: ":1937", TLS: true}}
	changed.TLS.Certificates = []Certificate{{"a.pem", "a.key"}}
	changed.Admin.Token = "first"
	changed.Stream.MaxLag = 3 * Second
	want := []Change{
		{"rtmp.listen", `[":1935"]`, `[":1935", {addr = ":1936", proxy_protocol = true}, {addr = ":1937", tls = true}]`, false},
		{"tls", "[]", `[{cert = "a.pem", key = "a.key"}]`, true},
		{"admin.token", "", hidden, true},
		{"stream.max_lag", "5s", "3s", true},
	}
	if got := Diff(old, changed); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	again := changed
	again.Admin.Token = "second"
	want = []Change{{"admin.token", hidden, hidden, true}}
	if got := Diff(changed, again); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
