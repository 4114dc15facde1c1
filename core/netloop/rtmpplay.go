package netloop

import (
	"log/slog"
	"net/url"
	"strconv"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp"
	"github.com/millrace/millrace/core/stream"
)

func (h *rtmpConn) onPlay(ev rtmp.EventPlay) {
	c := h.conn
	h.play = ev
	h.key = stream.Key{App: ev.App, Name: ev.Name}
	if err := c.engine.checkName(h.key); err != nil {
		h.refusePlay(err.Error())
		return
	}
	if !c.engine.decides(event.Play) {
		h.find()
		return
	}
	e := h.event(event.Play, ev.Query)
	about(&e, h.key)
	c.ask(e, func(v event.Verdict) { h.admitted(v); h.run() })
}

// admitted is called with the verdict on a player.
func (h *rtmpConn) admitted(v event.Verdict) {
	c := h.conn
	switch {
	case v.Redirect != "":
		c.engine.log.Info("play redirected", c.attrs(slog.String(event.Stream, h.key.String()), slog.String("redirect", v.Redirect))...)
		h.verdict(h.session.RedirectPlay(h.play.StreamID, v.Redirect))
		h.answer()
		c.finish(causeServer, "redirected")
		return
	case !v.Allow:
		c.refused(event.Play, h.key, v)
		h.rejectPlay(rtmp.CodePlayFailed, v.Reason)
		return
	}
	c.admit(&h.key, v)
	h.find()
}

// find begins the play, or has it wait for its publisher.
func (h *rtmpConn) find() {
	c := h.conn
	if s := c.engine.options.Streams.Lookup(h.key); s != nil {
		h.begin(s)
		return
	}
	wait := c.engine.Settings().Viewers.PlayWait
	switch {
	case wait <= 0 || c.engine.draining.Load():
		h.refusePlay("no such stream: " + h.key.String())
	case !c.wait(h.key, h):
		h.refusePlay("no such stream yet, and too many viewers wait for publishers (limits.waiting): " + h.key.String())
	default:
		c.setDeadline(c.loop.now() + int64(wait))
	}
}

func (h *rtmpConn) refusePlay(reason string) { h.rejectPlay(rtmp.CodePlayStreamNotFound, reason) }

func (h *rtmpConn) rejectPlay(code, reason string) {
	c := h.conn
	c.engine.log.Info("play refused", c.attrs(
		slog.String("event", event.Play),
		slog.String(event.Stream, h.key.String()),
		slog.String(event.Reason, reason))...)
	h.verdict(h.session.RejectPlay(h.play.StreamID, code, reason))
	h.answer()
	c.finish(causeServer, reason)
}

// serve is called when the stream that was waited for is there.
func (h *rtmpConn) serve(s *stream.Stream) {
	h.begin(s)
	h.run()
}

// begin makes the connection a viewer of s.
func (h *rtmpConn) begin(s *stream.Stream) {
	c := h.conn
	c.setDeadline(0)
	h.verdict(h.session.AcceptPlay(h.play.StreamID))
	c.out = append(c.out, h.session.TakeOutput()...)
	key, live := playQuery(h.play.Query)
	key.form = form{kind: formRTMP, streamID: h.play.StreamID}
	h.noVideo, h.noAudio = h.noVideo || !key.video, h.noAudio || !key.audio
	key.video, key.audio = !h.noVideo, !h.noAudio
	v := c.loop.attach(c, s, key, live, h)
	v.userAgent = h.flashVer
	c.engine.viewerStarted(v)
	c.engine.tellViewer(v, h.play.Query)
}

// greet appends nothing: the session has answered the play already.
func (h *rtmpConn) greet(dst []byte, _, _ bool) []byte { return dst }

// farewell appends StreamEOF and UnpublishNotify: some players end on the one
// only, others on the other.
func (h *rtmpConn) farewell(dst []byte, reason string) []byte {
	if reason == shuttingDown {
		h.session.RequestReconnect(reason)
	}
	h.session.EndPlay(h.play.StreamID, rtmp.CodePlayUnpublish, reason)
	return append(dst, h.session.TakeOutput()...)
}

func (h *rtmpConn) afterwards() bool { return true }

// stopPlay ends the play at the player's wish; the connection stays.
func (h *rtmpConn) stopPlay(reason string) {
	c := h.conn
	c.unwait()
	if v := c.viewer; v != nil {
		c.loop.leave(v, reason)
		c.flush()
	}
}

// onPause has a live stream stand still, or go on at its live edge.
func (h *rtmpConn) onPause(paused bool) {
	v := h.conn.viewer
	if v == nil || v.cursor.Paused == paused {
		return
	}
	v.cursor.Pause(paused)
	if !paused {
		h.conn.loop.enqueue(v)
		h.conn.loop.rearm()
	}
}

// onReceive moves the viewer to the group of those that get what it wants.
func (h *rtmpConn) onReceive(ev rtmp.EventReceive) {
	if ev.Kind == media.Audio {
		h.noAudio = !ev.On
	} else {
		h.noVideo = !ev.On
	}
	if v := h.conn.viewer; v != nil {
		key := v.group.key
		key.audio, key.video = !h.noAudio, !h.noVideo
		h.conn.loop.regroup(v, key)
	}
}

func (h *rtmpConn) timeout(now int64) {
	c := h.conn
	limits := &c.engine.Settings().Limits
	switch {
	case c.finishing:
		c.kill(causeStalled, "peer did not read the answer")
	case c.unwait():
		h.refusePlay("no such stream: " + h.key.String())
	case h.publisher != nil:
		h.publisher.checkIdle(now, int64(limits.PublishIdleTimeout))
	default:
		h.tooSlow()
	}
}

// tooSlow ends a connection that did not get on.
func (h *rtmpConn) tooSlow() {
	reason := "no play or publish in limits.publish_timeout, or idle for limits.idle_timeout"
	switch h.session.State() {
	case rtmp.Handshaking:
		reason = "no handshake in limits.handshake_timeout"
	case rtmp.Connecting:
		reason = "no connect in limits.connect_timeout"
	}
	h.conn.tell(slog.LevelInfo, "connection closed: too slow", reason)
	h.conn.kill(causeTimeout, reason)
}

// watchPhase sets the deadline of the phase that the session is in.
func (h *rtmpConn) watchPhase() {
	c := h.conn
	state := h.session.State()
	if state == h.phase || c.dead || c.finishing || c.waits != nil || c.asking {
		return
	}
	was := h.phase
	h.phase = state
	limits := &c.engine.Settings().Limits
	now := c.loop.now()
	switch state {
	case rtmp.Connecting:
		c.setDeadline(now + int64(limits.ConnectTimeout))
	case rtmp.Idle:
		if was == rtmp.Publishing || was == rtmp.Playing {
			c.setDeadline(now + int64(c.idleTimeout()))
		} else {
			c.setDeadline(now + int64(limits.PublishTimeout))
		}
	case rtmp.Publishing:
		c.setDeadline(now + int64(limits.PublishIdleTimeout))
	case rtmp.Playing:
		c.setDeadline(0)
	}
}

// playQuery is what a play's query asks for: the parameters of HTTP-FLV. What
// is not understood has its default: a player could do nothing about an error.
func playQuery(query string) (k groupKey, live bool) {
	q, _ := url.ParseQuery(query)
	k = groupKey{video: q.Get("video") != "0", audio: q.Get("audio") != "0", all: q.Get("tracks") == "all"}
	number := func(name string) uint16 {
		n, err := strconv.ParseUint(q.Get(name), 10, 8)
		if err != nil {
			return 0
		}
		return uint16(n) + 1
	}
	k.vtrack, k.atrack = number("vtrack"), number("atrack")
	return k, q.Get("start") == "live"
}
