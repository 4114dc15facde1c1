package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/hooks"
)

const hookUsage = `Usage:
  millrace hook run FILE HOOK [flags]        run one hook of a script; print its verdict
  millrace hook test DIR                     run the cases (*.txtar) below a folder
  millrace hook replay CALLS.jsonl NEW.lua   show which verdicts of a call log a script would change

HOOK is on_connect, on_publish, on_play, on_record, on_request, or a notice such
as on_unpublish. See hooks/README.md.

Exit status: 0 done, and for run: allowed; 1 refused, failed or changed; 2 usage.
`

// runHook serves "millrace hook".
func runHook(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, hookUsage)
		return exitUsage
	}
	switch command := args[0]; {
	case command == "run" && len(args) >= 3:
		return hookRun(args[1], args[2], args[3:], stdout, stderr)
	case command == "test" && len(args) == 2:
		return hookTest(args[1], stdout, stderr)
	case command == "replay" && len(args) >= 3:
		return hookReplay(args[1], args[2], args[3:], stdout, stderr)
	case command == "help" || command == "-h" || command == "--help":
		fmt.Fprint(stdout, hookUsage)
		return exitDone
	}
	fmt.Fprint(stderr, hookUsage)
	return exitUsage
}

// pairs are the values of a flag NAME=VALUE that may come again and again.
type pairs map[string]string

func (p pairs) String() string { return "" }

// Set adds one.
func (p pairs) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return fmt.Errorf("%q is not NAME=VALUE", s)
	}
	p[name] = value
	return nil
}

// scriptFlags are those about how scripts run.
func scriptFlags(flags *flag.FlagSet, s *hooks.Settings) {
	flags.DurationVar(&s.Timeout, "timeout", hooks.DefaultTimeout, "how long a call may run")
	flags.Func("http-allow", "host that http.get and http.post may ask; again for more", func(host string) error {
		s.HTTPAllow = append(s.HTTPAllow, host)
		return nil
	})
}

func hookRun(file, hook string, args []string, stdout, stderr io.Writer) int {
	e := event.Event{Event: hook, Time: time.Now(), Params: pairs{}, Headers: pairs{}, Labels: pairs{}}
	s := hooks.Settings{Scripts: []string{file}}
	flags := flag.NewFlagSet("millrace hook run", flag.ContinueOnError)
	flags.SetOutput(stderr)
	for name, field := range map[string]*string{
		"app": &e.App, "name": &e.Name, "protocol": &e.Protocol, "client-id": &e.ClientID,
		"tc-url": &e.TCURL, "page-url": &e.PageURL, "flash-ver": &e.FlashVer, "user-agent": &e.UserAgent,
		"method": &e.Method, "path": &e.Path, "host": &e.Host, "plugin": &e.Plugin, "reason": &e.Reason,
	} {
		flags.StringVar(field, name, "", "the event's "+strings.ReplaceAll(name, "-", "_"))
	}
	flags.StringVar(&e.RemoteAddr, "remote-addr", "127.0.0.1:40000", "the event's remote_addr")
	flags.Var(pairs(e.Params), "param", "NAME=VALUE of the query; again for more")
	flags.Var(pairs(e.Headers), "header", "NAME=VALUE of the request's headers; again for more")
	flags.Var(pairs(e.Labels), "label", "NAME=VALUE of the stream's labels; again for more")
	scriptFlags(flags, &s)
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return exitUsage
	}
	if e.App != "" || e.Name != "" {
		e.StreamID = e.App + "/" + e.Name
	}
	v, err := hooks.Run(stdout, s, &e)
	if err != nil {
		fmt.Fprintln(stderr, "millrace hook run:", err)
		return exitFailed
	}
	if !v.Allow {
		return exitFailed
	}
	return exitDone
}

func hookTest(dir string, stdout, stderr io.Writer) int {
	_, failed, err := hooks.Test(stdout, dir)
	if err != nil {
		fmt.Fprintln(stderr, "millrace hook test:", err)
		return exitFailed
	}
	if failed > 0 {
		return exitFailed
	}
	return exitDone
}

func hookReplay(calls, script string, args []string, stdout, stderr io.Writer) int {
	s := hooks.Settings{Scripts: []string{script}}
	flags := flag.NewFlagSet("millrace hook replay", flag.ContinueOnError)
	flags.SetOutput(stderr)
	scriptFlags(flags, &s)
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return exitUsage
	}
	f, err := os.Open(calls)
	if err == nil {
		defer f.Close()
		var r hooks.Replayed
		if r, err = hooks.Replay(stdout, f, s); err == nil && r.Changed > 0 {
			return exitFailed
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "millrace hook replay:", err)
		return exitFailed
	}
	return exitDone
}

// splitStream takes "APP/NAME" apart.
func splitStream(id string) (app, name string, ok bool) {
	i := strings.LastIndexByte(id, '/')
	if i <= 0 || i == len(id)-1 {
		return "", "", false
	}
	return id[:i], id[i+1:], true
}
