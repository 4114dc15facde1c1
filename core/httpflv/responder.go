package httpflv

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/core/ws"
)

// liveMethods are the methods that a live URL answers to.
const liveMethods = "GET, HEAD, OPTIONS"

// Responder makes the heads of answers. It is a value without state, safe for
// concurrent use. Its methods append to dst; at is the time for the Date field
// ("An origin server with a clock MUST generate a Date", RFC 9110 section
// 6.6.1), left out when zero. h is the request's head; a zero Head stands for
// one that could not be parsed.
type Responder struct {
	Server string // the Server field, none when empty
	CORS   CORS
}

// AppendLive appends the 200 of a live FLV stream. The body of a GET comes in
// chunks if h.TakesChunks, otherwise as it is up to the end of the connection.
// A HEAD has no body, and the connection ends after it.
func (r Responder) AppendLive(dst []byte, h Head, at time.Time) []byte {
	dst = r.begin(dst, h, http.StatusOK, at)
	dst = appendField(dst, "Content-Type", "video/x-flv")
	dst = appendField(dst, "Cache-Control", "no-cache, no-store")
	// nginx as a reverse proxy collects an answer in buffers; this field turns
	// that off for this answer, and nobody else reads it.
	dst = appendField(dst, "X-Accel-Buffering", "no")
	if h.TakesChunks() {
		dst = appendField(dst, "Transfer-Encoding", "chunked")
	}
	return end(dst, h, h.TakesChunks() && h.KeepAlive)
}

// TakesChunks reports whether the body of the answer to h is chunked.
func (h Head) TakesChunks() bool { return h.Minor == 1 && h.Method == http.MethodGet }

// AppendPreflight appends the 204 that answers an OPTIONS, a CORS preflight or
// not. keepAlive says that the connection goes on to another request.
func (r Responder) AppendPreflight(dst []byte, h Head, at time.Time) (out []byte, keepAlive bool) {
	dst = r.begin(dst, h, http.StatusNoContent, at)
	dst = appendField(dst, "Allow", liveMethods)
	dst = r.CORS.appendPreflight(dst, h)
	keepAlive = h.KeepAlive && !h.HasBody()
	return end(dst, h, keepAlive), keepAlive
}

// AppendUpgrade appends the 101 of a WebSocket handshake (RFC 6455 section
// 4.2.2); key is Live.WSKey. No extension and no subprotocol is agreed on.
func (r Responder) AppendUpgrade(dst []byte, key string) []byte {
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\n"...)
	dst = r.appendServer(dst)
	dst = appendField(dst, "Upgrade", "websocket")
	dst = appendField(dst, "Connection", "Upgrade")
	dst = appendField(dst, "Sec-WebSocket-Accept", ws.AcceptKey(key))
	return append(dst, "\r\n"...)
}

// AppendRefusal appends the whole answer that f describes. keepAlive says that
// the connection goes on to another request; if not, it must be closed.
func (r Responder) AppendRefusal(dst []byte, h Head, f Refusal, at time.Time) (out []byte, keepAlive bool) {
	body := f.Reason + "\n"
	dst = r.begin(dst, h, f.Status, at)
	dst = appendField(dst, "Content-Type", "text/plain; charset=utf-8")
	dst = appendField(dst, "X-Content-Type-Options", "nosniff")
	dst = appendField(dst, "Cache-Control", "no-store")
	dst = appendField(dst, "Content-Length", strconv.Itoa(len(body)))
	if f.RetryAfter > 0 {
		seconds := (f.RetryAfter + time.Second - 1) / time.Second
		dst = appendField(dst, "Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	if f.Status == http.StatusUpgradeRequired {
		// RFC 9110 section 15.5.22: "The server MUST send an Upgrade header
		// field"; RFC 6455 section 4.4 wants the version that we speak.
		dst = appendField(dst, "Upgrade", "websocket")
		dst = appendField(dst, "Connection", "Upgrade")
		dst = appendField(dst, "Sec-WebSocket-Version", "13")
	}
	keepAlive = h.KeepAlive && !h.HasBody() && !f.Close
	dst = end(dst, h, keepAlive)
	if h.Method != http.MethodHead {
		dst = append(dst, body...)
	}
	return dst, keepAlive
}

// AppendRedirect appends a 302 to location, in which bytes that no URL holds
// are percent-encoded. keepAlive says that the connection goes on to another
// request; if not, it must be closed.
func (r Responder) AppendRedirect(dst []byte, h Head, location string, at time.Time) (out []byte, keepAlive bool) {
	dst = r.begin(dst, h, http.StatusFound, at)
	dst = appendField(dst, "Location", escapeLocation(location))
	dst = appendField(dst, "Cache-Control", "no-store")
	dst = appendField(dst, "Content-Length", "0")
	keepAlive = h.KeepAlive && !h.HasBody()
	return end(dst, h, keepAlive), keepAlive
}

// begin appends the status line and what all answers have in common. An
// HTTP/1.0 client is answered in its version, as net/http does.
func (r Responder) begin(dst []byte, h Head, status int, at time.Time) []byte {
	version := "HTTP/1.1 "
	if h.Method != "" && h.Minor == 0 {
		version = "HTTP/1.0 "
	}
	dst = strconv.AppendInt(append(dst, version...), int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, http.StatusText(status)...)
	dst = append(dst, "\r\n"...)
	dst = r.appendServer(dst)
	if !at.IsZero() {
		dst = append(dst, "Date: "...)
		dst = at.UTC().AppendFormat(dst, http.TimeFormat)
		dst = append(dst, "\r\n"...)
	}
	return r.CORS.appendTo(dst, h)
}

func (r Responder) appendServer(dst []byte) []byte {
	if r.Server == "" {
		return dst
	}
	return appendField(dst, "Server", r.Server)
}

// end appends what is to say about the connection, and the empty line.
func end(dst []byte, h Head, keepAlive bool) []byte {
	switch {
	case !keepAlive:
		dst = appendField(dst, "Connection", "close")
	case h.Minor == 0:
		dst = appendField(dst, "Connection", "keep-alive")
	}
	return append(dst, "\r\n"...)
}

func appendField(dst []byte, name, value string) []byte {
	dst = append(append(dst, name...), ": "...)
	return append(append(dst, value...), "\r\n"...)
}

// escapeLocation keeps a URL from a hook or a configuration from ending its
// field line.
func escapeLocation(s string) string {
	const upperHex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7F || strings.IndexByte(`"<>\^{|}`+"`", c) >= 0 {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
