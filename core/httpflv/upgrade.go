package httpflv

import (
	"net/http"

	"github.com/millrace/millrace/core/ws"
)

// asksWebSocket reports whether the client wants a WebSocket. The key alone is
// enough: a reverse proxy that was not told to forward Upgrade leaves only
// that, and its user should read so instead of seeing a handshake fail on an
// endless 200.
func asksWebSocket(h Head) bool {
	return h.Method == http.MethodGet &&
		(h.HasToken("Upgrade", "websocket") || h.Get("Sec-WebSocket-Key") != "")
}

// wrongUpgrade says what is missing in a WebSocket handshake, RFC 6455
// section 4.2.1.
func wrongUpgrade(h Head) string {
	key, keys := h.fields.first("Sec-WebSocket-Key")
	switch {
	case h.Minor < 1:
		return "WebSocket needs HTTP/1.1"
	case !h.HasToken("Upgrade", "websocket"):
		return "no Upgrade: websocket in a WebSocket handshake (does a proxy drop it?)"
	case !h.HasToken("Connection", "upgrade"):
		return "no Connection: Upgrade in a WebSocket handshake (does a proxy drop it?)"
	case h.Joined("Sec-WebSocket-Version") != "13":
		return "Sec-WebSocket-Version is not 13"
	case keys != 1 || !ws.ValidKey(key):
		return "malformed Sec-WebSocket-Key"
	}
	return ""
}
