package main_test

import (
	"bytes"
	"strings"
	"testing"
)

// amfAttacks nest values without end.
var amfAttacks = []attack{
	{"AMF nested in connect", nestedConnect},
	{"AMF nested in metadata", nestedMetadata},
}

// nested are AMF values that begin deeper and deeper, 100,000 times.
var nested = map[string][]byte{
	"strict arrays": bytes.Repeat([]byte("\x0A\x00\x00\x00\x01"), 100_000),
	"wide arrays":   bytes.Repeat([]byte("\x0A\xFF\xFF\xFF\xFF"), 100_000),
	"objects":       bytes.Repeat([]byte("\x03\x00\x01a"), 100_000),
	"ECMA arrays":   bytes.Repeat([]byte("\x08\xFF\xFF\xFF\xFF\x00\x01a"), 100_000),
	"typed objects": bytes.Repeat([]byte("\x10\x00\x01T\x00\x01a"), 100_000),
	"AMF3 arrays":   append([]byte{0x11}, bytes.Repeat([]byte("\x09\x03\x01"), 100_000)...),
	"AMF3 objects":  append([]byte{0x11}, bytes.Repeat([]byte("\x0A\x0B\x01\x03a"), 100_000)...),
	"AMF3 vectors":  append([]byte{0x11}, bytes.Repeat([]byte("\x10\x03\x00\x01"), 100_000)...),
}

// Types of messages with AMF3 (section 7.1).
const (
	commandAMF3 = 17
	dataAMF3    = 15
)

// nestedConnect sends connect with each; the server closes and says why.
func nestedConnect(t *testing.T, srv *server) {
	for name, value := range nested {
		for _, kind := range []byte{command, commandAMF3} {
			c, err := dialRTMP(srv.rtmp[0], nil)
			noError(t, err)
			body := append(amfEncode("connect", 1.0), value...)
			if kind == commandAMF3 {
				body = append([]byte{0}, body...)
			}
			_ = c.chunkSize(1 << 20)
			_ = c.send(3, message{kind: kind, body: body})
			waitClosed(t, c)
			remote := c.LocalAddr().String()
			c.Close()
			line := srv.waitLog(t, map[string]string{"level": "WARN", "remote_addr": remote})
			if !strings.Contains(line["reason"], "too deep") && !strings.Contains(line["reason"], "too many values") {
				t.Errorf("%s in message type %d: %q", name, kind, line["reason"])
			}
		}
	}
}

// nestedMetadata sends each as metadata; the publisher may stay.
func nestedMetadata(t *testing.T, srv *server) {
	p := srv.publish(t, "live/nested")
	noError(t, p.chunkSize(1<<20))
	for _, value := range nested {
		body := append(amfEncode("onMetaData"), value...)
		_ = p.put(tag{kind: scriptTag, body: body})
		_ = p.send(5, message{kind: scriptTag, stream: p.stream, body: body})
		_ = p.send(5, message{kind: dataAMF3, stream: p.stream, body: append([]byte{0}, body...)})
	}
	for _, g := range firstSeconds(sourceTags(t, "small"), 1) {
		_ = p.put(g)
	}
	if p.isGone() {
		t.Log("the publisher was closed")
	} else {
		v := srv.watch(t, "http-flv", "live/nested", nil)
		nextThat(t, v, "a keyframe", tag.isKeyframe)
		v.Close()
	}
	p.Close()
	srv.waitGone(t, "live/nested")
}
