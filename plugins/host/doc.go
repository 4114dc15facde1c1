// Package host runs plugins: it starts their processes, tells them of events,
// attaches them to streams, and outlives whatever they do.
package host
