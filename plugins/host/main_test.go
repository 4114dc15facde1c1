package host_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/plugins/plugintest"
)

func TestMain(m *testing.M) {
	plugintest.Serve()
	goleak.VerifyTestMain(m)
}
