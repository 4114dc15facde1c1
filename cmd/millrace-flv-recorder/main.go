// Millrace-flv-recorder is the plugin that records streams to FLV files. The
// server starts it.
package main

import (
	"github.com/millrace/millrace/plugins/flvrecorder"
	"github.com/millrace/millrace/plugins/sdk"
)

func main() { sdk.Serve(flvrecorder.New) }
