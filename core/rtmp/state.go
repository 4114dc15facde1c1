package rtmp

// State is where a [Session] stands. What deadline applies follows from it.
type State uint8

// The states of a session. While a verdict is awaited the state is still the
// one before it.
const (
	// Handshaking: the handshake is not complete.
	Handshaking State = iota
	// Connecting: there was no connect command, or no verdict on it.
	Connecting
	// Idle: connected; neither publishing nor playing, or no more.
	Idle
	// Publishing: a publish command was accepted.
	Publishing
	// Playing: a play command was accepted.
	Playing
	// Ended: the peer was refused, sent off or said goodbye; input is
	// ignored.
	Ended
)

// String names the state as logs do.
func (s State) String() string {
	return [...]string{"handshaking", "connecting", "idle", "publishing", "playing", "ended"}[s]
}
