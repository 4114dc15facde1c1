// Millrace-fmp4 is the recorder of fragmented MP4, as a plugin's process.
package main

import (
	"github.com/millrace/millrace/plugins/fmp4"
	"github.com/millrace/millrace/plugins/sdk"
)

func main() { sdk.Serve(fmp4.New) }
