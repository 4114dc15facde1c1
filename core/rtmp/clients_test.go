package rtmp

import (
	"strings"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/rtmp/message"
)

// conversation is what a client does, turn by turn.
type conversation struct {
	name  string
	turns []turn
	end   State
}

const (
	meta     = "\x02\x00\x0aonMetaData\x08\x00\x00\x00\x00\x00\x00\x09"
	setFrame = "\x02\x00\x0d@setDataFrame"
)

var flashPlayer = object("app", "live", "flashVer", "LNX 9,0,124,2", "tcUrl", "rtmp://127.0.0.1:1935/live",
	"fpad", false, "capabilities", 15, "audioCodecs", 4071, "videoCodecs", 252, "videoFunction", 1)

// realClients are the sequences of clients as seen on the wire.
var realClients = []conversation{
	{
		name: "ffmpeg publishes",
		turns: []turn{
			{
				send: greeting + cmdObject(3, 0, "connect", 1, object("app", "live", "type", "nonprivate",
					"flashVer", "FMLE/3.0 (compatible; Lavf59.27.100)", "tcUrl", "rtmp://127.0.0.1:1935/live")),
				events: []string{"connect live? on 127.0.0.1 by FMLE/3.0 (compatible; Lavf59.27.100)"},
				out:    accepted,
			},
			{
				send: msg(2, 0, message.SetChunkSize{Size: 4096}) + cmd(3, 0, "releaseStream", 2, "stream?token=a%20b") +
					cmd(3, 0, "FCPublish", 3, "stream?token=a%20b") + cmd(3, 0, "createStream", 4),
				out: []string{"_result 2", "_result 3", "_result 4 1"},
			},
			{
				send:   cmd(8, 1, "publish", 5, "stream?token=a%20b", "live"),
				events: []string{"Publish{StreamID:1 App:live Name:stream Query:token=a%20b PublishType:live}"},
				out: []string{
					"user control 0 1", "1: onStatus 0 (status NetStream.Publish.Start)",
					"onFCPublish 0 (status NetStream.Publish.Start)",
				},
			},
			{
				// It sends our chunk size back.
				send: msg(2, 0, message.SetChunkSize{Size: 65536}) + av(4, 18, 1, 0, setFrame+meta) +
					av(6, 9, 1, 0, "\x17\x00") + "\x46\x00\x00\x28\x00\x00\x03\x09\x27\x01a" + "\x86\x00\x00\x29\x27\x01b" + "\xc6\x27\x01c",
				events: []string{
					`data at 0: "\x02\x00\nonMetaData\b\x00\x00\x00\x00\x00\x00\t"`, `video at 0: "\x17\x00"`,
					`video at 40: "'\x01a"`, `video at 81: "'\x01b"`, `video at 122: "'\x01c"`,
				},
			},
			{
				send:   cmd(3, 0, "FCUnpublish", 6, "stream?token=a%20b") + cmd(3, 0, "deleteStream", 7, 1),
				events: []string{"Unpublish{StreamID:1 Command:FCUnpublish}"},
				out: []string{
					"onFCUnpublish 0 (status NetStream.Unpublish.Success)", "_result 6",
					"1: onStatus 0 (status NetStream.Unpublish.Success)",
				},
			},
		},
		end: Idle,
	},
	{
		name: "ffmpeg, VLC and mpv play",
		turns: []turn{
			{
				send:   greeting + cmdObject(3, 0, "connect", 1, flashPlayer),
				events: []string{"connect live? on 127.0.0.1 by LNX 9,0,124,2"},
				out:    accepted,
			},
			{
				send: msg(2, 0, message.WindowAckSize{Size: 2500000}) + cmd(3, 0, "createStream", 2),
				out:  []string{"_result 2 1"},
			},
			{
				send: cmd(8, 0, "getStreamLength", 3, "stream") + cmd(8, 1, "play", 4, "stream", -2000) +
					msg(2, 0, message.UserControl{Event: message.SetBufferLength, Value: 1, BufferLength: 3000}),
				events: []string{"Play{StreamID:1 App:live Name:stream Query: Start:-2000 Duration:-1 Reset:true}"},
				out:    append([]string{"_result 3 0"}, played.out...),
			},
			{
				send:   cmd(3, 0, "deleteStream", 5, 1),
				events: []string{"Stop{StreamID:1 Command:deleteStream}"},
			},
		},
		end: Idle,
	},
	{
		name: "rtmpdump",
		turns: []turn{
			{
				send: greeting + cmdObject(3, 0, "connect", 1, object("app", "live", "flashVer", "LNX 10,0,32,18",
					"tcUrl", "rtmp://127.0.0.1:1935/live", "fpad", false, "capabilities", 15, "audioCodecs", 4071,
					"videoCodecs", 252, "videoFunction", 1)),
				events: []string{"connect live? on 127.0.0.1 by LNX 10,0,32,18"},
				out:    accepted,
			},
			{
				send: msg(2, 0, message.WindowAckSize{Size: 2500000}) +
					msg(2, 0, message.UserControl{Event: message.SetBufferLength, Value: 0, BufferLength: 300}) +
					cmd(3, 0, "createStream", 2) + cmd(3, 0, "FCSubscribe", 3, "stream"),
				out: []string{"_result 2 1", "_result 3", "onFCSubscribe 0 (status NetStream.Play.Start)"},
			},
			{
				send: cmd(8, 1, "play", 4, "stream", -1000) +
					msg(2, 0, message.UserControl{Event: message.SetBufferLength, Value: 1, BufferLength: 36000000}),
				events: []string{"Play{StreamID:1 App:live Name:stream Query: Start:-1000 Duration:-1 Reset:true}"},
				out:    played.out,
			},
			{send: msg(2, 0, message.Acknowledgement{Sequence: 251000})},
		},
		end: Playing,
	},
	{
		name: "GStreamer rtmp2src",
		turns: []turn{
			{
				send:   greeting + cmdObject(3, 0, "connect", 1, flashPlayer),
				events: []string{"connect live? on 127.0.0.1 by LNX 9,0,124,2"},
				out:    accepted,
			},
			{
				send: msg(2, 0, message.WindowAckSize{Size: 2500000}) + msg(2, 0, message.WindowAckSize{Size: 2500000}) +
					msg(2, 0, message.UserControl{Event: message.SetBufferLength, Value: 0, BufferLength: 300}) +
					cmd(3, 0, "createStream", 2),
				out: []string{"_result 2 1"},
			},
			{
				send: cmd(3, 1, "play", 0, "stream", -2) +
					msg(2, 0, message.UserControl{Event: message.SetBufferLength, Value: 1, BufferLength: 30000}),
				events: []string{"Play{StreamID:1 App:live Name:stream Query: Start:-2 Duration:-1 Reset:true}"},
				out:    played.out,
			},
		},
		end: Playing,
	},
	{
		name: "GStreamer rtmp2sink",
		turns: []turn{
			{
				send: greeting + cmdObject(3, 0, "connect", 1, object("app", "live/eu", "type", "nonprivate",
					"flashVer", "LNX 10,0,32,18", "tcUrl", "rtmp://[::1]:1935/live/eu")),
				events: []string{"connect live/eu? on ::1 by LNX 10,0,32,18"},
				out:    accepted,
			},
			{
				send: cmd(3, 0, "releaseStream", 0, "gst") + cmd(3, 0, "FCPublish", 0, "gst") + cmd(3, 0, "createStream", 2),
				out:  []string{"_result 2 1"},
			},
			{
				send:   cmd(3, 1, "publish", 0, "gst", "live"),
				events: []string{"Publish{StreamID:1 App:live/eu Name:gst Query: PublishType:live}"},
				out: []string{
					"user control 0 1", "1: onStatus 0 (status NetStream.Publish.Start)",
					"onFCPublish 0 (status NetStream.Publish.Start)",
				},
			},
			{
				// Chunks of 128 bytes, type 2 headers, metadata again and again.
				send: av(5, 18, 1, 0, setFrame+meta) + av(4, 9, 1, 7, strings.Repeat("x", 500)) +
					"\x84\x00\x00\x28" + strings.Repeat(strings.Repeat("y", 128)+"\xc4", 3) + strings.Repeat("y", 116) +
					"\x85\x00\x00\x28" + setFrame + meta,
				events: []string{
					`data at 0: "\x02\x00\nonMetaData\b\x00\x00\x00\x00\x00\x00\t"`,
					`video at 7: "` + strings.Repeat("x", 40) + `"`, `video at 47: "` + strings.Repeat("y", 40) + `"`,
					`data at 40: "\x02\x00\nonMetaData\b\x00\x00\x00\x00\x00\x00\t"`,
				},
			},
			{
				send:   cmd(3, 0, "deleteStream", 0, "gst"),
				events: []string{"Unpublish{StreamID:1 Command:deleteStream}"},
				out:    []string{"1: onStatus 0 (status NetStream.Unpublish.Success)"},
			},
		},
		end: Idle,
	},
	{
		name: "GStreamer rtmpsrc plays again",
		turns: []turn{
			hello, created, played,
			{
				send:   cmd(3, 0, "deleteStream", 5, 1) + cmd(3, 0, "createStream", 6),
				events: []string{"Stop{StreamID:1 Command:deleteStream}"},
				out:    []string{"_result 6 1"},
			},
			{
				send:   cmd(8, 1, "play", 7, "s", 0),
				events: []string{"Play{StreamID:1 App:live Name:s Query: Start:0 Duration:-1 Reset:true}"},
				out:    played.out,
			},
		},
		end: Playing,
	},
	{
		name: "OBS",
		turns: []turn{
			{
				send: greeting + msg(2, 0, message.SetChunkSize{Size: 4096}) +
					string(av4096(3, 0, message.Command{Name: "connect", ID: 1, Object: object("app", "live?vhost=a.example",
						"type", "nonprivate", "flashVer", "FMLE/3.0 (compatible; FMSc/1.0)",
						"swfUrl", "rtmp://h/live?vhost=a.example", "tcUrl", "rtmp://h/live?vhost=a.example")})),
				events: []string{"connect live?vhost=a.example on a.example by FMLE/3.0 (compatible; FMSc/1.0)"},
				out:    accepted,
			},
			{
				send: cmd(3, 0, "releaseStream", 2, "key") + cmd(3, 0, "FCPublish", 3, "key") + cmd(3, 0, "createStream", 4),
				out:  []string{"_result 2", "_result 3", "_result 4 1"},
			},
			{
				send:   cmd(4, 1, "publish", 5, "key", "live"),
				events: []string{"Publish{StreamID:1 App:live Name:key Query:vhost=a.example PublishType:live}"},
				out: []string{
					"user control 0 1", "1: onStatus 0 (status NetStream.Publish.Start)",
					"onFCPublish 0 (status NetStream.Publish.Start)",
				},
			},
			{
				// Audio and video share chunk stream 4; Enhanced RTMP was not announced.
				send: av(4, 18, 1, 0, setFrame+meta) + av(4, 9, 1, 0, "\x90hvc1") + av(4, 8, 1, 0, "\xaf\x00") + "\x44\x00\x00\x15\x00\x00\x03\x08\xaf\x01a",
				events: []string{
					`data at 0: "\x02\x00\nonMetaData\b\x00\x00\x00\x00\x00\x00\t"`, `video at 0: "\x90hvc1"`,
					`audio at 0: "\xaf\x00"`, `audio at 21: "\xaf\x01a"`,
				},
			},
			{
				send:   cmd(3, 0, "FCUnpublish", 6, "key") + cmd(3, 0, "deleteStream", 7, 1),
				events: []string{"Unpublish{StreamID:1 Command:FCUnpublish}"},
				out: []string{
					"onFCUnpublish 0 (status NetStream.Unpublish.Success)", "_result 6",
					"1: onStatus 0 (status NetStream.Unpublish.Success)",
				},
			},
		},
		end: Idle,
	},
}

// curiosities are what no client at hand does, but some client may.
var curiosities = []conversation{
	{
		name: "calls that are refused or ignored",
		turns: []turn{
			hello, created,
			{send: cmd(3, 0, "connect", 9), out: []string{"_error 9 (error NetConnection.Connect.Rejected)"}},
			{send: cmd(3, 0, "conjure", 9), out: []string{"_error 9 (error NetConnection.Call.Failed)"}},
			{send: cmd(3, 0, "conjure", 0)},
			{send: cmd(3, 0, "_result", 9) + cmd(3, 0, "_error", 9) + cmd(3, 0, "onStatus", 9)},
			{send: cmd(3, 0, "_checkbw", 9), out: []string{"_result 9"}},
			{send: cmd(3, 0, "checkBandwidth", 0)},
			{send: cmd(3, 0, "FCUnpublish", 0, "s"), out: []string{"onFCUnpublish 0 (status NetStream.Unpublish.Success)"}},
			{send: cmd(3, 1, "play2", 9, object("streamName", "s")), out: []string{
				"1: _error 9 (error NetStream.Play.Failed)", "1: onStatus 0 (error NetStream.Play.Failed)",
			}},
			{send: cmd(3, 1, "publish", 9), out: []string{"1: onStatus 0 (error NetStream.Publish.BadName)"}},
			{send: cmd(3, 1, "publish", 9, 7.0), out: []string{"1: onStatus 0 (error NetStream.Publish.BadName)"}},
			{send: cmd(3, 1, "play", 9, "?x"), out: []string{"1: onStatus 0 (error NetStream.Play.StreamNotFound)"}},
			{send: cmd(3, 1, "pause", 0, true, 1000) + cmd(3, 1, "seek", 0, 1000)},
			{send: cmd(3, 1, "closeStream", 0) + cmd(3, 0, "deleteStream", 0, -1) + cmd(3, 0, "deleteStream", 0)},
			{send: av(9, 16, 0, 0, "shared object") + av(2, 6, 0, 0, "\x00\x00\x10\x00\x02") + av(2, 4, 0, 0, "x") + av(2, 5, 0, 0, "x")},
		},
		end: Idle,
	},
	{
		name: "as many streams as there may be",
		turns: []turn{
			hello,
			{
				send: strings.Repeat(cmd(3, 0, "createStream", 2), 9),
				out: []string{
					"_result 2 1", "_result 2 2", "_result 2 3", "_result 2 4", "_result 2 5", "_result 2 6", "_result 2 7", "_result 2 8",
					"_error 2 (error NetConnection.Call.Failed)",
				},
			},
			{send: cmd(3, 0, "deleteStream", 0, 3) + cmd(3, 0, "createStream", 0) + cmd(3, 0, "createStream", 2), out: []string{"_result 2 3"}},
		},
		end: Idle,
	},
	{
		name: "a second stream beside a publisher",
		turns: []turn{
			hello, created, published,
			{send: cmd(3, 0, "createStream", 4), out: []string{"_result 4 2"}},
			{send: cmd(3, 2, "publish", 5, "t"), out: []string{"2: onStatus 0 (error NetStream.Publish.BadName)"}},
			{send: cmd(3, 2, "play", 5, "t"), out: []string{"2: onStatus 0 (error NetStream.Play.Failed)"}},
			{send: av(4, 9, 2, 0, "lost") + av(4, 9, 1, 0, "kept"), events: []string{`video at 0: "kept"`}},
			{send: cmd(3, 0, "deleteStream", 0, 2) + cmd(3, 2, "closeStream", 0) + cmd(3, 1, "receiveAudio", 0, false)},
			{
				send: cmd(3, 1, "closeStream", 0), events: []string{"Unpublish{StreamID:1 Command:closeStream}"},
				out: []string{"1: onStatus 0 (status NetStream.Unpublish.Success)"},
			},
			{send: av(4, 9, 1, 0, "lost")},
			{
				send: cmd(3, 1, "publish", 5, "t?x=y", "append"), events: []string{"Publish{StreamID:1 App:live Name:t Query:x=y PublishType:append}"},
				out: published.out,
			},
		},
		end: Publishing,
	},
	{
		name: "what a player may ask for",
		turns: []turn{
			hello, created,
			{send: cmd(3, 1, "receiveVideo", 0, false), events: []string{"Receive{StreamID:1 Kind:video On:false}"}},
			played,
			{send: cmd(3, 1, "pause", 0, true, 1000), events: []string{"Pause{StreamID:1 Paused:true Time:1000}"}, out: []string{"1: onStatus 0 (status NetStream.Pause.Notify)"}},
			{send: cmd(3, 1, "pause", 0, false, 1000), events: []string{"Pause{StreamID:1 Paused:false Time:1000}"}, out: []string{"1: onStatus 0 (status NetStream.Unpause.Notify)"}},
			{send: cmd(3, 1, "seek", 0, 2000), events: []string{"Seek{StreamID:1 Time:2000}"}, out: []string{"1: onStatus 0 (status NetStream.Seek.Notify)"}},
			{send: cmd(3, 1, "receiveAudio", 0, false), events: []string{"Receive{StreamID:1 Kind:audio On:false}"}},
			{send: cmd(3, 1, "receiveVideo", 0, true), events: []string{"Receive{StreamID:1 Kind:video On:true}"}},
			{send: av(4, 9, 1, 0, "a player's video"), events: nil},
			{send: cmd(3, 0, "closeStream", 0, "s"), events: []string{"Stop{StreamID:1 Command:closeStream}"}},
			{
				send: cmd(3, 1, "play", 4, "mp4:s", 5, 10, false), events: []string{"Play{StreamID:1 App:live Name:s Query: Start:5 Duration:10 Reset:false}"},
				out: []string{"user control 0 1", "1: onStatus 0 (status NetStream.Play.Start)"},
			},
		},
		end: Playing,
	},
	{
		name: "pings and acknowledgements",
		turns: []turn{
			hello,
			{send: msg(2, 0, message.UserControl{Event: message.PingRequest, Value: 77}), out: []string{"user control 7 77"}},
			{send: msg(2, 0, message.WindowAckSize{Size: 0}) + strings.Repeat(av(9, 16, 0, 0, strings.Repeat("x", 100)), 100)},
		},
		end: Idle,
	},
	{
		name: "AMF3",
		turns: []turn{
			hello, created,
			{
				send: msg(3, 1, message.Command{Name: "publish", ID: 3, Args: []any{"s"}, AMF3: true}), events: published.events,
				out: published.out,
			},
			{
				send:   av(5, 15, 1, 9, "\x00\x02\x00\x0aonMetaData\x11\x0a\x0b\x01\x01"),
				events: []string{`data at 9: "\x02\x00\nonMetaData\b\x00\x00\x00\x00\x00\x00\t"`},
			},
			{send: av(5, 15, 1, 9, "\x00\x7f") + av(5, 18, 1, 9, "\x02\x00\x0f@clearDataFrame") + av(5, 18, 1, 9, "")},
		},
		end: Publishing,
	},
	{
		name: "aggregates",
		turns: []turn{
			hello, created, published,
			{
				send: av(5, 22, 1, 1000, parts(message.Part{Type: 9, Timestamp: 5, Payload: []byte("v")},
					message.Part{Type: 8, Timestamp: 7, Payload: []byte("a")}, message.Part{Type: 20, Timestamp: 8},
					message.Part{Type: 18, Timestamp: 8, Payload: []byte(setFrame + meta)})+"\x16"),
				events: []string{
					`video at 1000: "v"`, `audio at 1002: "a"`,
					`data at 1003: "\x02\x00\nonMetaData\b\x00\x00\x00\x00\x00\x00\t"`,
				},
			},
			{send: av(5, 22, 2, 1000, parts(message.Part{Type: 9, Payload: []byte("v")}))},
		},
		end: Publishing,
	},
	{
		name: "close",
		turns: []turn{
			hello, created, published,
			{send: cmd(3, 0, "close", 0) + cmd(3, 0, "createStream", 9), events: []string{"Close{}"}},
			{send: "whatever"},
		},
		end: Ended,
	},
	{
		name: "everything at once",
		turns: []turn{
			{
				send:   hello.send + created.send + published.send + av(4, 9, 1, 0, "v") + cmd(3, 0, "deleteStream", 4, 1),
				events: join3(hello.events, published.events, []string{`video at 0: "v"`, "Unpublish{StreamID:1 Command:deleteStream}"}),
				out:    join3(append(hello.out[:4:4], created.out...), published.out, []string{"1: onStatus 0 (status NetStream.Unpublish.Success)"}),
			},
		},
		end: Idle,
	},
	{
		name: "a command object that is an array, and no more",
		turns: []turn{
			{
				send:   greeting + cmdObject(3, 0, "connect", 0, amf.ECMAArray{{Name: "tcUrl", Value: "rtmp://u:p@h:1935/live/_definst_?vhost=a%2eb&x"}}),
				events: []string{"connect live?vhost=a%2eb&x on a.b by "},
				out:    []string{accepted[0], accepted[1], accepted[2], "_result 0 {} (status NetConnection.Connect.Success)"},
			},
		},
		end: Idle,
	},
}

func join3(a, b, c []string) []string {
	return append(append(append([]string{}, a...), b...), c...)
}

func parts(ps ...message.Part) string {
	var b []byte
	for _, p := range ps {
		b = message.AppendPart(b, p)
	}
	return string(b)
}
