package core

import (
	"net/netip"

	"github.com/millrace/millrace/core/admin"
	"github.com/millrace/millrace/core/gate"
	"github.com/millrace/millrace/core/netloop"
	"github.com/millrace/millrace/core/stream"
	"github.com/millrace/millrace/core/web"
)

// newGate makes the gate that all requests for files go through.
func (s *Server) newGate() *gate.Gate {
	return gate.New(gate.Options{
		Logger: s.log, Decider: s.options.Hooks, Events: &s.hub,
		Trusted: func() []netip.Prefix { return s.live.Load().Net.TrustedProxies },
	})
}

// netSettings are the loops' settings. While the gate has something to decide,
// all of what it guards goes through net/http: it may run scripts, for which a
// loop has no time.
func (s *Server) netSettings(l *Live) netloop.Settings {
	n := l.Net
	n.ObjectsByHTTP = s.gate.Active
	return n
}

// webSettings are those of the web server.
func (s *Server) webSettings(l *Live) web.Settings {
	w := l.Web
	w.Gate = s.gate
	return w
}

// fileViewers are the viewing sessions of each stream, by protocol.
type fileViewers map[stream.Key]map[string]int

func (s *Server) fileViewers() fileViewers {
	all := make(fileViewers)
	for _, v := range s.gate.Sessions() {
		k := stream.Key{App: v.App, Name: v.Name}
		if all[k] == nil {
			all[k] = make(map[string]int)
		}
		all[k][v.Protocol]++
	}
	return all
}

// viewerCounts are the viewers of a stream: those on the loops, and sessions.
func viewerCounts(i stream.Info, files fileViewers) admin.ViewerCounts {
	f := files[i.Key]
	return admin.ViewerCounts{
		RTMP: int(i.Viewers[0]), HTTPFLV: int(i.Viewers[1]), WSFLV: int(i.Viewers[2]),
		HLS: f[admin.ProtocolHLS], MP4: f[admin.ProtocolMP4], FLV: f[admin.ProtocolFLV],
	}
}

// fileClient is a viewing session among the clients.
func fileClient(v gate.Status) admin.ClientStatus {
	return admin.ClientStatus{
		ID: v.ID, Protocol: v.Protocol, Role: admin.RolePlayer, App: v.App, Name: v.Name,
		RemoteAddr: v.RemoteAddr, UserAgent: v.UserAgent, BytesOut: v.BytesOut, Since: v.Since,
	}
}

// sessionStats adds the viewing sessions to what is counted per protocol.
func (s *Server) sessionStats(protocols map[string]admin.ProtocolStats) {
	for name, c := range s.gate.Counts() {
		protocols[name] = admin.ProtocolStats{Viewers: c.Viewers, BytesOut: c.BytesOut}
	}
}
