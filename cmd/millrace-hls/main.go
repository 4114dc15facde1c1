// Command millrace-hls is the HLS segmenter, a plugin that millrace starts.
package main

import (
	"github.com/millrace/millrace/plugins/hls"
	"github.com/millrace/millrace/plugins/sdk"
)

func main() { sdk.Serve(hls.New) }
