// Command millrace is a live-streaming server: RTMP in; RTMP, HTTP-FLV and
// WebSocket-FLV out.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
)

// version is set at build time.
var version = "dev"

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

const usage = `Usage:
  millrace [serve] [-c FILE]   run the server
  millrace check [-c FILE]     say what is wrong with a configuration
  millrace hook COMMAND        try Lua hooks: run, test, replay
  millrace plugin COMMAND      the running server's plugins: list, restart, logs
  millrace record COMMAND      recordings on disk: verify, repair
  millrace debug FAULT         make a fault in the running server
  millrace version             say which version this is
  millrace bench COMMAND       load a server and measure it: publish, play, floor, compare

Without -c, commands that need a configuration take conf/millrace.toml if it is there, and the
defaults otherwise. Environment variables MILLRACE_SECTION_KEY override the file.
`

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	command := "serve"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		command, args = args[0], args[1:]
	}
	switch command {
	case "bench":
		return runBench(ctx, args, stdout, stderr)
	case "hook":
		return runHook(args, stdout, stderr)
	case "plugin":
		return runPlugin(ctx, args, stdout, stderr)
	case "record":
		return runRecord(ctx, args, stdout, stderr)
	case "debug":
		return runDebug(ctx, args, stdout, stderr)
	}
	flags := flag.NewFlagSet("millrace "+command, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	file := flags.String("c", "", "configuration file")
	if err := flags.Parse(args); err != nil {
		if err == flag.ErrHelp {
			return exitDone
		}
		return exitUsage
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "millrace %s: unexpected argument %q\n%s", command, flags.Arg(0), usage)
		return exitUsage
	}
	switch command {
	case "serve":
		return serve(ctx, configFile(*file), stderr)
	case "check":
		return check(ctx, configFile(*file), stdout, stderr)
	case "version":
		fmt.Fprintln(stdout, "millrace", version)
		return exitDone
	case "help":
		fmt.Fprint(stdout, usage)
		return exitDone
	}
	fmt.Fprintf(stderr, "millrace: unknown command %q\n%s", command, usage)
	return exitUsage
}

// configFile is the file to read: the one asked for, or the usual one if it
// is there.
func configFile(asked string) string {
	const usual = "conf/millrace.toml"
	if asked != "" {
		return asked
	}
	if _, err := os.Stat(usual); err == nil {
		return usual
	}
	return ""
}
