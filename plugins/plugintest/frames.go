package plugintest

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/sdk"
	"github.com/millrace/millrace/plugins/sdk/demux"
)

// Frames are items for frames; the numbers are given when they are fed.
func Frames(frames ...*media.Frame) []sdk.Item {
	items := make([]sdk.Item, len(frames))
	for i, f := range frames {
		items[i] = sdk.Item{Type: sdk.Frame, Frame: f}
	}
	return items
}

// Header is the item for a sequence header or metadata in force.
func Header(f *media.Frame) sdk.Item { return sdk.Item{Type: sdk.Header, Frame: f} }

// Video makes a frame of video with the header that it has on the media
// socket. dts and cts are in ms.
func Video(codec media.FourCC, flags media.Flags, dts int64, cts int32, body []byte) *media.Frame {
	frameType := uint8(2)
	if flags&(media.Keyframe|media.Config) != 0 {
		frameType = 1
	}
	return frame(media.Video, flv.Header{Codec: codec, Flags: flags, CTS: cts, Type: frameType}, dts, body)
}

// Audio makes a frame of audio. dts is in ms.
func Audio(codec media.FourCC, flags media.Flags, dts int64, body []byte) *media.Frame {
	return frame(media.Audio, flv.Header{Codec: codec, Flags: flags}, dts, body)
}

func frame(kind media.Kind, h flv.Header, dts int64, body []byte) *media.Frame {
	header := flv.AppendPlain(nil, kind, h)
	room := media.NewRoom(len(header) + len(body))
	copy(media.Payload(room)[copy(media.Payload(room), header):], body)
	f := media.NewFrame(kind, room, len(header))
	f.Codec, f.Flags, f.CTS, f.DTS = h.Codec, h.Flags, h.CTS, dts
	f.Seal()
	return f
}

// Metadata makes an onMetaData of properties.
func Metadata(props amf.ECMAArray) *media.Frame {
	b := amf.Append0(amf.Append0(nil, "onMetaData"), props)
	room := media.NewRoom(len(b))
	copy(media.Payload(room), b)
	f := media.NewFrame(media.Data, room, 0)
	f.Flags = media.Metadata
	f.Seal()
	return f
}

// AVCConfig is a sequence header for H.264, Main profile, 64 × 64.
func AVCConfig() *media.Frame {
	return Video(media.AVC, media.Config, 0, 0, []byte{
		0x01, 0x4D, 0x40, 0x0A, 0xFF, 0xE1, 0x00, 0x17,
		0x67, 0x4D, 0x40, 0x0A, 0xEC, 0xA2, 0x13, 0x60, 0x22, 0x00, 0x00, 0x03, 0x00, 0x02, 0x00, 0x00,
		0x03, 0x00, 0x64, 0x1E, 0x24, 0x4B, 0x2C, 0x01, 0x00, 0x05, 0x68, 0xEB, 0xE3, 0xCB, 0x20,
	})
}

// AACConfig is a sequence header for AAC-LC, 48 kHz, stereo.
func AACConfig() *media.Frame { return Audio(media.AAC, media.Config, 0, []byte{0x11, 0x90}) }

// NALU is a coded frame of n bytes for H.264 whose slice says what its flags
// say. It decodes to nothing.
func NALU(flags media.Flags, dts int64, n int) *media.Frame {
	body := make([]byte, max(n, 6))
	binary.BigEndian.PutUint32(body, uint32(len(body)-4))
	body[4] = 0x41
	if flags&media.Keyframe != 0 {
		body[4] = 0x65
	}
	for i := 5; i < len(body); i++ {
		body[i] = byte(i)*7 | 1
	}
	return Video(media.AVC, flags, dts, 0, body)
}

// GOPs are n groups of pictures of 25 frames at 40 ms, size bytes each, from
// dts on, with two AAC frames' worth of audio beside each, none of which
// decodes.
func GOPs(n int, dts int64, size int) []*media.Frame {
	var frames []*media.Frame
	for i := range n * 25 {
		at := dts + int64(i)*40
		flags := media.Flags(0)
		if i%25 == 0 {
			flags = media.Keyframe
		}
		frames = append(frames, NALU(flags, at, size),
			Audio(media.AAC, 0, at, []byte{0x21, 0x10, byte(i)}),
			Audio(media.AAC, 0, at+20, []byte{0x21, 0x20, byte(i)}))
	}
	return frames
}

// ReadFLV reads an FLV file to its last whole tag: what stands before the
// first coded frame as Headers, the rest as Frames without numbers.
func ReadFLV(t testing.TB, path string) []sdk.Item {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	items, err := parseFLV(b)
	if err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
	return items
}

func parseFLV(b []byte) ([]sdk.Item, error) {
	var items []sdk.Item
	d := demux.NewFile()
	counting := false
	for {
		u, n, err := d.Next(b)
		if errors.Is(err, demux.ErrShort) {
			return items, nil
		}
		if err != nil {
			return nil, errors.Join(err, io.ErrUnexpectedEOF)
		}
		b = b[n:]
		if u.Frame == nil {
			continue
		}
		counting = counting || u.Frame.IsMedia()
		it := sdk.Item{Type: sdk.Header, Frame: u.Frame}
		if counting {
			it.Type = sdk.Frame
		}
		items = append(items, it)
	}
}
