//go:build !race

package main_test

// raceEnabled tells that the tests run with -race, and so must the binary.
const raceEnabled = false
