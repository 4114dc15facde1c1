package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/millrace/millrace/conf"
	"github.com/millrace/millrace/core/certificate"
	"github.com/millrace/millrace/hooks"
	"github.com/millrace/millrace/plugins/host/place"
)

// check prints every problem of a configuration.
func check(ctx context.Context, file string, stdout, stderr io.Writer) int {
	c, err := conf.Load(file, os.Environ())
	var problems conf.Problems
	switch {
	case err == nil:
		problems = append(outside(file, c), pluginProblems(ctx, c)...)
		problems.Sort()
	case !errors.As(err, &problems):
		fmt.Fprintln(stderr, "millrace check:", err)
		return exitFailed
	}
	if len(problems) > 0 {
		fmt.Fprintln(stdout, problems)
		fmt.Fprintf(stderr, "millrace check: %d problems\n", len(problems))
		return exitFailed
	}
	for _, w := range warnings(c, time.Now()) {
		fmt.Fprintf(stdout, "%s: warning: %s\n", name(file), w)
	}
	fmt.Fprintf(stdout, "%s: no problems\n", name(file))
	return exitDone
}

func name(file string) string {
	if file == "" {
		return "defaults and environment"
	}
	return file
}

// load reads a configuration and checks what it names.
func load(file string) (conf.Config, error) {
	c, err := conf.Load(file, os.Environ())
	if err != nil {
		return c, err
	}
	if problems := outside(file, c); len(problems) > 0 {
		return c, problems
	}
	return c, nil
}

// outside are the problems of what a configuration names: folders, scripts,
// certificates.
func outside(file string, c conf.Config) (problems conf.Problems) {
	if dir := c.HTTP.WWWDir; dir != "" {
		if st, err := os.Stat(dir); err != nil || !st.IsDir() {
			problems = append(problems, located(file, "http.www_dir", -1, conf.Problem{Value: strconv.Quote(dir), Expected: "a folder that exists"}))
		}
	}
	if err := place.CheckTemplate(c.Record.Path); err != nil {
		problems = append(problems, located(file, "record.path", -1, conf.Problem{Value: strconv.Quote(c.Record.Path), Message: err.Error()}))
	}
	problems = append(problems, scriptProblems(c.Hooks)...)
	return append(problems, certificateProblems(file, c.TLS)...)
}

// located says where a key's problem stands.
func located(file, key string, element int, p conf.Problem) conf.Problem {
	p.Key = key
	p.File, p.Line = conf.Locate(file, os.Environ(), key, element)
	return p
}

// scriptProblems are what keeps scripts from being compiled.
func scriptProblems(c conf.Hooks) (all conf.Problems) {
	err := hooks.Check(slices.Concat(c.Scripts, c.Shadow))
	if err == nil {
		return nil
	}
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	for _, err := range list {
		p := conf.Problem{File: "hooks", Message: err.Error()}
		if s, ok := errors.AsType[*hooks.ScriptError](err); ok {
			p = conf.Problem{File: s.File, Line: s.Line, Key: s.Hook, Message: s.Text}
		}
		all = append(all, p)
	}
	return all
}

// certificateProblems reports the files that cannot be used.
func certificateProblems(file string, t conf.TLS) (all conf.Problems) {
	for i, pair := range certificates(t) {
		if _, err := certificate.Load(pair); err != nil {
			all = append(all, located(file, "tls", i, conf.Problem{
				Value: strconv.Quote(pair.Cert), Expected: "a certificate and its key: " + err.Error(),
			}))
		}
	}
	return all
}

// warnings are what a server starts with all the same.
func warnings(c conf.Config, now time.Time) (all []string) {
	for _, pair := range certificates(c.TLS) {
		loaded, err := certificate.Load(pair)
		if err != nil {
			continue
		}
		if wrong := certificate.Expiry(loaded, now); wrong != "" {
			all = append(all, fmt.Sprintf("tls: certificate %s %s", pair.Cert, wrong))
		}
	}
	return all
}
