package amf

import "testing"

func connectCommand() []byte {
	b := Append0(nil, "connect")
	b = Append0(b, 1)
	return Append0(b, obj(
		Property{"app", "live"},
		Property{"type", "nonprivate"},
		Property{"flashVer", "FMLE/3.0 (compatible; Lavf59.27.100)"},
		Property{"tcUrl", "rtmp://127.0.0.1:1935/live"},
	))
}

func metaData() []byte {
	b := Append0(nil, "@setDataFrame")
	b = Append0(b, "onMetaData")
	return Append0(b, ECMAArray{
		{"duration", 0}, {"width", 1920}, {"height", 1080}, {"videodatarate", 4882.8125},
		{"framerate", 30}, {"videocodecid", 7}, {"audiodatarate", 156.25}, {"audiosamplerate", 48000},
		{"audiosamplesize", 16}, {"stereo", true}, {"audiocodecid", 10}, {"major_brand", "isom"},
		{"minor_version", "512"}, {"compatible_brands", "isomiso2avc1mp41"},
		{"encoder", "Lavf59.27.100"}, {"filesize", 0},
	})
}

func benchmarkDecode(b *testing.B, msg []byte) {
	b.ReportAllocs()
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		if _, err := DecodeAll0(msg, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeConnect(b *testing.B) { benchmarkDecode(b, connectCommand()) }

func BenchmarkDecodeMetaData(b *testing.B) { benchmarkDecode(b, metaData()) }

func BenchmarkAppendMetaData(b *testing.B) {
	all, err := DecodeAll0(metaData(), Limits{})
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = buf[:0]
		for _, v := range all {
			buf = Append0(buf, v)
		}
	}
}
