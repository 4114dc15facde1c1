package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/conf"
	"github.com/millrace/millrace/plugins/flvrecorder"
	"github.com/millrace/millrace/plugins/fmp4"
	"github.com/millrace/millrace/plugins/hls"
	"github.com/millrace/millrace/plugins/host"
	"github.com/millrace/millrace/plugins/sdk"
)

// shippedPlugins are the tables of plugins in the shipped file, with the keys
// that are commented out.
func shippedPlugins(t *testing.T) map[string]map[string]any {
	t.Helper()
	text, err := os.ReadFile("../../conf/millrace.toml")
	if err != nil {
		t.Fatal(err)
	}
	_, tables, ok := strings.Cut(string(text), "\n[plugins.")
	if !ok {
		t.Fatal("no tables of plugins")
	}
	keys := regexp.MustCompile(`(?m)^# ([a-z_.0-9]+ = )`)
	c, err := conf.Parse("millrace.toml", []byte("[plugins."+keys.ReplaceAllString(tables, "$1")), nil)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]any{}
	for _, p := range c.Plugins {
		all[p.Name] = p.Values
	}
	return all
}

// TestManualOfPlugins holds the shipped tables to the plugins: each key that a
// plugin reads, with its default, and no other.
func TestManualOfPlugins(t *testing.T) {
	t.Parallel()
	tables := shippedPlugins(t)
	for name, p := range map[string]struct {
		folder, field string
		make          func() sdk.Plugin
	}{
		"flv": {"flvrecorder", "config", flvrecorder.New},
		"mp4": {"fmp4", "opt", fmp4.New},
		"hls": {"hls", "settings", hls.New},
	} {
		c, problems := host.ParseConfig(tables[name])
		if len(problems) > 0 {
			t.Errorf("%s: the host says %v", name, problems)
		}
		got, want := slices.Sorted(maps.Keys(c.Values)), keysRead(t, p.folder)
		if !slices.Equal(got, want) {
			t.Errorf("[plugins.%s] has %q, the plugin reads %q", name, got, want)
		}
		bare, full := p.make(), p.make()
		bare.Configure(sdk.Config{})
		if problems := full.Configure(sdk.Config{Values: c.Values}); len(problems) > 0 {
			t.Errorf("%s: the plugin says %v", name, problems)
		}
		if got, want := settingsOf(full, p.field), settingsOf(bare, p.field); got != want {
			t.Errorf("%s: the file says %s, the default is %s", name, got, want)
		}
	}
}

// keysRead are the keys that a plugin's source asks record.Settings for.
func keysRead(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob("../../plugins/" + folder + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	read := regexp.MustCompile(`\b[rs]\.(?:String|Bool|Int|Duration|Size|Sync)\("([a-z_]+)"`)
	keys := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range read.FindAllStringSubmatch(string(text), -1) {
			keys[m[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// settingsOf shows what a plugin has read.
func settingsOf(p sdk.Plugin, field string) string {
	return fmt.Sprintf("%+v", reflect.ValueOf(p).Elem().FieldByName(field))
}

// TestManualOfHost holds the first table to the host: each key of its Config,
// with its default.
func TestManualOfHost(t *testing.T) {
	t.Parallel()
	c, problems := host.ParseConfig(shippedPlugins(t)["flv"])
	want := host.DefaultConfig()
	want.Command, want.Env, want.Values = c.Command, map[string]string{}, c.Values
	if len(problems) > 0 || !reflect.DeepEqual(c, want) {
		t.Errorf("%v\n%+v\n%+v", problems, c, want)
	}
	source, err := os.ReadFile("../../plugins/host/config.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../conf/millrace.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(p|inner)\.(?:[a-zA-Z]+)\("([a-z_0-9]+)", &|take\[int64\]\((inner), "([a-z]+)"`).FindAllStringSubmatch(string(source), -1) {
		key := m[2] + m[4]
		if m[1] == "inner" || m[3] == "inner" {
			key = "limits." + key
		}
		if !regexp.MustCompile(`(?m)^(# )?` + regexp.QuoteMeta(key) + ` = `).Match(text) {
			t.Errorf("the file does not have %s", key)
		}
	}
}
