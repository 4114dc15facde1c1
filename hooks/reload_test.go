package hooks

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/millrace/millrace/core/event"
)

// replaceFile swaps a file's text by a rename, as editors do.
func replaceFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestReloadBroken: whatever is wrong with the new version, the old one stays,
// and the error names file and line.
func TestReloadBroken(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"syntax", "\nfunction on_play( return true end", "hook.lua:2: syntax error"},
		{"unfinished", "function on_play()", "hook.lua:1: syntax error at the end of the file"},
		{"empty", "", "hook.lua: the file is empty"},
		{"load", "local x = nil\nx.y = 1", "hook.lua:2: attempt to index"},
		{"self-check", "function on_play() return true end\nfunction self_check() return false, 'no keys' end", "hook.lua:2: self_check: no keys"},
		{"self-check fails", "function self_check()\n error('x') end", "hook.lua:2: self_check: x"},
		{"module", "require('gone')", "hook.lua:1: module \"gone\" not found"},
		{"too deep", "return " + strings.Repeat("- ", 5000) + "1", "nested too deeply"},
		{"too deep in blocks", strings.Repeat("do ", 5000) + strings.Repeat("end ", 5000), "nested too deeply"},
		{"registers", "local t = f(" + strings.Repeat("1,", 300) + "1)", "hook.lua"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, `function on_play() return false, "old" end`)
			path := r.settings.Load().Scripts[0]
			replaceFile(t, path, tt.text)
			err := r.Reload()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if v := ask(t, r, event.Event{Event: event.Play}); v.Reason != "old" {
				t.Errorf("verdict %s", verdictText(v))
			}
			s := r.Status()
			if s.LoadError == nil || s.LoadError.File == "" || s.Failed == 0 {
				t.Errorf("status %+v", s)
			}
			replaceFile(t, path, `function on_play() return false, "new" end`)
			if err := r.Reload(); err != nil {
				t.Fatal(err)
			}
			if v := ask(t, r, event.Event{Event: event.Play}); v.Reason != "new" || r.Status().LoadError != nil {
				t.Errorf("verdict %s, status %+v", verdictText(v), r.Status())
			}
		})
	}
}

// TestWatch: a saved file is in force without being asked, modules too, and
// the store survives.
func TestWatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "lib"), 0o700); err != nil {
		t.Fatal(err)
	}
	module := filepath.Join(dir, "lib", "words.lua")
	replaceFile(t, module, `return "one"`)
	replaceFile(t, filepath.Join(dir, "a.lua"), `
		function on_play() millrace.store.incr("n") return false, require("lib.words") .. millrace.store.get("n") end`)
	r := start(t, "", func(o *Options) { o.Scripts = []string{dir} })
	if v := ask(t, r, event.Event{Event: event.Play}); v.Reason != "one1" {
		t.Fatal(verdictText(v))
	}
	replaceFile(t, module, `return "two"`)
	eventually(t, "the new module", func() bool {
		return strings.HasPrefix(ask(t, r, event.Event{Event: event.Play}).Reason, "two")
	})
	if v := ask(t, r, event.Event{Event: event.Play}); v.Reason == "two1" {
		t.Error("the store began anew")
	}
	replaceFile(t, module, `return (`)
	eventually(t, "the broken file is noticed", func() bool { return r.Status().LoadError != nil })
	if v := ask(t, r, event.Event{Event: event.Play}); !strings.HasPrefix(v.Reason, "two") {
		t.Error(verdictText(v))
	}
	replaceFile(t, filepath.Join(dir, "b.lua"), `function on_connect() return true end`)
	replaceFile(t, module, `return "three"`)
	eventually(t, "the new script", func() bool { return r.Has(event.Connect) })
}

// TestReloadUnderLoad: a hundred reloads while others decide. Each verdict is
// that of one whole version: both files of the chain, and the module, agree.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(version int) {
		// In steps, so that a reader that looked between them would see a mix.
		for _, name := range []string{"a.lua", "b.lua"} {
			replaceFile(t, filepath.Join(dir, name), fmt.Sprintf(
				`local words = require("lib.m") function on_publish(s) return {labels = {%s = "%d", m = words}} end`, name[:1], version))
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "lib"), 0o700); err != nil {
		t.Fatal(err)
	}
	replaceFile(t, filepath.Join(dir, "lib", "m.lua"), `return "m"`)
	write(0)
	r := start(t, "", func(o *Options) { o.Scripts = []string{dir} })
	// The watcher would load what is written between two steps.
	if err := r.watcher.close(); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				v := ask(t, r, published("live", "cam", nil))
				if v.Err != nil || v.Labels["a"] == "" || v.Labels["a"] != v.Labels["b"] || v.Labels["m"] != "m" {
					t.Errorf("verdict %s", verdictText(v))
					return
				}
			}
		})
	}
	for i := 1; i <= 100; i++ {
		write(i)
		if err := r.Reload(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	callers.Wait()
	if v := ask(t, r, published("live", "cam", nil)); v.Labels["a"] != "100" {
		t.Error(verdictText(v))
	}
}

// TestConfigure changes settings and scripts together, or nothing.
func TestConfigure(t *testing.T) {
	t.Parallel()
	r := start(t, `function on_play() return false, "old" end`)
	if err := r.Configure(Settings{Scripts: []string{"/nothing/there.lua"}, OnError: Allow}); err == nil {
		t.Error("a missing script was taken")
	}
	if v := ask(t, r, event.Event{Event: event.Play}); v.Reason != "old" {
		t.Error(verdictText(v))
	}
	if err := r.Configure(Settings{Scripts: []string{writeScript(t, `function on_play() error("x") end`)}, OnError: Allow}); err != nil {
		t.Fatal(err)
	}
	if v := ask(t, r, event.Event{Event: event.Play}); !v.Allow || v.Err == nil {
		t.Error(verdictText(v))
	}
	if err := r.Configure(Settings{}); err != nil || r.Has(event.Play) {
		t.Errorf("hooks without scripts, %v", err)
	}
}

// TestCheck names each wrong file once.
func TestCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	replaceFile(t, filepath.Join(dir, "good.lua"), "#!/usr/bin/lua\nerror('not run')")
	if err := Check([]string{dir}); err != nil {
		t.Error(err)
	}
	replaceFile(t, filepath.Join(dir, "bad.lua"), "\n\nx = = 1")
	err := Check([]string{dir, filepath.Join(dir, "bad.lua")})
	if err == nil || strings.Count(err.Error(), "bad.lua:3: ") != 1 {
		t.Errorf("error %v", err)
	}
	if place, ok := errors.AsType[*ScriptError](err); !ok || place.Line != 3 {
		t.Errorf("error %#v", err)
	}
	if err := Check([]string{filepath.Join(dir, "nothing")}); err == nil {
		t.Error("a missing folder passed")
	}
}
