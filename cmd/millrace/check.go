package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/millrace/millrace/conf"
	"github.com/millrace/millrace/core/certificate"
	"github.com/millrace/millrace/hooks"
)

// check prints every problem of a configuration.
func check(file string, stdout, stderr io.Writer) int {
	c, err := load(file)
	var problems conf.Problems
	switch {
	case err == nil:
		for _, w := range warnings(c, time.Now()) {
			fmt.Fprintf(stdout, "%s: warning: %s\n", name(file), w)
		}
		fmt.Fprintf(stdout, "%s: no problems\n", name(file))
		return exitDone
	case errors.As(err, &problems):
		fmt.Fprintln(stdout, problems)
		fmt.Fprintf(stderr, "millrace check: %d problems\n", len(problems))
	default:
		fmt.Fprintln(stderr, "millrace check:", err)
	}
	return exitFailed
}

func name(file string) string {
	if file == "" {
		return "defaults and environment"
	}
	return file
}

// load reads a configuration and checks what of it lies outside of it.
func load(file string) (conf.Config, error) {
	c, err := conf.Load(file, os.Environ())
	if err != nil {
		return c, err
	}
	if dir := c.HTTP.WWWDir; dir != "" {
		if st, err := os.Stat(dir); err != nil || !st.IsDir() {
			return c, conf.Problems{{File: name(file), Key: "http.www_dir", Value: fmt.Sprintf("%q", dir), Expected: "a folder that exists"}}
		}
	}
	if err := hooks.Check(slices.Concat(c.Hooks.Scripts, c.Hooks.Shadow)); err != nil {
		return c, fmt.Errorf("compile hooks: %w", err)
	}
	return c, checkCertificates(file, c.TLS)
}

// checkCertificates reports the files that cannot be used.
func checkCertificates(file string, t conf.TLS) error {
	var problems conf.Problems
	for _, pair := range certificates(t) {
		if _, err := certificate.Load(pair); err != nil {
			problems = append(problems, conf.Problem{File: name(file), Key: "tls",
				Value: fmt.Sprintf("%q", pair.Cert), Expected: "a certificate and its key: " + err.Error()})
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
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
