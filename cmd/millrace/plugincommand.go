package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/millrace/millrace/plugins/host"
)

const pluginUsage = `Usage:
  millrace plugin list [-c FILE]             the plugins of the running server, and their streams
  millrace plugin restart NAME [-c FILE]     swap a plugin for a new process; no frame is lost
  millrace plugin logs NAME [-n N] [-c FILE] its last lines (20)

The server is asked at the configuration's admin.listen.
`

// runPlugin serves "millrace plugin".
func runPlugin(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags, file := adminFlags("millrace plugin", pluginUsage, stderr)
	n := flags.Int("n", 20, "how many lines")
	words, err := parseAnywhere(flags, args)
	if err != nil {
		return usageStatus(err)
	}
	var do func(*adminClient) error
	switch {
	case len(words) == 1 && words[0] == "list":
		do = func(a *adminClient) error { return listPlugins(ctx, a, stdout) }
	case len(words) == 2 && words[0] == "restart":
		do = func(a *adminClient) error { return restartPlugin(ctx, a, words[1], stdout) }
	case len(words) == 2 && words[0] == "logs" && *n > 0:
		do = func(a *adminClient) error { return pluginLogs(ctx, a, words[1], *n, stdout) }
	default:
		fmt.Fprint(stderr, pluginUsage)
		return exitUsage
	}
	return ask("plugin", *file, stderr, do)
}

// ask has a running server do something.
func ask(command, file string, stderr io.Writer, do func(*adminClient) error) int {
	a, err := newAdminClient(configFile(file))
	if err == nil {
		err = do(a)
	}
	if err != nil {
		fmt.Fprintf(stderr, "millrace %s: %v\n", command, err)
		return exitFailed
	}
	return exitDone
}

func listPlugins(ctx context.Context, a *adminClient, stdout io.Writer) error {
	var answer struct {
		Plugins []host.Status `json:"plugins"`
	}
	if err := a.call(ctx, "GET", "/api/v1/plugins", &answer); err != nil {
		return err
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSTATE\tSINCE\tVERSION\tPID\tMEMORY\tRESTARTS\tSTREAMS\tMISSED\tREASON")
	for _, p := range answer.Plugins {
		missed := uint64(0)
		for _, s := range p.Streams {
			missed += s.Missed
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n", p.Name, p.State,
			time.Since(p.Since).Round(time.Second), orDash(p.Version), orDash(number(p.PID)), orDash(mebibytes(p.Memory)),
			p.Restarts, len(p.Streams), missed, orDash(p.Reason))
	}
	return w.Flush()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func mebibytes(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%.1fMiB", float64(n)/(1<<20))
}

func restartPlugin(ctx context.Context, a *adminClient, name string, stdout io.Writer) error {
	if err := a.call(ctx, "POST", "/api/v1/plugins/"+segments(name)+"/restart", nil); err != nil {
		return err
	}
	_, err := fmt.Fprintln(stdout, name, "runs in a new process")
	return err
}

func pluginLogs(ctx context.Context, a *adminClient, name string, n int, stdout io.Writer) error {
	var answer struct {
		Lines []string `json:"lines"`
	}
	if err := a.call(ctx, "GET", fmt.Sprintf("/api/v1/plugins/%s/logs?n=%d", segments(name), n), &answer); err != nil {
		return err
	}
	for _, line := range answer.Lines {
		if _, err := fmt.Fprintln(stdout, line); err != nil {
			return err
		}
	}
	return nil
}
