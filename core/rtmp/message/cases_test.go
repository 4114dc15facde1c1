package message

import (
	"strings"

	"github.com/millrace/millrace/core/amf"
)

// wireCase is one message: dec its typed form, enc its payload. If dec is
// written in another form than enc, canon is that form.
type wireCase struct {
	name  string
	typ   uint8
	dec   Body
	enc   string
	canon string
}

func obj(props ...amf.Property) *amf.Object { return &amf.Object{Props: props} }

const (
	one  = "\x00\x3f\xf0\x00\x00\x00\x00\x00\x00"
	zero = "\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	null = "\x05"
)

var cases = []wireCase{
	{name: "set chunk size", typ: 1, dec: SetChunkSize{4096}, enc: "\x00\x00\x10\x00"},
	{name: "set chunk size and more", typ: 1, dec: SetChunkSize{4096}, enc: "\x00\x00\x10\x00!", canon: "\x00\x00\x10\x00"},
	{name: "abort", typ: 2, dec: Abort{6}, enc: "\x00\x00\x00\x06"},
	{name: "acknowledgement", typ: 3, dec: Acknowledgement{0xFFFFFFFE}, enc: "\xff\xff\xff\xfe"},
	{name: "stream begin", typ: 4, dec: UserControl{Event: StreamBegin, Value: 1}, enc: "\x00\x00\x00\x00\x00\x01"},
	{name: "stream eof", typ: 4, dec: UserControl{Event: StreamEOF, Value: 1}, enc: "\x00\x01\x00\x00\x00\x01"},
	{name: "stream dry", typ: 4, dec: UserControl{Event: StreamDry, Value: 1}, enc: "\x00\x02\x00\x00\x00\x01"},
	{name: "set buffer length", typ: 4, dec: UserControl{Event: SetBufferLength, Value: 1, BufferLength: 36000000}, enc: "\x00\x03\x00\x00\x00\x01\x02\x25\x51\x00"},
	{name: "stream is recorded", typ: 4, dec: UserControl{Event: StreamIsRecorded, Value: 1}, enc: "\x00\x04\x00\x00\x00\x01"},
	{name: "ping request", typ: 4, dec: UserControl{Event: PingRequest, Value: 0x01020304}, enc: "\x00\x06\x01\x02\x03\x04"},
	{name: "ping response", typ: 4, dec: UserControl{Event: PingResponse, Value: 0x01020304}, enc: "\x00\x07\x01\x02\x03\x04"},
	{name: "unknown event", typ: 4, dec: UserControl{Event: 31, Value: 1}, enc: "\x00\x1f\x00\x00\x00\x01"},
	{name: "window acknowledgement size", typ: 5, dec: WindowAckSize{2500000}, enc: "\x00\x26\x25\xa0"},
	{name: "set peer bandwidth", typ: 6, dec: SetPeerBandwidth{2500000, LimitDynamic}, enc: "\x00\x26\x25\xa0\x02"},
	{
		name: "connect", typ: 20,
		dec: Command{Name: "connect", ID: 1, Object: obj(amf.Property{Name: "app", Value: "live"})},
		enc: "\x02\x00\x07connect" + one + "\x03\x00\x03app\x02\x00\x04live\x00\x00\x09",
	},
	{
		name: "publish", typ: 20,
		dec: Command{Name: "publish", Object: amf.Null{}, Args: []any{"s?token=a%20b", "live"}},
		enc: "\x02\x00\x07publish" + zero + null + "\x02\x00\x0ds?token=a%20b\x02\x00\x04live",
	},
	{
		name: "in AMF3", typ: 17,
		dec: Command{Name: "play", ID: 1, Object: amf.Null{}, Args: []any{"s"}, AMF3: true},
		enc: "\x00\x02\x00\x04play" + one + null + "\x02\x00\x01s",
	},
	{
		name: "in AMF3 with a switch", typ: 17,
		dec:   Command{Name: "play", ID: 1, Object: amf.Null{}, Args: []any{"s"}, AMF3: true},
		enc:   "\x00\x02\x00\x04play" + one + null + "\x11\x06\x03s",
		canon: "\x00\x02\x00\x04play" + one + null + "\x02\x00\x01s",
	},
	{
		name: "in AMF3 without the first byte", typ: 17,
		dec:   Command{Name: "play", ID: 1, Object: amf.Null{}, Args: []any{"s"}, AMF3: true},
		enc:   "\x02\x00\x04play" + one + null + "\x02\x00\x01s",
		canon: "\x00\x02\x00\x04play" + one + null + "\x02\x00\x01s",
	},
	{
		name: "name only", typ: 20,
		dec: Command{Name: "close"}, enc: "\x02\x00\x05close",
		canon: "\x02\x00\x05close" + zero + null,
	},
	{
		name: "name and id", typ: 20,
		dec: Command{Name: "close", ID: 1}, enc: "\x02\x00\x05close" + one,
		canon: "\x02\x00\x05close" + one + null,
	},
	{
		name: "rubbish behind", typ: 20,
		dec:   Command{Name: "play", ID: 1, Object: amf.Null{}, Args: []any{"s"}},
		enc:   "\x02\x00\x04play" + one + null + "\x02\x00\x01s\x7f",
		canon: "\x02\x00\x04play" + one + null + "\x02\x00\x01s",
	},
}

type badCase struct {
	name string
	typ  uint8
	enc  string
	want error // nil: any
}

var badCases = []badCase{
	{"short set chunk size", 1, "abc", ErrShort},
	{"short abort", 2, "abc", ErrShort},
	{"short acknowledgement", 3, "abc", ErrShort},
	{"short user control", 4, "\x00\x06abc", ErrShort},
	{"short set buffer length", 4, "\x00\x03\x00\x00\x00\x01abc", ErrShort},
	{"short window acknowledgement size", 5, "", ErrShort},
	{"short set peer bandwidth", 6, "abcd", ErrShort},
	{"no command", 20, "", nil},
	{"no command in AMF3", 17, "\x00", nil},
	{"nothing in AMF3", 17, "", nil},
	{"number for a name", 20, one + one + null, nil},
	{"half a command object", 20, "\x02\x00\x07connect" + one + "\x03\x00\x03app\x02\x00\x04li", amf.ErrShort},
	{"deep argument", 20, "\x02\x00\x04play" + one + null + strings.Repeat("\x0a\x00\x00\x00\x01", 40) + null, amf.ErrDepth},
	{"huge argument", 20, "\x02\x00\x04play" + one + null + "\x0a\xff\xff\xff\xff", amf.ErrValues},
}

// dataCase is a data message as a publisher sends it, and as viewers get it.
type dataCase struct {
	name string
	typ  uint8
	in   string
	out  string
}

const metaArray = "\x02\x00\x0aonMetaData\x08\x00\x00\x00\x01\x00\x05width" + one + "\x00\x00\x09"

var dataCases = []dataCase{
	{"metadata", 18, metaArray, metaArray},
	{"set data frame", 18, "\x02\x00\x0d@setDataFrame" + metaArray, metaArray},
	{"object", 18, "\x02\x00\x0aonMetaData\x03\x00\x05width" + one + "\x00\x00\x09", metaArray},
	{"set data frame, object", 18, "\x02\x00\x0d@setDataFrame\x02\x00\x0aonMetaData\x03\x00\x05width" + one + "\x00\x00\x09", metaArray},
	{"other data", 18, "\x02\x00\x0aonTextData\x03\x00\x01x" + one + "\x00\x00\x09", "\x02\x00\x0aonTextData\x03\x00\x01x" + one + "\x00\x00\x09"},
	{"name only", 18, "\x02\x00\x0aonMetaData", "\x02\x00\x0aonMetaData"},
	{"AMF3", 15, "\x00\x02\x00\x0d@setDataFrame\x02\x00\x0aonMetaData\x11\x09\x01\x0bwidth\x04\x01\x01", metaArray},
	{"AMF3, object", 15, "\x00\x02\x00\x0aonMetaData\x11\x0a\x0b\x01\x0bwidth\x04\x01\x01", metaArray},
	{"AMF3 that is AMF0", 15, "\x00" + metaArray, metaArray},
	{"AMF3 without the first byte", 15, metaArray, metaArray},
}

var badDataCases = []badCase{
	{"nothing", 18, "", amf.ErrShort},
	{"nothing in AMF3", 15, "\x00", ErrShort},
	{"no name", 18, one, nil},
	{"no name in AMF3", 15, "\x00" + one, nil},
	{"data frame without name", 18, "\x02\x00\x0d@setDataFrame", amf.ErrShort},
	{"data frame without name in AMF3", 15, "\x00\x02\x00\x0d@setDataFrame", ErrShort},
	{"half an object", 18, "\x02\x00\x0aonMetaData\x03\x00\x05wid", amf.ErrShort},
	{"clear data frame", 18, "\x02\x00\x0f@clearDataFrame\x02\x00\x0aonMetaData", ErrClear},
	{"clear data frame in AMF3", 15, "\x00\x02\x00\x0f@clearDataFrame\x02\x00\x0aonMetaData", ErrClear},
	{"rubbish in AMF3", 15, "\x00\x02\x00\x0aonMetaData\x11\x7f", nil},
}

// partsCase is an aggregate at timestamp 1000.
type partsCase struct {
	name string
	enc  string
	dec  []Part
	err  error
	ours bool // AppendPart writes it so from raw
	raw  []Part
}

var partsCases = []partsCase{
	{name: "nothing"},
	{
		name: "timestamps move with the first", ours: true,
		enc: "\x08\x00\x00\x02\x00\x00\x05\x00\x00\x00\x00hi\x00\x00\x00\x0d" +
			"\x09\x00\x00\x01\x00\x00\x0f\x00\x00\x00\x00!\x00\x00\x00\x0c" +
			"\x12\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x0b",
		raw: []Part{{8, 5, []byte("hi")}, {9, 15, []byte("!")}, {18, 4, []byte{}}},
		dec: []Part{{8, 1000, []byte("hi")}, {9, 1010, []byte("!")}, {18, 999, []byte{}}},
	},
	{
		name: "timestamps of 32 bits", ours: true,
		enc: "\x08\x00\x00\x01\xff\xff\xff\xff\x00\x00\x00a\x00\x00\x00\x0c\x08\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00b\x00\x00\x00\x0c",
		raw: []Part{{8, 0xFFFFFFFF, []byte("a")}, {8, 1, []byte("b")}},
		dec: []Part{{8, 1000, []byte("a")}, {8, 1002, []byte("b")}},
	},
	{
		name: "last back pointer missing",
		enc:  "\x08\x00\x00\x02\x00\x00\x05\x00\x00\x00\x00hi",
		dec:  []Part{{8, 1000, []byte("hi")}},
	},
	{
		name: "cut short in a header",
		enc:  "\x08\x00\x00\x02\x00\x00\x05\x00\x00\x00\x00hi\x00\x00\x00\x0d\x08\x00",
		dec:  []Part{{8, 1000, []byte("hi")}},
		err:  ErrShort,
	},
	{
		name: "cut short in a payload",
		enc:  "\x08\xff\xff\xff\x00\x00\x05\x00\x00\x00\x00hi\x00\x00\x00\x0d",
		err:  ErrShort,
	},
	{
		name: "nested",
		enc:  "\x16\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x0b",
		err:  ErrNested,
	},
}
