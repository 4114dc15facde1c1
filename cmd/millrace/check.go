package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/millrace/millrace/conf"
	"github.com/millrace/millrace/hooks"
)

// check prints every problem of a configuration.
func check(file string, stdout, stderr io.Writer) int {
	_, err := load(file)
	var problems conf.Problems
	switch {
	case err == nil:
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
	return c, nil
}
