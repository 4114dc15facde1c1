package bench

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/ws"
)

// heard is what a parser made of its input, as text that can be compared.
type heard struct {
	log     strings.Builder
	playing bool
	reply   []byte
	err     error
}

func (h *heard) tag(t tag) { fmt.Fprintf(&h.log, "%v %d %x\n", t.kind, t.timestamp, t.data) }

func (h *heard) equal(o *heard) bool {
	return h.log.String() == o.log.String() && h.playing == o.playing && bytes.Equal(h.reply, o.reply) && errorText(h.err) == errorText(o.err)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// hear feeds b in pieces of n bytes.
func hear(f feed, b []byte, n int) *heard {
	h := &heard{}
	for piece := range slices.Chunk(b, n) {
		reply, err := f.take(piece, h.tag)
		h.reply = append(h.reply, reply...)
		if h.err = err; err != nil {
			break
		}
	}
	h.playing = f.playing()
	return h
}

// httpTarget is that of all cases; its WebSocket key is fixed.
var httpTarget = target{protocol: HTTPFLV, host: "h:1", name: "/live/x.flv", query: "?a=b"}

func wsFeedOf() feed {
	f := newWSFeed(httpTarget)
	f.key = "dGhlIHNhbXBsZSBub25jZQ=="
	return f
}

func httpFeedOf() feed { return newHTTPFeed(httpTarget) }

// feedCase is input of a feed, and what it is to make of it.
type feedCase struct {
	name    string
	feed    func() feed
	in      string
	tags    int
	playing bool
	reply   bool
	err     error // nil: none
}

func stream(tags ...tag) string {
	b := flv.AppendFileHeader(nil, true, true)
	for _, t := range tags {
		b = appendTag(b, t)
	}
	return string(b)
}

var (
	someTags = []tag{
		{media.Data, 0, []byte("meta")},
		{media.Video, 1, bytes.Repeat([]byte{0x17}, 300)},
		{media.Audio, 0x01020304, []byte{0xAF, 1, 2}},
		{media.Audio, 0xFFFFFFFF, nil},
	}
	whole = stream(someTags...)
)

const (
	okHead      = "HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\n\r\n"
	chunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	wsHead      = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)

// chunks cuts s into chunks of n bytes.
func chunks(s string, n int) string {
	var b strings.Builder
	for piece := range slices.Chunk([]byte(s), n) {
		fmt.Fprintf(&b, "%x;ext=1\r\n%s\r\n", len(piece), piece)
	}
	return b.String()
}

func wsFrame(op ws.Opcode, payload string) string {
	return string(append(ws.AppendHeader(nil, op, len(payload)), payload...))
}

func feedCases() []feedCase {
	half := len(whole) / 2
	return []feedCase{
		{"http", httpFeedOf, okHead + whole, 4, true, false, nil},
		{"http, a tag cut", httpFeedOf, okHead + whole[:len(whole)-1], 3, true, false, nil},
		{"http, no FLV", httpFeedOf, okHead + strings.Repeat("x", 20), 0, true, false, errFLV},
		{"http, wrong PreviousTagSize", httpFeedOf, okHead + whole[:len(whole)-1] + "x", 3, true, false, errFLV},
		{"http, 404", httpFeedOf, "HTTP/1.1 404 Not Found\r\n\r\n", 0, false, false, errRefused},
		{"http, no head", httpFeedOf, "HTTP/1.1 200 OK\r\n", 0, false, false, nil},
		{"http, endless head", httpFeedOf, "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxHead), 0, false, false, errHeadTooLarge},
		{"http, not HTTP", httpFeedOf, "SSH-2.0-x\r\n\r\n", 0, false, false, errAny},
		{"chunked", httpFeedOf, chunkedHead + chunks(whole, 7), 4, true, false, nil},
		{"chunked, one chunk", httpFeedOf, chunkedHead + chunks(whole, len(whole)), 4, true, false, nil},
		{"chunked, ended", httpFeedOf, chunkedHead + chunks(whole, 100) + "0\r\n\r\n", 4, true, false, errEnded},
		{"chunked, ended with trailer", httpFeedOf, chunkedHead + "0\r\nX: y\r\n\r\n", 0, true, false, errEnded},
		{"chunked, no size", httpFeedOf, chunkedHead + "\r\n", 0, true, false, errChunk},
		{"chunked, bad size", httpFeedOf, chunkedHead + "1z\r\n", 0, true, false, errChunk},
		{"chunked, huge size", httpFeedOf, chunkedHead + "FFFFFFFFFFFFFFFFF\r\n", 0, true, false, errChunk},
		{"chunked, no CR LF after data", httpFeedOf, chunkedHead + "1\r\nFLV", 0, true, false, errChunk},
		{"chunked, no LF after size", httpFeedOf, chunkedHead + "1\rF", 0, true, false, errChunk},
		{"ws", wsFeedOf, wsHead + wsFrame(ws.OpBinary, whole[:13]) + wsFrame(ws.OpBinary, whole[13:half]) + wsFrame(ws.OpBinary, whole[half:]), 4, true, false, nil},
		{"ws, fragments", wsFeedOf, wsHead + "\x02\x0d" + whole[:13] + wsFrame(ws.OpContinuation, whole[13:]), 4, true, false, nil},
		{"ws, long length", wsFeedOf, wsHead + "\x82\x7f" + string(binary.BigEndian.AppendUint64(nil, uint64(len(whole)))) + whole, 4, true, false, nil},
		{"ws, ping", wsFeedOf, wsHead + wsFrame(ws.OpBinary, whole[:20]) + wsFrame(ws.OpPing, "hi") + wsFrame(ws.OpBinary, whole[20:]), 4, true, true, nil},
		{"ws, empty frames", wsFeedOf, wsHead + wsFrame(ws.OpBinary, "") + wsFrame(ws.OpPing, "") + wsFrame(ws.OpBinary, whole), 4, true, true, nil},
		{"ws, close", wsFeedOf, wsHead + wsFrame(ws.OpClose, "\x03\xe8"), 0, true, false, errEnded},
		{"ws, masked", wsFeedOf, wsHead + "\x82\x81abcd\x00", 0, true, false, errFrame},
		{"ws, reserved bit", wsFeedOf, wsHead + "\xc2\x01a", 0, true, false, errFrame},
		{"ws, long ping", wsFeedOf, wsHead + wsFrame(ws.OpPing, strings.Repeat("x", 126)), 0, true, false, errFrame},
		{"ws, huge frame", wsFeedOf, wsHead + "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 0, true, false, errFrame},
		{"ws, wrong accept", wsFeedOf, strings.Replace(wsHead, "s3p", "xxx", 1), 0, false, false, errRefused},
		{"ws, 404", wsFeedOf, "HTTP/1.1 404 Not Found\r\n\r\n", 0, false, false, errRefused},
		{"rtmp, wrong version", func() feed { f := newRTMPFeed(target{app: "live", name: "x"}); f.open(); return f }, "\x09" + strings.Repeat("x", 3072), 0, false, false, errAny},
	}
}

// errAny stands for any error.
var errAny = errors.New("any")

func TestFeeds(t *testing.T) {
	t.Parallel()
	for _, c := range feedCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := hear(c.feed(), []byte(c.in), len(c.in))
			if n := strings.Count(got.log.String(), "\n"); n != c.tags || got.playing != c.playing || len(got.reply) > 0 != c.reply {
				t.Errorf("%d tags, playing %v, reply %x", n, got.playing, got.reply)
			}
			if c.tags == len(someTags) && got.log.String() != logOf(someTags) {
				t.Errorf("heard\n%s", got.log.String())
			}
			if !errors.Is(got.err, c.err) && (c.err != errAny || got.err == nil) {
				t.Errorf("error %v, want %v", got.err, c.err)
			}
			if byByte := hear(c.feed(), []byte(c.in), 1); !byByte.equal(got) {
				t.Errorf("byte by byte: %+v", byByte)
			}
		})
	}
}

func logOf(tags []tag) string {
	var h heard
	for _, t := range tags {
		h.tag(t)
	}
	return h.log.String()
}

// fuzzFeed holds a feed to itself, whatever the pieces that its input comes in.
func fuzzFeed(f *testing.F, newFeed func() feed) {
	for _, c := range feedCases() {
		if fmt.Sprintf("%T", c.feed()) == fmt.Sprintf("%T", newFeed()) {
			f.Add([]byte(c.in), uint8(0))
			f.Add([]byte(c.in), uint8(50))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		all := hear(newFeed(), b, max(len(b), 1))
		some := hear(newFeed(), b, int(n)+1)
		if !all.equal(some) {
			t.Errorf("whole: %+v\nin pieces: %+v", all, some)
		}
	})
}

func FuzzHTTPFeed(f *testing.F) { fuzzFeed(f, httpFeedOf) }

func FuzzWSFeed(f *testing.F) { fuzzFeed(f, wsFeedOf) }

func TestOpen(t *testing.T) {
	t.Parallel()
	for _, f := range []feed{httpFeedOf(), wsFeedOf()} {
		if got := string(f.open()); !strings.HasPrefix(got, "GET /live/x.flv?a=b HTTP/1.1\r\nHost: h:1\r\n") || !strings.HasSuffix(got, "\r\n\r\n") {
			t.Errorf("%q", got)
		}
	}
	if got := newFeed(target{protocol: RTMP, app: "live", name: "x"}).open(); len(got) != 1537 {
		t.Errorf("C0 and C1 of %d bytes", len(got))
	}
	if n, err := io.ReadFull(&noise{}, make([]byte, 100)); n != 100 || err != nil {
		t.Errorf("%d %v", n, err)
	}
}
