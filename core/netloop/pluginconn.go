package netloop

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace/core/httpflv"
	"github.com/millrace/millrace/core/stream"
)

// pluginConn reads requests on the plugins' socket. Streams are served by the
// loop; any other request goes to net/http with the connection.
type pluginConn struct {
	conn      *conn
	buf       []byte // an incomplete head
	discarded int    // bytes that came behind the request for a stream
	idle      bool   // it does not count in the loop's load
}

func (h *pluginConn) open() {
	h.setIdle(true)
	h.expectHead()
}

// setIdle has the connection count as load of the loop while it takes a stream
// only: Drain waits for the end of nothing else of plugins.
func (h *pluginConn) setIdle(idle bool) {
	switch {
	case idle && !h.idle:
		h.conn.loop.load.Add(-1)
	case !idle && h.idle:
		h.conn.loop.load.Add(1)
	}
	h.idle = idle
}

func (h *pluginConn) expectHead() {
	limit := h.conn.engine.Settings().Limits.RequestHeaderTimeout
	h.conn.setDeadline(h.conn.loop.now() + int64(limit))
}

func (h *pluginConn) data(b []byte) {
	c, limit := h.conn, h.conn.engine.Settings().Limits.ConnectionBuffer
	if c.tap != nil {
		if h.discarded += len(b); h.discarded > limit {
			c.kill(causeLimit, "plugin sent more than limits.connection_buffer behind its request")
		}
		return
	}
	if h.buf = append(h.buf, b...); len(h.buf) > limit {
		c.kill(causeLimit, "more input than limits.connection_buffer while a request waits")
		return
	}
	h.parse()
}

func (h *pluginConn) parse() {
	c := h.conn
	for len(h.buf) > 0 && c.tap == nil && !c.dead && !c.finishing {
		head, n, err := httpflv.ParseHead(h.buf, maxHead)
		if errors.Is(err, httpflv.ErrShort) {
			return
		}
		if err != nil {
			h.refuse(httpflv.Head{}, httpflv.RefusalOf(err))
			return
		}
		live, ok := httpflv.ParseLive(head, c.engine.reserved)
		if !ok {
			h.handOff()
			return
		}
		h.buf = h.buf[n:]
		if refusal := h.serve(head, live); refusal != nil {
			h.refuse(head, *refusal)
		}
	}
}

// serve answers a request for a stream. It returns a refusal if the plugin
// cannot have it.
func (h *pluginConn) serve(head httpflv.Head, live httpflv.Live) *httpflv.Refusal {
	grant, refusal := h.authorize(head)
	switch {
	case refusal != nil:
		return refusal
	case live.Refusal != nil:
		return live.Refusal
	case head.Method != http.MethodGet || live.WebSocket:
		return &httpflv.Refusal{Status: http.StatusMethodNotAllowed, Reason: "a plugin takes a stream by GET"}
	}
	feed, refusal := httpflv.ParseFeed(live.Query)
	if refusal != nil {
		return refusal
	}
	s, refusal := h.find(live, feed)
	if refusal != nil {
		return refusal
	}
	h.tap(head, live, feed, grant, s)
	return nil
}

// authorize wants the token of a plugin that may have media.
func (h *pluginConn) authorize(head httpflv.Head) (Grant, *httpflv.Refusal) {
	scheme, token, _ := strings.Cut(head.Get("Authorization"), " ")
	var grant Grant
	ok := strings.EqualFold(scheme, "Bearer") && h.conn.engine.options.Grant != nil
	if ok {
		grant, ok = h.conn.engine.options.Grant(strings.TrimSpace(token))
	}
	switch {
	case !ok:
		return Grant{}, &httpflv.Refusal{Status: http.StatusUnauthorized, Reason: "no valid token: Authorization: Bearer TOKEN"}
	case !grant.Media:
		return Grant{}, &httpflv.Refusal{Status: http.StatusForbidden, Reason: "this token is not for media"}
	}
	return grant, nil
}

// find is the stream that is asked for: of the session named, or the live one.
func (h *pluginConn) find(live httpflv.Live, feed httpflv.Feed) (*stream.Stream, *httpflv.Refusal) {
	key, streams := stream.Key{App: live.App, Name: live.Name}, h.conn.engine.options.Streams
	if feed.Session == "" {
		if s := streams.Lookup(key); s != nil {
			return s, nil
		}
		return nil, &httpflv.Refusal{Status: http.StatusNotFound, Reason: "no such stream: " + key.String()}
	}
	if s := streams.Session(feed.Session); s != nil && s.Key == key {
		return s, nil
	}
	return nil, &httpflv.Refusal{Status: http.StatusConflict, Reason: "no such session of " + key.String() + " any more"}
}

// tap begins the answer.
func (h *pluginConn) tap(head httpflv.Head, live httpflv.Live, feed httpflv.Feed, grant Grant, s *stream.Stream) {
	c := h.conn
	c.setDeadline(0)
	key := keyOf(live)
	if key.kind = formPlain; head.TakesChunks() {
		key.kind = formChunked
	}
	budget := c.engine.options.Streams.Budget(grant.Plugin)
	if grant.Buffer > 0 {
		feed.Lag = min(feed.Lag, grant.Buffer)
	}
	if feed.Lag > 0 { // a reader that does not say is no reason to take the others'
		budget.Allow(stream.Limits{Bytes: feed.Lag, Age: feed.LagTime})
	}
	h.buf = nil
	h.setIdle(false)
	c.out = httpflv.Responder{Server: serverName}.AppendLive(c.out, head, time.Now())
	c.loop.tapInto(c, s, tapOptions{
		plugin: grant.Plugin, from: feed.From, budget: budget, window: feed.Merge, key: key,
	})
}

func (h *pluginConn) refuse(head httpflv.Head, f httpflv.Refusal) {
	c := h.conn
	out, keep := httpflv.Responder{Server: serverName}.AppendRefusal(nil, head, f, time.Now())
	c.send(out)
	if !keep {
		c.finish(causeServer, f.Reason)
		return
	}
	c.setDeadline(c.loop.now() + int64(c.engine.Settings().Limits.IdleTimeout))
}

// handOff gives the connection to net/http, with what was read of it.
func (h *pluginConn) handOff() {
	c := h.conn
	if c.engine.options.PluginHTTP == nil || len(c.out) > 0 {
		c.kill(causeServer, "no HTTP server takes the plugin's request")
		return
	}
	fd, err := c.gc.Dup()
	if err != nil {
		c.kill(causeServer, "hand plugin over to net/http: "+err.Error())
		return
	}
	e, prefix := c.engine, h.buf
	h.buf, c.lent = nil, true
	c.kill(causeServer, "went on to net/http")
	go e.lendPlugin(fd, prefix)
}

func (h *pluginConn) timeout(int64) {
	if h.conn.finishing {
		h.conn.kill(causeStalled, "plugin did not read the answer")
		return
	}
	h.conn.finish(causeTimeout, "no request (limits.request_header_timeout, limits.idle_timeout)")
}

// drain lets a plugin go on: it has the rest of its stream to read, which has
// ended by now, and its objects to store. Close ends what is left.
func (h *pluginConn) drain() {}

// kick ends the connection without a clean end: the plugin may come back.
func (h *pluginConn) kick(reason string) { h.conn.kill(causeKicked, reason) }

func (h *pluginConn) closed() {
	if t := h.conn.tap; t != nil {
		h.conn.loop.untap(t, h.conn.reason)
	}
	h.setIdle(false)
}

func (h *pluginConn) describe(s *ClientStatus) {
	s.Role = RoleIdle
	if t := h.conn.tap; t != nil {
		t.describe(s, h.conn.loop.now())
	}
}
