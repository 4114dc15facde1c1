package netloop

import (
	"crypto/rand"
	"log/slog"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/rtmp"
	"github.com/millrace/millrace/core/rtmp/chunk"
	"github.com/millrace/millrace/core/stream"
)

// rtmpConn is an RTMP connection: the session parses, this acts.
type rtmpConn struct {
	// What each read touches comes first.
	conn      *conn
	session   *rtmp.Session
	publisher *publisher
	phase     rtmp.State // that the deadline is for

	// What the client says of itself.
	flashVer, tcURL, pageURL string

	// The play that waits for its stream, or is served.
	play rtmp.EventPlay
	key  stream.Key
	// What receiveAudio and receiveVideo switched off.
	noAudio, noVideo bool
}

func newRTMPConn(c *conn) *rtmpConn {
	limits := &c.engine.Settings().Limits
	return &rtmpConn{conn: c, session: rtmp.NewSession(rtmp.Options{
		ChunkSize: c.engine.options.ChunkSize,
		Limits: chunk.Limits{
			CommandSize: limits.CommandSize, MediaSize: limits.MediaSize,
			PartialBytes: limits.PartialBytes, ChunkStreams: limits.ChunkStreams,
		},
		AMFDepth: limits.AMFDepth,
		Pending:  limits.ConnectionBuffer,
		Rand:     rand.Reader,
	})}
}

func (h *rtmpConn) open() {
	h.conn.setDeadline(h.conn.since + int64(h.conn.engine.Settings().Limits.HandshakeTimeout))
}

func (h *rtmpConn) data(b []byte) {
	if err := h.session.Feed(b); err != nil {
		h.broken(err)
		return
	}
	h.run()
}

// run acts on what the session understood, sends what it answered, and tells
// viewers of frames that came.
func (h *rtmpConn) run() {
	for !h.conn.dead && !h.conn.finishing {
		ev, err := h.session.Next()
		if err != nil {
			h.broken(err)
			break
		}
		if (ev == rtmp.EventNone{}) {
			break
		}
		h.on(ev)
	}
	h.answer()
	if p := h.publisher; p != nil {
		h.conn.loop.gather(p)
		p.flush()
	}
	h.watchPhase()
}

func (h *rtmpConn) answer() { h.conn.send(h.session.TakeOutput()) }

// broken ends the connection of a peer that does not speak RTMP as it should.
func (h *rtmpConn) broken(err error) {
	h.conn.engine.log.Warn("connection closed: protocol error",
		h.conn.attrs(slog.String(event.Reason, err.Error()))...)
	h.answer()
	h.conn.kill(causeProtocol, err.Error())
}

func (h *rtmpConn) on(ev rtmp.Event) {
	switch ev := ev.(type) {
	case *rtmp.EventMedia:
		if h.publisher != nil {
			h.publisher.write(ev.Kind, ev.Timestamp, ev.Room)
		}
	case rtmp.EventConnect:
		h.onConnect(ev)
	case rtmp.EventPublish:
		h.onPublish(ev)
	case rtmp.EventPlay:
		h.onPlay(ev)
	case rtmp.EventUnpublish:
		h.unpublish(true, "publisher stopped: "+ev.Command)
	case rtmp.EventStop:
		h.stopPlay("player stopped: " + ev.Command)
	case rtmp.EventPause:
		h.onPause(ev.Paused)
	case rtmp.EventReceive:
		h.onReceive(ev)
	case rtmp.EventClose:
		h.unpublish(true, "publisher closed the connection")
		h.conn.finish(causePeer, "closed by peer")
	}
}

// verdict handles the error of a verdict given at the wrong time, a fault of
// ours.
func (h *rtmpConn) verdict(err error) {
	if err != nil {
		h.broken(err)
	}
}

func (h *rtmpConn) onConnect(ev rtmp.EventConnect) {
	h.flashVer, h.tcURL, h.pageURL = ev.FlashVer, ev.TcURL, ev.PageURL
	if !h.conn.engine.decides(event.Connect) {
		h.verdict(h.session.AcceptConnect())
		return
	}
	about := h.event(event.Connect, ev.Query)
	about.App = ev.App
	h.conn.ask(about, func(v event.Verdict) { h.connected(v); h.run() })
}

func (h *rtmpConn) connected(v event.Verdict) {
	c := h.conn
	if v.Allow {
		c.limit(v.Limits)
		h.verdict(h.session.AcceptConnect())
		return
	}
	c.refused(event.Connect, stream.Key{}, v)
	h.verdict(h.session.RejectConnect(v.Reason))
	h.answer()
	c.finish(causeRefused, v.Reason)
}

func (h *rtmpConn) onPublish(ev rtmp.EventPublish) {
	c := h.conn
	k := stream.Key{App: ev.App, Name: ev.Name}
	if err := c.engine.checkName(k); err != nil {
		h.refusePublish(ev.StreamID, rtmp.CodePublishBadName, k, err.Error())
		return
	}
	if c.engine.draining.Load() {
		h.refusePublish(ev.StreamID, rtmp.CodePublishRejected, k, shuttingDown)
		return
	}
	if !c.engine.decides(event.Publish) {
		h.publish(ev, k, allowed)
		return
	}
	e := h.event(event.Publish, ev.Query)
	about(&e, k)
	c.ask(e, func(v event.Verdict) { h.judged(ev, k, v); h.run() })
}

// judged is called with the verdict on a publisher.
func (h *rtmpConn) judged(ev rtmp.EventPublish, k stream.Key, v event.Verdict) {
	c := h.conn
	asked := k
	if v.App != "" {
		k.App = v.App
	}
	if v.Name != "" {
		k.Name = v.Name
	}
	// Should it be the one that a stream waits for, it does not come back there
	// if it may not, or is called otherwise now.
	back := k
	if !v.Allow {
		back = stream.Key{}
	}
	c.engine.options.Streams.Forsake(stream.Publisher{Asked: asked, Peer: c.peer.Addr().String(), Query: ev.Query}, back,
		"its publisher was refused or renamed")
	if !v.Allow {
		c.refused(event.Publish, asked, v)
		h.endRefused(ev.StreamID, rtmp.CodePublishDenied, v.Reason, causeRefused)
		return
	}
	if err := c.engine.checkName(k); err != nil {
		h.refusePublish(ev.StreamID, rtmp.CodePublishBadName, k, "renamed by a hook: "+err.Error())
		return
	}
	h.publish(ev, k, v)
}

func (h *rtmpConn) publish(ev rtmp.EventPublish, k stream.Key, v event.Verdict) {
	c := h.conn
	p, err := newPublisher(h, k, ev, v)
	if err != nil {
		h.refusePublish(ev.StreamID, rtmp.CodePublishBadName, k, err.Error())
		return
	}
	h.publisher = p
	c.endIn(v.MaxDuration, "max_duration is over")
	h.verdict(h.session.AcceptPublish(ev.StreamID))
	if c.engine.draining.Load() { // since we looked: the streams of then were told
		p.pub.Kick(shuttingDown)
	}
}

// refusePublish says why, in words that reach the encoder, and closes.
func (h *rtmpConn) refusePublish(streamID uint32, code string, k stream.Key, reason string) {
	c := h.conn
	c.engine.log.Warn("publish refused", c.attrs(
		slog.String("event", event.Publish),
		slog.String(event.Stream, k.String()),
		slog.String(event.Reason, reason))...)
	h.endRefused(streamID, code, reason, causeServer)
}

// endRefused tells the encoder, and closes.
func (h *rtmpConn) endRefused(streamID uint32, code, reason string, why cause) {
	h.verdict(h.session.RejectPublish(streamID, code, reason))
	h.answer()
	h.conn.finish(why, "publish refused: "+reason)
}

// unpublish ends the publication, if there is one.
func (h *rtmpConn) unpublish(clean bool, reason string) {
	if p := h.publisher; p != nil {
		h.publisher = nil
		p.close(clean, reason)
	}
}

// evicted is called on the loop when the stream was taken from the publisher.
func (h *rtmpConn) evicted(p *publisher, reason string) {
	if h.publisher != p {
		return
	}
	h.publisher = nil
	h.conn.loop.ungather(p)
	code := rtmp.CodePublishRejected
	if reason == shuttingDown {
		code = rtmp.CodeUnpublishSuccess
		h.session.RequestReconnect(reason)
	}
	h.session.EndPublish(p.streamID, code, reason)
	h.answer()
	h.conn.finish(causeServer, reason)
}

func (h *rtmpConn) kick(reason string) {
	switch p := h.publisher; {
	case p != nil:
		if !p.pub.Kick(reason) {
			h.conn.kill(causeKicked, reason)
		}
	case h.conn.viewer != nil:
		h.conn.loop.end(h.conn.viewer, reason)
	default:
		h.conn.finish(causeServer, reason)
	}
}

func (h *rtmpConn) drain() {
	if h.publisher == nil && !h.conn.finishing { // a publisher was told when its stream ended
		h.session.RequestReconnect(shuttingDown)
		h.answer()
		h.conn.finish(causeServer, shuttingDown)
	}
}

func (h *rtmpConn) closed() {
	h.unpublish(false, h.conn.reason)
}

func (h *rtmpConn) describe(s *ClientStatus) {
	s.Role = RoleIdle
	s.UserAgent = h.flashVer
	if h.publisher != nil {
		s.Role = RolePublisher
		s.App, s.Name = h.publisher.pub.Stream.Key.App, h.publisher.pub.Stream.Key.Name
	}
}
