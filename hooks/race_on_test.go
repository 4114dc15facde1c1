//go:build race

package hooks

// raceEnabled: the detector's shadow of memory stays resident, and counts some
// times what it shadows.
const raceEnabled = true
