package flvrecorder

import (
	"testing"

	"github.com/millrace/millrace/plugins/plugintest"
	"github.com/millrace/millrace/plugins/sdk"
)

// The conformance kit, in this process and in one of its own.
func TestKit(t *testing.T) {
	plugintest.Run(t, func() sdk.Plugin { return &tap{Recorder: New().(*Recorder)} }, settings())
}
