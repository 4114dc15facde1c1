package bench

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"

	"github.com/millrace/millrace/core/ws"
)

// wsFeed is a viewer of WebSocket-FLV.
type wsFeed struct {
	target  target
	key     string
	head    headReader
	started bool
	frames  wsReader
	flv     flvReader
}

func newWSFeed(t target) *wsFeed {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails
	return &wsFeed{target: t, key: base64.StdEncoding.EncodeToString(nonce[:])}
}

func (f *wsFeed) playing() bool { return f.started }

func (f *wsFeed) open() []byte {
	return []byte("GET " + f.target.name + f.target.query + " HTTP/1.1\r\nHost: " + f.target.host +
		"\r\nUser-Agent: millrace-bench\r\nConnection: Upgrade\r\nUpgrade: websocket" +
		"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + f.key + "\r\n\r\n")
}

func (f *wsFeed) take(b []byte, sink func(tag)) ([]byte, error) {
	if !f.started {
		head, rest, err := f.head.take(b)
		if head == nil || err != nil {
			return nil, err
		}
		if head.StatusCode != http.StatusSwitchingProtocols {
			return nil, refusal(head.Status)
		}
		if head.Header.Get("Sec-WebSocket-Accept") != ws.AcceptKey(f.key) {
			return nil, refusal("wrong Sec-WebSocket-Accept")
		}
		f.started, b = true, rest
	}
	return f.frames.take(b, func(b []byte) error { return f.flv.take(b, sink) })
}
