package flvrecorder

import (
	"os"
	"testing"

	"github.com/millrace/millrace/plugins/plugintest"
)

func TestMain(m *testing.M) { os.Exit(plugintest.InMemory(m)) }
