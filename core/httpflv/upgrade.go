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

// wrongUpgrade answers a WebSocket handshake that lacks something (RFC 6455
// section 4.2.1): 426 where another upgrade would do, 400 for a bad key.
func wrongUpgrade(h Head) *Refusal {
	if reason := wrongVersion(h); reason != "" {
		return &Refusal{Status: http.StatusUpgradeRequired, Reason: reason}
	}
	if key, keys := h.fields.first("Sec-WebSocket-Key"); keys != 1 || !ws.ValidKey(key) {
		return badRequest("malformed Sec-WebSocket-Key")
	}
	return nil
}

func wrongVersion(h Head) string {
	switch {
	case h.Minor < 1:
		return "WebSocket needs HTTP/1.1"
	case !h.HasToken("Upgrade", "websocket"):
		return "no Upgrade: websocket in a WebSocket handshake (does a proxy drop it?)"
	case !h.HasToken("Connection", "upgrade"):
		return "no Connection: Upgrade in a WebSocket handshake (does a proxy drop it?)"
	case h.Joined("Sec-WebSocket-Version") != "13":
		return "Sec-WebSocket-Version is not 13"
	}
	return ""
}
