package chunk

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// wireCase is a piece of chunk stream: enc its bytes, dec the messages in it.
// If ours is set, the writer makes just these bytes of dec at that chunk size.
type wireCase struct {
	name string
	dec  []plain
	enc  string
	ours int
}

// plain is a Message with its payload as a string.
type plain struct {
	csid     uint32
	typ      uint8
	streamID uint32
	ts       uint32
	payload  string
}

// abc is a payload of n bytes, no two of which in a row are alike.
func abc(n int) string { return strings.Repeat("abcdefghijklmnopqrstuvwxyz", n/26+1)[:n] }

func b24(n uint32) string { return string([]byte{byte(n >> 16), byte(n >> 8), byte(n)}) }

func b32(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }

func le32(n uint32) string { return string(binary.LittleEndian.AppendUint32(nil, n)) }

// h0, h1 and h2 are headers on chunk stream 4.
func h0(ts, length uint32, typ uint8, streamID uint32) string {
	return "\x04" + b24(min(ts, extended)) + b24(length) + string([]byte{typ}) + le32(streamID) + ext(ts)
}

func h1(delta, length uint32, typ uint8) string {
	return "\x44" + b24(min(delta, extended)) + b24(length) + string([]byte{typ}) + ext(delta)
}

func h2(delta uint32) string { return "\x84" + b24(min(delta, extended)) + ext(delta) }

const h3 = "\xc4"

func ext(ts uint32) string {
	if ts < extended {
		return ""
	}
	return b32(ts)
}

// onTwo is a protocol control message of 4 bytes.
func onTwo(typ uint8, n uint32) string {
	return "\x02\x00\x00\x00\x00\x00\x04" + string([]byte{typ}) + le32(0) + b32(n)
}

const (
	late = 0x01020304
	wrap = 0xFFFFFFF0
)

var cases = []wireCase{
	{
		name: "type 0", enc: h0(1000, 3, 9, 1) + "abc",
		dec:  []plain{{4, 9, 1, 1000, "abc"}},
		ours: 128,
	},
	{
		name: "an empty message", enc: h0(0, 0, 8, 1) + h0(5, 1, 8, 1) + "x",
		dec:  []plain{{4, 8, 1, 0, ""}, {4, 8, 1, 5, "x"}},
		ours: 128,
	},
	{
		name: "type 1 keeps the stream id", enc: h0(1000, 3, 9, 1) + "abc" + h1(40, 2, 8) + "de",
		dec: []plain{{4, 9, 1, 1000, "abc"}, {4, 8, 1, 1040, "de"}},
	},
	{
		name: "type 2 keeps length and type", enc: h0(1000, 3, 9, 1) + "abc" + h2(40) + "def",
		dec: []plain{{4, 9, 1, 1000, "abc"}, {4, 9, 1, 1040, "def"}},
	},
	{
		name: "type 3 repeats the delta", enc: h0(1000, 3, 9, 1) + "abc" + h2(40) + "def" + h3 + "ghi" + h3 + "jkl",
		dec: []plain{{4, 9, 1, 1000, "abc"}, {4, 9, 1, 1040, "def"}, {4, 9, 1, 1080, "ghi"}, {4, 9, 1, 1120, "jkl"}},
	},
	{
		name: "type 3 after type 0 takes its timestamp for the delta", enc: h0(23, 3, 8, 1) + "abc" + h3 + "def" + h3 + "ghi",
		dec: []plain{{4, 8, 1, 23, "abc"}, {4, 8, 1, 46, "def"}, {4, 8, 1, 69, "ghi"}},
	},
	{
		name: "librtmp starts with type 1", enc: h1(40, 3, 8) + "abc",
		dec: []plain{{4, 8, 0, 40, "abc"}},
	},
	{
		name: "two chunks", enc: h0(1000, 200, 9, 1) + abc(200)[:128] + h3 + abc(200)[128:],
		dec:  []plain{{4, 9, 1, 1000, abc(200)}},
		ours: 128,
	},
	{
		name: "a message of just one chunk", enc: h0(1000, 128, 9, 1) + abc(128) + h2(40) + abc(128),
		dec: []plain{{4, 9, 1, 1000, abc(128)}, {4, 9, 1, 1040, abc(128)}},
	},
	{
		name: "type 3 in a message is no new message", enc: h0(1000, 300, 9, 1) + abc(128) + h3 + abc(128) + h3 + abc(44) +
			h2(40) + abc(128) + h3 + abc(128) + h3 + abc(44) + h3 + abc(128) + h3 + abc(128) + h3 + abc(44),
		dec: []plain{
			{4, 9, 1, 1000, abc(128) + abc(128) + abc(44)},
			{4, 9, 1, 1040, abc(128) + abc(128) + abc(44)},
			{4, 9, 1, 1080, abc(128) + abc(128) + abc(44)},
		},
	},
	{
		name: "two streams in turns", enc: h0(1000, 130, 9, 1) + abc(128) + "\x05" + b24(7) + b24(2) + "\x08" + le32(1) + "hi" + h3 + "yz",
		dec: []plain{{5, 8, 1, 7, "hi"}, {4, 9, 1, 1000, abc(128) + "yz"}},
	},
	{
		name: "chunk stream 64", enc: "\x00\x00" + b24(1) + b24(1) + "\x08" + le32(1) + "x",
		dec:  []plain{{64, 8, 1, 1, "x"}},
		ours: 128,
	},
	{
		name: "chunk stream 319", enc: "\x00\xff" + b24(1) + b24(129) + "\x08" + le32(1) + abc(128) + "\xc0\xffx",
		dec:  []plain{{319, 8, 1, 1, abc(128) + "x"}},
		ours: 128,
	},
	{
		name: "chunk stream 320", enc: "\x01\x00\x01" + b24(1) + b24(1) + "\x08" + le32(1) + "x",
		dec:  []plain{{320, 8, 1, 1, "x"}},
		ours: 128,
	},
	{
		name: "chunk stream 65599", enc: "\x01\xff\xff" + b24(1) + b24(129) + "\x08" + le32(1) + abc(128) + "\xc1\xff\xffx",
		dec:  []plain{{65599, 8, 1, 1, abc(128) + "x"}},
		ours: 128,
	},
	{
		name: "chunk stream 100 in three bytes", enc: "\x01\x24\x00" + b24(1) + b24(1) + "\x08" + le32(1) + "x",
		dec: []plain{{100, 8, 1, 1, "x"}},
	},
	{
		name: "the last timestamp of 24 bits", enc: h0(0xFFFFFE, 1, 8, 1) + "x" + h2(1) + "y" + h2(1) + "z",
		dec: []plain{{4, 8, 1, 0xFFFFFE, "x"}, {4, 8, 1, 0xFFFFFF, "y"}, {4, 8, 1, 0x1000000, "z"}},
	},
	{
		name: "extended timestamp of 0xFFFFFF", enc: h0(0xFFFFFF, 1, 8, 1) + "x",
		dec:  []plain{{4, 8, 1, 0xFFFFFF, "x"}},
		ours: 128,
	},
	{
		name: "small extended timestamp", enc: "\x04\xff\xff\xff" + b24(1) + "\x08" + le32(1) + b32(7) + "x",
		dec: []plain{{4, 8, 1, 7, "x"}},
	},
	{
		name: "extended timestamp in every chunk", enc: h0(late, 300, 9, 1) + abc(128) + h3 + b32(late) + abc(128) + h3 + b32(late) + abc(44),
		dec:  []plain{{4, 9, 1, late, abc(128) + abc(128) + abc(44)}},
		ours: 128,
	},
	{
		name: "extended timestamp in the first chunk only", enc: h0(late, 300, 9, 1) + abc(128) + h3 + abc(128) + h3 + abc(44),
		dec: []plain{{4, 9, 1, late, abc(128) + abc(128) + abc(44)}},
	},
	{
		name: "left out, and less than four bytes follow", enc: h0(late, 130, 9, 1) + abc(128) + h3 + "yz",
		dec: []plain{{4, 9, 1, late, abc(128) + "yz"}},
	},
	{
		name: "left out, and the payload starts like it", enc: h0(late, 256, 9, 1) + abc(128) + h3 + "\x01\x02\x03" + abc(125),
		dec: []plain{{4, 9, 1, late, abc(128) + "\x01\x02\x03" + abc(125)}},
	},
	{
		name: "left out, and the payload's end is like its start", enc: h0(late, 130, 9, 1) + abc(128) + h3 + "\x01\x02" + h2(40) + abc(128) + h3 + "yz",
		dec: []plain{{4, 9, 1, late, abc(128) + "\x01\x02"}, {4, 9, 1, late + 40, abc(128) + "yz"}},
	},
	{
		name: "repeated, and less than four bytes follow", enc: h0(late, 129, 9, 1) + abc(128) + h3 + b32(late) + "z" + h2(40) + abc(128) + h3 + "z",
		dec: []plain{{4, 9, 1, late, abc(128) + "z"}, {4, 9, 1, late + 40, abc(128) + "z"}},
	},
	{
		name: "extended delta, repeated", enc: h0(5, 130, 9, 1) + abc(128) + h3 + "yz" + h1(late, 130, 9) + abc(128) + h3 + b32(late) + "yz",
		dec: []plain{{4, 9, 1, 5, abc(128) + "yz"}, {4, 9, 1, late + 5, abc(128) + "yz"}},
	},
	{
		name: "back in time, as librtmp writes it", enc: h0(1000, 1, 9, 1) + "x" + h1(0xFFFFFFF6, 1, 9) + "y",
		dec: []plain{{4, 9, 1, 1000, "x"}, {4, 9, 1, 990, "y"}},
	},
	{
		name: "type 3 after an extended type 0 is at the same time", enc: h0(late, 1, 8, 1) + "x" + h3 + "y" + h3 + b32(late) + "z",
		dec: []plain{{4, 8, 1, late, "x"}, {4, 8, 1, late, "y"}, {4, 8, 1, late, "z"}},
	},
	{
		name: "timestamp that wraps", enc: h0(wrap, 1, 8, 1) + "x" + h2(0x20) + "y" + h3 + "z",
		dec: []plain{{4, 8, 1, wrap, "x"}, {4, 8, 1, 0x10, "y"}, {4, 8, 1, 0x30, "z"}},
	},
	{
		name: "chunk size 1", enc: onTwo(1, 1) + h0(9, 3, 8, 1) + "a" + h3 + "b" + h3 + "c",
		dec: []plain{{2, 1, 0, 0, b32(1)}, {4, 8, 1, 9, "abc"}},
	},
	{
		name: "largest chunk size", enc: onTwo(1, 0xFFFFFF) + h0(9, 70000, 9, 1) + abc(70000),
		dec: []plain{{2, 1, 0, 0, b32(0xFFFFFF)}, {4, 9, 1, 9, abc(70000)}},
	},
	{
		name: "chunk size within a message", enc: h0(9, 200, 9, 1) + abc(128) + onTwo(1, 64) + h3 + abc(64) + h3 + abc(8),
		dec: []plain{{2, 1, 0, 0, b32(64)}, {4, 9, 1, 9, abc(128) + abc(64) + abc(8)}},
	},
	{
		name: "abort", enc: h0(9, 200, 9, 1) + abc(128) + onTwo(2, 4) + h2(40) + abc(128) + h3 + abc(72),
		dec: []plain{{2, 2, 0, 0, b32(4)}, {4, 9, 1, 49, abc(128) + abc(72)}},
	},
	{
		name: "abort of nothing", enc: onTwo(2, 4) + onTwo(2, 2) + h0(9, 1, 9, 1) + "x",
		dec: []plain{{2, 2, 0, 0, b32(4)}, {2, 2, 0, 0, b32(2)}, {4, 9, 1, 9, "x"}},
	},
	{
		name: "goes on with types 0, 1 and 2", enc: h0(9, 500, 9, 1) + abc(128) + h0(9, 500, 9, 1) + abc(128) + h1(0, 500, 9) + abc(128) + h2(0) + abc(116),
		dec: []plain{{4, 9, 1, 9, abc(128) + abc(128) + abc(128) + abc(116)}},
	},
	{
		name: "another message cuts one off", enc: h0(9, 200, 9, 1) + abc(128) + h0(50, 1, 8, 1) + "x" + h1(1, 2, 9) + "yz",
		dec: []plain{{4, 8, 1, 50, "x"}, {4, 9, 1, 51, "yz"}},
	},
	{
		name: "a message of many rooms", enc: onTwo(1, 65536) + h0(9, 300000, 9, 1) + abc(65536) + h3 + abc(65536) + h3 + abc(65536) + h3 + abc(65536) + h3 + abc(300000-4*65536),
		dec: []plain{{2, 1, 0, 0, b32(65536)}, {4, 9, 1, 9, strings.Repeat(abc(65536), 4) + abc(300000-4*65536)}},
	},
}

// badCase is a piece of chunk stream that a Reader refuses, within small
// limits.
type badCase struct {
	name string
	enc  string
	want string
}

var smallLimits = Limits{CommandSize: 300, MediaSize: 200000, PartialBytes: 300000, ChunkStreams: 4}

var badCases = []badCase{
	{"type 2 first", h2(1), "read chunk header at byte 4: first chunk of a chunk stream has no message length: chunk stream 4, type 2"},
	{"type 3 first", h3, "read chunk header at byte 1: first chunk of a chunk stream has no message length: chunk stream 4, type 3"},
	{"chunk size 0", onTwo(1, 0), "set chunk size at byte 16: chunk size is out of range: 0"},
	{"chunk size with the top bit", onTwo(1, 0x80000080), "set chunk size at byte 16: chunk size is out of range: 2147483776"},
	{"short chunk size", h0(0, 3, 1, 0) + "abc", "set chunk size at byte 15: decode set chunk size: message is cut short"},
	{"short abort", h0(0, 3, 2, 0) + "abc", "abort message at byte 15: decode abort: message is cut short"},
	{"long command", h0(0, 301, 20, 0), "read chunk at byte 12: 301 is more than limits.command_size (300)"},
	{"long data", h0(0, 301, 18, 0), "read chunk at byte 12: 301 is more than limits.command_size (300)"},
	{"long video", h0(0, 200001, 9, 1), "read chunk at byte 12: 200001 is more than limits.media_size (200000)"},
	{"long audio", h0(0, 200001, 8, 1), "read chunk at byte 12: 200001 is more than limits.media_size (200000)"},
	{"long aggregate", h0(0, 200001, 22, 1), "read chunk at byte 12: 200001 is more than limits.media_size (200000)"},
	{
		"many chunk streams",
		strings.Repeat("\x04"+h0(0, 0, 8, 1)[1:], 9) + "\x05" + h0(0, 0, 8, 1)[1:] + "\x06" + h0(0, 0, 8, 1)[1:] + "\x07" + h0(0, 0, 8, 1)[1:] + "\x08" + h0(0, 0, 8, 1)[1:],
		"read chunk at byte 156: 5 is more than limits.chunk_streams (4)",
	},
	{
		"much in progress",
		onTwo(1, 150000) + h0(0, 200000, 9, 1) + abc(150000) + "\x05" + h0(0, 200000, 9, 1)[1:] + abc(150000),
		"read chunk at byte 150040: 400000 is more than limits.partial_bytes (300000)",
	},
}

func inChunks(ms []plain, size int) string {
	var b []byte
	for _, m := range ms {
		b = AppendMessage(b, m.csid, m.typ, m.streamID, m.ts, []byte(m.payload), size)
	}
	return string(bytes.Clone(b))
}
