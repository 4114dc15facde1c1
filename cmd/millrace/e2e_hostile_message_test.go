package main_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// messageAttacks misuse chunks and messages.
var messageAttacks = []attack{
	{"chunk size 1", func(t *testing.T, srv *server) { oddChunkSize(t, srv, "one", 1) }},
	{"chunk size 0xFFFFFF", func(t *testing.T, srv *server) { oddChunkSize(t, srv, "most", 0xFFFFFF) }},
	{"chunk size 0x7FFFFFFF", func(t *testing.T, srv *server) { oddChunkSize(t, srv, "huge", 0x7FFFFFFF) }},
	{"65,000 chunk streams", allChunkStreams},
	{"lying lengths", lyingLengths},
	{"aggregates", aggregateBombs},
	{"absent acknowledgements", noAcknowledgements},
}

// oddChunkSize publishes a large frame with a chunk size at the border of what
// may be said; it arrives.
func oddChunkSize(t *testing.T, srv *server, name string, size int) {
	p := srv.publish(t, "live/"+name)
	noError(t, p.chunkSize(size))
	var frames []tag
	for _, g := range firstSeconds(sourceTags(t, "small"), 1) {
		if g.kind == videoTag {
			frames = append(frames, g)
		}
	}
	big := tag{kind: videoTag, ts: 1000, body: append([]byte{0x17, 1, 0, 0, 0}, bytes.Repeat([]byte{7}, 400_000)...)}
	for _, g := range append(frames, big) {
		noError(t, p.put(g))
	}
	v := srv.watch(t, "http-flv", "live/"+name, nil)
	if got := nextThat(t, v, "the large frame", func(g tag) bool { return g.isVideo() && len(g.body) > 100_000 }); !bytes.Equal(got.body, big.body) {
		t.Error("the large frame arrives changed")
	}
	p.Close()
	v.Close()
	srv.waitGone(t, "live/"+name)
}

// allChunkStreams begins a message on every chunk stream that there is.
func allChunkStreams(t *testing.T, srv *server) {
	data := startedMessages(65_000)
	c, err := dialRTMP(srv.rtmp[0], nil)
	noError(t, err)
	defer c.Close()
	_, _ = c.Write(data)
	waitClosed(t, c)
	srv.waitReason(t, "limits.chunk_streams")
}

// startedMessages are the first chunks of messages of 64 KiB, each on a chunk
// stream of its own.
func startedMessages(n int) []byte {
	var b []byte
	payload := bytes.Repeat([]byte{1}, 128)
	for id := range n {
		b = append(b, 1, byte(id), byte(id>>8), 0, 0, 0, 1, 0, 0, videoTag, 1, 0, 0, 0)
		b = append(b, payload...)
	}
	return b
}

// TestManyChunkStreams allows all chunk streams: the partial messages have
// their bound, by what they hold, and go with the connection.
func TestManyChunkStreams(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"limits.chunk_streams": "65598", "limits.partial_bytes": `"16MiB"`})
	s := &site{server: srv, crowd: &crowd{}}
	s.cost(t)
	s.calm = s.cost(t)
	data := startedMessages(65_000)
	for range 10 {
		c, err := dialRTMP(srv.rtmp[0], nil)
		noError(t, err)
		_, _ = c.Write(data)
		waitClosed(t, c)
		c.Close()
	}
	srv.waitReason(t, "limits.partial_bytes")
	s.check(t)
}

// lyingLengths declares 16 MiB on many connections and trickles a little of it.
func lyingLengths(t *testing.T, srv *server) {
	before := srv.resident(t)
	var all []*publisher
	for i := range 100 {
		p := srv.publish(t, "live/lie"+string(rune('A'+i/10))+string(rune('a'+i%10)))
		sendAll(t, p, "\x06\x00\x00\x00\xFF\xFF\xFF\x09\x01\x00\x00\x00"+strings.Repeat("x", 4096))
		all = append(all, p)
	}
	peak := 0
	eventually(t, "all are dropped", func() bool {
		left := 0
		peak = max(peak, srv.resident(t))
		for _, p := range all {
			_, _ = io.WriteString(p, "\xC6"+strings.Repeat("x", 4096))
			if !p.isGone() {
				left++
			}
		}
		time.Sleep(100 * time.Millisecond) // the trickle
		return left == 0
	})
	if grown := peak - before; grown > 64<<20 && !raceEnabled {
		t.Errorf("resident memory grew by %d KiB", grown>>10)
	} else {
		t.Logf("resident memory grew by %d KiB", grown>>10)
	}
	c, err := dialRTMP(srv.rtmp[0], nil)
	noError(t, err)
	defer c.Close()
	sendAll(t, c, "\x03\x00\x00\x00\xFF\xFF\xFF\x14\x00\x00\x00\x00")
	waitClosed(t, c)
	srv.waitReason(t, "limits.command_size")
}

// aggregate is message type 22.
const aggregate = 22

// aggregateBombs sends aggregates that hold themselves, nothing, or far too
// much.
func aggregateBombs(t *testing.T, srv *server) {
	part := func(kind byte, body string) string {
		n := len(body)
		return string([]byte{kind, byte(n >> 16), byte(n >> 8), byte(n), 0, 0, 0, 0, 0, 0, 0}) + body +
			string(binary.BigEndian.AppendUint32(nil, uint32(n+11)))
	}
	nested := ""
	for range 1000 {
		nested = part(aggregate, nested)
	}
	g := together(t)
	defer g.wait()
	for name, body := range map[string]string{
		"nested": nested, "lying": "\x09\xFF\xFF\xFF\x00\x00\x00\x00\x00\x00\x00x", "empty": "",
		"zero-size": strings.Repeat(part(videoTag, ""), 1_000_000),
		"tiny":      strings.Repeat(part(audioTag, "\xAF\x01"), 900_000),
		"unknown":   strings.Repeat(part(99, ""), 100_000),
		"commands":  strings.Repeat(part(command, string(amfEncode("connect", 1.0))), 10_000),
		"sizes":     strings.Repeat(part(setChunkSize, "\x00\x00\x00\x00"), 1000),
	} {
		g.run(name, func(t *testing.T) {
			p := srv.publish(t, "live/"+name)
			noError(t, p.chunkSize(0xFFFFFF))
			_ = p.send(6, message{kind: aggregate, stream: p.stream, body: []byte(body)})
			_ = p.ping(1)
			select {
			case <-p.gone:
			case <-time.After(time.Second): // it may stay
			}
			p.Close()
			srv.waitGone(t, "live/"+name)
		})
	}
}

// noAcknowledgements plays without a word, and publishes with the smallest
// window without reading what it asked for.
func noAcknowledgements(t *testing.T, srv *server) {
	v := srv.watch(t, "rtmp", "live/x", nil).(*rtmpViewer)
	p, err := openRTMP(srv.rtmp[0], "live", smallReader)
	noError(t, err)
	defer p.Close()
	noError(t, p.sendControl(windowAck, 1))
	_, err = p.publishOn("noacks")
	noError(t, err)
	_ = p.SetWriteDeadline(time.Now().Add(2 * time.Second))
	frame := p.out.append(nil, 6, message{kind: videoTag, stream: p.stream, body: bytes.Repeat([]byte{0x27, 1, 0, 0, 0}, 100)})
	for sent := 0; sent < 8<<20; sent += len(frame) {
		if _, err := p.Write(frame); err != nil {
			t.Logf("not taken after %d bytes: %v", sent, err)
			break
		}
	}
	reset(p)
	v.acked = 1 << 60 // no acknowledgement is ever due
	checkOrder(t, readFrames(t, v, 75))
	v.Close()
	srv.waitGone(t, "live/noacks")
}

func smallReader(conn net.Conn) io.Reader { return conn }
