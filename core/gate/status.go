package gate

import "time"

// Status is what can be told of a session.
type Status struct {
	ID, Protocol, App, Name string
	RemoteAddr, UserAgent   string
	BytesOut                uint64
	Since                   time.Time
}

// Sessions are the viewers of now.
func (g *Gate) Sessions() []Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]Status, 0, len(g.sessions))
	for _, s := range g.sessions {
		if !s.isDecided() {
			continue
		}
		all = append(all, Status{
			ID: s.id, Protocol: s.protocol, App: s.asked.App, Name: s.asked.Name,
			RemoteAddr: s.asked.RemoteAddr, UserAgent: s.asked.UserAgent,
			BytesOut: s.bytes.Load(), Since: s.since,
		})
	}
	return all
}

// Count is what was counted of one protocol.
type Count struct {
	Viewers  int64 // now
	BytesOut uint64
}

// Counts are the figures of each protocol.
func (g *Gate) Counts() map[string]Count {
	all := make(map[string]Count)
	for _, s := range g.Sessions() {
		c := all[s.Protocol]
		c.Viewers++
		c.BytesOut += s.BytesOut
		all[s.Protocol] = c
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range []string{"hls", "mp4", "flv"} {
		c := all[p]
		c.BytesOut += g.bytes[p]
		all[p] = c
	}
	return all
}
