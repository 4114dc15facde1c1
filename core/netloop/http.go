package netloop

import (
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/httpflv"
	"github.com/millrace/millrace/core/proxyproto"
	"github.com/millrace/millrace/core/stream"
)

// maxHead bounds a request head, in bytes; net/http's own limit is larger, but
// then nobody with a browser comes near this one.
const maxHead = 64 << 10

// serverName is the Server field of our answers.
const serverName = "millrace"

// httpConn reads request heads. Live streams it serves itself; any other
// request goes to net/http with the connection.
type httpConn struct {
	conn *conn
	buf  []byte // an incomplete head, or requests behind the one that waits
	busy bool   // has had a request
	// connected: the connection was allowed.
	connected bool
	// leaving: it goes to net/http as soon as all answers are out.
	leaving bool
	parsing bool // parse runs
	form    formKind
	// request waits for its stream.
	request *liveRequest
	// discarded is what came behind the request, in bytes.
	discarded int
	ws        *wsInput
	parked    *parked // the request waits for an object
}

// liveRequest is a request for a stream. A viewer stays for hours: what its
// request said is not kept for so long.
type liveRequest struct {
	head httpflv.Head
	live httpflv.Live
	key  stream.Key
}

func (h *httpConn) open() { h.expectHead() }

func (h *httpConn) expectHead() {
	limit := h.conn.engine.Settings().Limits.RequestHeaderTimeout
	h.conn.setDeadline(h.conn.loop.now() + int64(limit))
}

func (h *httpConn) data(b []byte) {
	switch {
	case h.ws != nil:
		h.ws.data(b)
	case h.conn.viewer != nil:
		h.discard(len(b))
	case h.conn.waits != nil, h.conn.asking, h.held():
		h.keep(b)
	default:
		if h.busy && len(h.buf) == 0 {
			h.expectHead()
		}
		h.keep(b)
		h.parse()
	}
}

// discard lets go of what a viewer sends behind its request: it has no
// meaning any more. Who goes on and on with it is closed.
func (h *httpConn) discard(n int) {
	h.discarded += n
	if limit := h.conn.engine.Settings().Limits.ConnectionBuffer; h.discarded > limit {
		h.conn.kill(causeLimit, "viewer sent more than limits.connection_buffer behind its request")
	}
}

func (h *httpConn) keep(b []byte) {
	if len(h.buf)+len(b) > h.conn.engine.Settings().Limits.ConnectionBuffer {
		h.conn.over(causeLimit, "more input than limits.connection_buffer while a request waits")
		return
	}
	h.buf = append(h.buf, b...)
}

// parse serves the requests that are complete.
func (h *httpConn) parse() {
	c := h.conn
	h.parsing = true
	defer func() { h.parsing = false }()
	for len(h.buf) > 0 && c.waits == nil && !c.asking && !h.leaving && !h.held() && c.viewer == nil && !c.dead && !c.finishing {
		head, n, err := httpflv.ParseHead(h.buf, maxHead)
		if errors.Is(err, httpflv.ErrShort) {
			return
		}
		if err != nil {
			h.refuse(httpflv.Head{}, httpflv.RefusalOf(err))
			return
		}
		if !h.connected && c.engine.decides(event.Connect) {
			h.askConnect(head)
			return
		}
		h.connected = true
		live, ok := httpflv.ParseLive(head, c.engine.reserved)
		// Over TLS net/http serves objects.
		isObject := !ok && c.tls == nil && c.engine.isObject(head)
		if !ok && !isObject {
			h.handOff()
			return
		}
		h.buf, h.busy = h.buf[n:], true
		if !h.trustProxy(head) {
			c.engine.gate.refused(refusedPerIP, c.protocol, c.peer)
			h.refuse(head, httpflv.Refusal{Status: http.StatusTooManyRequests, Reason: refusedPerIP, Close: true})
			return
		}
		if isObject {
			h.serveObject(head)
			continue
		}
		h.serveLive(head, live)
	}
	if len(h.buf) == 0 {
		h.buf = nil
	}
}

// trustProxy takes the client's address from a header of a trusted proxy. It
// reports whether that client may have one more connection.
func (h *httpConn) trustProxy(head httpflv.Head) bool {
	c := h.conn
	if !c.engine.trusts(c.protocol, c.via.Addr()) {
		return true
	}
	c.peer = c.via
	ip := proxyproto.ClientAddr(c.via.Addr(), c.engine.Settings().TrustedProxies, head.Joined)
	if ip != c.via.Addr() {
		c.peer = netip.AddrPortFrom(ip, 0)
	}
	return c.engine.gate.count(&c.ticket, ip)
}

func (h *httpConn) responder() httpflv.Responder {
	return httpflv.Responder{Server: serverName, CORS: h.conn.engine.Settings().CORS}
}

func (h *httpConn) serveLive(head httpflv.Head, live httpflv.Live) {
	c := h.conn
	if live.Refusal != nil {
		h.refuse(head, *live.Refusal)
		return
	}
	if head.Method == http.MethodOptions {
		out, keep := h.responder().AppendPreflight(nil, head, time.Now())
		h.answered(out, keep, "answered OPTIONS")
		return
	}
	h.request = &liveRequest{head, live, stream.Key{App: live.App, Name: live.Name}}
	if err := c.engine.checkName(h.request.key); err != nil {
		h.refuse(head, httpflv.Refusal{Status: http.StatusNotFound, Reason: err.Error()})
		return
	}
	if c.engine.decides(event.Play) {
		e := h.event(event.Play, head)
		e.Protocol = "http-flv"
		if live.WebSocket {
			e.Protocol = "ws-flv"
		}
		about(&e, h.request.key)
		c.ask(e, func(v event.Verdict) { h.admitted(v); h.parse() })
		return
	}
	h.find()
}

// askConnect has it decided about the connection; then its request is looked
// at again.
func (h *httpConn) askConnect(head httpflv.Head) {
	c := h.conn
	h.trustProxy(head) // so that the client's address is told
	c.ask(h.event(event.Connect, head), func(v event.Verdict) {
		if !v.Allow {
			c.refused(event.Connect, stream.Key{}, v)
			h.refuse(head, httpflv.Refusal{Status: http.StatusForbidden, Reason: v.Reason, Close: true})
			return
		}
		h.connected = true
		c.limit(v.Limits)
		h.expectHead()
		h.parse()
	})
}

// admitted is called with the verdict on a viewer.
func (h *httpConn) admitted(v event.Verdict) {
	c := h.conn
	switch {
	case v.Redirect != "":
		out, keep := h.responder().AppendRedirect(nil, h.request.head, v.Redirect, time.Now())
		h.answered(out, keep, "redirected")
	case !v.Allow:
		c.refused(event.Play, h.request.key, v)
		h.refuse(h.request.head, httpflv.Refusal{Status: http.StatusForbidden, Reason: v.Reason})
	default:
		c.admit(&h.request.key, v)
		h.find()
	}
}

// find serves the stream, or waits for its publisher.
func (h *httpConn) find() {
	if s := h.conn.engine.options.Streams.Lookup(h.request.key); s != nil {
		h.serve(s)
		return
	}
	h.wait()
}

// wait has the viewer wait for its publisher, if it may.
func (h *httpConn) wait() {
	c := h.conn
	wait := c.engine.Settings().Viewers.PlayWait
	if !h.request.live.Wait || wait <= 0 || c.engine.draining.Load() {
		h.notFound(0)
		return
	}
	if !c.wait(h.request.key, h) {
		h.notFound(wait)
		return
	}
	c.setDeadline(c.loop.now() + int64(wait))
}

func (h *httpConn) notFound(retry time.Duration) {
	reason := "no such stream: " + h.request.key.String()
	if retry > 0 {
		reason = "too many viewers wait for publishers (limits.waiting); no such stream yet: " + h.request.key.String()
	}
	h.refuse(h.request.head, httpflv.Refusal{Status: http.StatusNotFound, Reason: reason, RetryAfter: retry})
}

func (h *httpConn) refuse(head httpflv.Head, f httpflv.Refusal) {
	out, keep := h.responder().AppendRefusal(nil, head, f, time.Now())
	h.answered(out, keep, f.Reason)
}

// answered sends a whole answer; the connection goes on to another request if
// keep is set.
func (h *httpConn) answered(out []byte, keep bool, reason string) {
	h.request = nil
	h.conn.send(out)
	if !keep {
		h.conn.finish(causeServer, reason)
		return
	}
	h.expectNext()
}

// serve makes the connection a viewer of s.
func (h *httpConn) serve(s *stream.Stream) {
	c := h.conn
	c.setDeadline(0)
	if h.request.head.Method == http.MethodHead {
		c.send(h.responder().AppendLive(nil, h.request.head, time.Now()))
		c.finish(causeServer, "answered HEAD")
		return
	}
	switch {
	case h.request.live.WebSocket:
		c.out = h.responder().AppendUpgrade(c.out, h.request.live.WSKey)
		h.form, h.ws = formWS, newWSInput(c)
	case h.request.head.TakesChunks():
		c.out = h.responder().AppendLive(c.out, h.request.head, time.Now())
		h.form = formChunked
	default:
		c.out = h.responder().AppendLive(c.out, h.request.head, time.Now())
		h.form = formPlain
	}
	key := keyOf(h.request.live)
	key.kind = h.form
	v := c.loop.attach(c, s, key, h.request.live.Start == httpflv.StartLive, h)
	v.userAgent = clip(h.request.head.Get("User-Agent"))
	c.engine.viewerStarted(v)
	c.engine.tellViewer(v, h.request.head.RawQuery)
	h.request = nil
	if h.ws != nil && len(h.buf) > 0 {
		h.ws.data(h.buf)
	}
	h.buf = nil
}

// clip is a copy of the start of a long text: people read it in a log line.
func clip(s string) string { return strings.Clone(s[:min(len(s), maxUserAgent)]) }

// maxUserAgent is in bytes.
const maxUserAgent = 256

// greet appends the FLV file header.
func (h *httpConn) greet(dst []byte, audio, video bool) []byte {
	header := flv.AppendFileHeader(nil, audio, video)
	return appendFramed(dst, h.form, header)
}

// farewell appends the end of the body: the last chunk, or a close frame.
func (h *httpConn) farewell(dst []byte, reason string) []byte {
	switch h.form {
	case formChunked:
		return append(dst, httpflv.LastChunk...)
	case formWS:
		return h.ws.farewell(dst, reason)
	}
	return dst
}

func (h *httpConn) afterwards() bool { return true }

func (h *httpConn) timeout(int64) {
	c := h.conn
	switch {
	case h.parked != nil:
		h.waitedInVain()
	case c.finishing, h.leaving:
		c.kill(causeStalled, "peer did not read the answer")
	case c.unwait():
		h.notFound(0)
		if !c.finishing && !c.dead {
			h.parse()
		}
	case len(h.buf) == 0 && h.busy:
		const reason = "idle (limits.idle_timeout)"
		c.tell(slog.LevelDebug, "connection closed: idle", reason) // browsers leave many behind
		c.finish(causeTimeout, reason)
	default:
		const reason = "no complete request head in limits.request_header_timeout"
		c.tell(slog.LevelInfo, "connection closed: too slow", reason)
		c.because(causeTimeout, reason)
		h.refuse(httpflv.Head{}, httpflv.Refusal{Status: http.StatusRequestTimeout, Reason: reason, Close: true})
	}
}

func (h *httpConn) drain() {
	h.conn.finish(causeServer, shuttingDown)
}

func (h *httpConn) closed() { h.unpark() }

func (h *httpConn) describe(s *ClientStatus) {
	s.Protocol = "http"
	s.Role = RoleIdle
	if h.parked != nil {
		s.Role = RoleWaiting
	}
}

// reasonKey is the name of the reason in log lines.
const reasonKey = event.Reason

// keyOf is what a request asks for.
func keyOf(l httpflv.Live) groupKey {
	return groupKey{
		video: l.Video, audio: l.Audio, all: l.AllTracks,
		vtrack: uint16(l.VTrack + 1), atrack: uint16(l.ATrack + 1),
	}
}
