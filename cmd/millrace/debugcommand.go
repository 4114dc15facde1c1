package main

import (
	"context"
	"fmt"
	"io"
)

const debugUsage = `Usage:
  millrace debug kill-plugin NAME              kill a plugin's process (SIGKILL)
  millrace debug stall-plugin NAME --for 5s    stop a plugin's process (SIGSTOP)
  millrace debug slow-disk NAME --for 10s      have a plugin's process run a twentieth of the time
  millrace debug stall-viewer ID --for 10s     write nothing to a viewer, as if its socket were full
  millrace debug drop-publisher APP/NAME       close a publisher's connection without a good-bye

They show what the server survives, and work only with admin.faults = true.
-c FILE names the server's configuration, whose admin.listen is asked. A client's
ID is in the log and in GET /api/v1/clients.
`

// debugFaults are the faults, and whether they last for a time.
var debugFaults = map[string]bool{
	"kill-plugin": false, "stall-plugin": true, "slow-disk": true, "stall-viewer": true, "drop-publisher": false,
}

// runDebug serves "millrace debug".
func runDebug(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags, file := adminFlags("millrace debug", debugUsage, stderr)
	d := flags.Duration("for", usualFault, "how long")
	words, err := parseAnywhere(flags, args)
	if err != nil {
		return usageStatus(err)
	}
	if len(words) != 2 {
		fmt.Fprint(stderr, debugUsage)
		return exitUsage
	}
	lasts, known := debugFaults[words[0]]
	if !known {
		fmt.Fprintf(stderr, "millrace debug: unknown fault %q\n%s", words[0], debugUsage)
		return exitUsage
	}
	path, done := "/api/v1/debug/"+segments(words[0], words[1]), words[0]+" "+words[1]
	if lasts {
		path, done = path+"?for="+d.String(), done+" for "+d.String()
	}
	return ask("debug", *file, stderr, func(a *adminClient) error {
		if err := a.call(ctx, "POST", path, nil); err != nil {
			return err
		}
		_, err := fmt.Fprintln(stdout, done)
		return err
	})
}
