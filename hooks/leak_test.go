package hooks

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain: no test leaves a goroutine behind, of coroutines neither.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
