package core

import (
	"context"
	"time"

	"github.com/millrace/millrace/core/admin"
	"github.com/millrace/millrace/core/netloop"
	"github.com/millrace/millrace/core/stream"
	"github.com/millrace/millrace/core/web"
)

var _ admin.Server = (*Server)(nil)

// Streams is the API's list of streams.
func (s *Server) Streams() []admin.StreamStatus {
	var all []admin.StreamStatus
	files := s.fileViewers()
	s.streams.Each(func(st *stream.Stream) bool {
		all = append(all, s.streamStatus(st.Info(), files))
		return true
	})
	return all
}

// Stream is one of Streams.
func (s *Server) Stream(app, name string) (admin.StreamStatus, bool) {
	st := s.streams.Lookup(stream.Key{App: app, Name: name})
	if st == nil {
		return admin.StreamStatus{}, false
	}
	return s.streamStatus(st.Info(), s.fileViewers()), true
}

func (s *Server) streamStatus(i stream.Info, files fileViewers) admin.StreamStatus {
	st := admin.StreamStatus{
		App: i.Key.App, Name: i.Key.Name, State: admin.StateLive,
		Video: videoStatus(i.State), Audio: audioStatus(i.State),
		ViewersByProtocol: viewerCounts(i, files),
		BytesIn:           i.BytesIn, BytesOut: i.BytesOut, FramesIn: i.FramesIn,
		BitrateKbps:          s.rates.kbps(i.ID),
		TimestampCorrections: i.Corrections, DroppedFrames: i.Dropped,
		RingBytes: i.RingBytes, RingFrames: i.RingFrames, GOPFrames: i.GOPFrames,
		Session: i.Session, Since: s.wall(i.Since),
	}
	st.Viewers = st.ViewersByProtocol.Sum()
	if i.Lost {
		st.State = admin.StateLost
		return st
	}
	p := i.Publisher
	st.Publisher = &admin.PublisherStatus{ID: p.ID, RemoteAddr: p.RemoteAddr, Protocol: p.Protocol}
	return st
}

// wall turns the engine's clock into the time of day.
func (s *Server) wall(ns int64) time.Time {
	return time.Now().Add(time.Duration(ns - s.engine.Now())).Round(time.Millisecond)
}

// list is what the pages show.
func (s *Server) list() []web.StreamInfo {
	var all []web.StreamInfo
	files := s.fileViewers()
	s.streams.Each(func(st *stream.Stream) bool {
		i := st.Info()
		if !i.State.HasVideo && !i.State.HasAudio || isPrivate(i) {
			return true // nothing to watch yet, or not for everybody to know
		}
		all = append(all, s.streamInfo(i, files))
		return true
	})
	return all
}

// isPrivate tells streams that on_publish labelled so.
func isPrivate(i stream.Info) bool {
	label := i.Last.Labels["private"]
	return label != "" && label != "false"
}

func (s *Server) streamInfo(i stream.Info, files fileViewers) web.StreamInfo {
	w := web.StreamInfo{
		App: i.Key.App, Name: i.Key.Name, Since: s.wall(i.Since),
		BitrateKbps: int(s.rates.kbps(i.ID)), FPS: s.rates.fps(i.ID),
		Viewers: viewerCounts(i, files).Sum(),
	}
	if v := videoStatus(i.State); v != nil {
		w.Video, w.Width, w.Height = v.Codec, v.Width, v.Height
	}
	if a := audioStatus(i.State); a != nil {
		w.Audio = a.Codec
	}
	return w
}

// Clients is the API's list of connections and viewing sessions.
func (s *Server) Clients(ctx context.Context) ([]admin.ClientStatus, error) {
	found, err := s.engine.Clients(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]admin.ClientStatus, len(found))
	for i, c := range found {
		all[i] = s.clientStatus(c)
	}
	for _, v := range s.gate.Sessions() {
		all = append(all, fileClient(v))
	}
	return all, nil
}

func (s *Server) clientStatus(c netloop.ClientStatus) admin.ClientStatus {
	return admin.ClientStatus{
		ID: c.ID, Protocol: c.Protocol, Role: c.Role, App: c.App, Name: c.Name,
		TLS: c.TLS, RemoteAddr: c.RemoteAddr, UserAgent: c.UserAgent,
		BytesIn: c.BytesIn, BytesOut: c.BytesOut,
		LagMS: c.LagMS, DroppedFrames: c.Dropped, SocketQueue: int64(c.SocketQueue),
		Since: s.wall(c.Since),
	}
}

// KickStream ends a stream and its publisher.
func (s *Server) KickStream(app, name, reason string) bool {
	st := s.streams.Lookup(stream.Key{App: app, Name: name})
	return st != nil && st.Kick(reason)
}

// KickClient ends a connection or a viewing session.
func (s *Server) KickClient(ctx context.Context, id, reason string) (bool, error) {
	if s.gate.Kick(id, reason) {
		return true, nil
	}
	return s.engine.Kick(ctx, id, reason)
}

// StallViewer writes nothing to a viewer for d, as if its socket were full.
// False: there is no such viewer.
func (s *Server) StallViewer(ctx context.Context, id string, d time.Duration) (bool, error) {
	return s.engine.Stall(ctx, id, d)
}

// DropPublisher closes the connection of a stream's publisher without a
// good-bye. False: there is none.
func (s *Server) DropPublisher(ctx context.Context, app, name string) (bool, error) {
	st := s.streams.Lookup(stream.Key{App: app, Name: name})
	if st == nil {
		return false, nil
	}
	i := st.Info()
	if i.Lost {
		return false, nil
	}
	return s.engine.Cut(ctx, i.Publisher.ID)
}

// Reload has the owner read the configuration again.
func (s *Server) Reload() ([]admin.Change, error) {
	changes, err := s.options.Reload()
	if err != nil {
		s.reloadsFailed.Add(1)
		s.log.Error("configuration was not reloaded, the old one stays in force", "reason", err.Error())
		return nil, err
	}
	s.reloadsOK.Add(1)
	for _, c := range changes {
		log := s.log.Info
		what := "configuration changed"
		if !c.Live {
			log, what = s.log.Warn, "configuration changed, in force after a restart"
		}
		log(what, "key", c.Key, "old", c.Old, "new", c.New)
	}
	s.log.Info("configuration reloaded", "changed", len(changes))
	return changes, nil
}
