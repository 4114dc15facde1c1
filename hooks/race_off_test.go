//go:build !race

package hooks

// raceEnabled: see race_on_test.go.
const raceEnabled = false
