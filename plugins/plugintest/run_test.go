package plugintest_test

import (
	"testing"

	"github.com/millrace/millrace/plugins/plugintest"
)

func TestJournalConforms(t *testing.T) {
	t.Parallel()
	plugintest.Run(t, plugintest.NewJournal, map[string]any{"kind": "txt"})
}

func TestPlainJournalConforms(t *testing.T) {
	t.Parallel()
	plugintest.Run(t, plugintest.NewPlainJournal)
}
