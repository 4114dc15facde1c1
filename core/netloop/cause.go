package netloop

import "sync/atomic"

// cause is the kind of reason why connections end, as metrics count them.
type cause uint8

const (
	causeServer   cause = iota // we were done with it, or are shutting down
	causePeer                  // the peer closed or reset it
	causeProtocol              // the peer broke its protocol
	causeTimeout               // the peer missed a deadline
	causeLimit                 // the peer passed a limit
	causeStalled               // the peer does not read
	causeKicked                // somebody asked for it
	causeRefused               // a hook refused it
	causes
)

var causeNames = [causes]string{"server", "peer", "protocol_error", "timeout", "limit", "stalled", "kicked", "refused"}

// causeCounts count closed connections by cause.
type causeCounts [causes]atomic.Uint64

func (c *causeCounts) snapshot() map[string]uint64 {
	all := make(map[string]uint64, causes)
	for i, name := range causeNames {
		all[name] = c[i].Load()
	}
	return all
}
