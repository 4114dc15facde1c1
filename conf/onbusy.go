package conf

// OnBusy says who keeps a stream's name when a second publisher asks for it.
type OnBusy string

// The policies.
const (
	// BusyAuto replaces an incumbent that has been silent for busy_silence, or
	// that comes from the same peer with the same key; it rejects otherwise.
	BusyAuto OnBusy = "auto"
	// BusyReject keeps the incumbent.
	BusyReject OnBusy = "reject"
	// BusyReplace takes the newcomer, with a back-off against two encoders
	// that throw each other out in turns.
	BusyReplace OnBusy = "replace"
)
