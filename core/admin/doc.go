// Package admin is the operator's listener: the JSON API, Prometheus metrics,
// health and profiles. It knows nothing of loops, streams or configuration
// files: what it needs is said in [Server], [Stats] and the status types, and
// package core fills them.
//
// Routes and metrics are listed in README.md, which a test holds equal to the
// tables in the code.
package admin
