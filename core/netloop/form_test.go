package netloop

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp/chunk"
	"github.com/millrace/millrace/core/ws"
)

// wireOf is a frame's wire form, made by other means than the shape.
func wireOf(s shape, kind media.Kind, dts int64, payload []byte) []byte {
	ts := uint32(dts)
	if s.kind == formRTMP {
		return chunk.AppendMessage(nil, uint32(kind.ChunkStream()), uint8(kind), s.streamID, ts, payload, s.chunkSize)
	}
	n := len(payload)
	tag := []byte{byte(kind), byte(n >> 16), byte(n >> 8), byte(n), byte(ts >> 16), byte(ts >> 8), byte(ts), byte(ts >> 24), 0, 0, 0}
	tag = binary.BigEndian.AppendUint32(append(tag, payload...), uint32(11+n))
	switch s.kind {
	case formChunked:
		return fmt.Appendf(nil, "%x\r\n%s\r\n", len(tag), tag)
	case formWS:
		return append(ws.AppendHeader(nil, ws.OpBinary, len(tag)), tag...)
	}
	return tag
}

func testPayload(n int) []byte {
	b := bytes.Repeat([]byte{0x27, 1, 0, 0, 0, 9, 8, 7}, n/8+1)[:n]
	for i := 5; i < n; i++ {
		b[i] = byte(i * 7)
	}
	return b
}

// TestShape has each form of a frame begin at every offset.
func TestShape(t *testing.T) {
	t.Parallel()
	for _, chunkSize := range []int{1, 128, 4096} {
		for _, n := range []int{5, 6, chunkSize - 1, chunkSize, chunkSize + 1, 2*chunkSize - 1, 2 * chunkSize, 2*chunkSize + 1, 5*chunkSize + 3} {
			if n < 5 || n > 1000 && chunkSize == 1 {
				continue
			}
			for _, dts := range []int64{0, 0xFFFFFE, 0xFFFFFF, 0x1000000, 0xFFFFFFFF, 1 << 33} {
				for _, form := range allForms {
					checkShape(t, shape{form, chunkSize, false}, dts, testPayload(n))
				}
			}
		}
	}
}

func checkShape(t *testing.T, s shape, dts int64, payload []byte) {
	t.Helper()
	f := sealed(media.Video, dts, payload)
	want := wireOf(s, media.Video, dts, payload)
	if got := s.size(f); got != len(want) {
		t.Fatalf("%+v: size of %d bytes at %d is %d, want %d", s, len(payload), dts, got, len(want))
	}
	for offset := range want {
		if offset > 300 && offset < len(want)-300 && offset%37 != 0 {
			continue
		}
		if got := bytesOf(s.appendFrom(nil, f, offset, 1<<20)); !bytes.Equal(got, want[offset:]) {
			t.Fatalf("%+v: %d bytes at %d from %d are % x, want % x", s, len(payload), dts, offset, got, want[offset:])
		}
	}
}

// TestShapeEmptyPayload has a frame without bytes.
func TestShapeEmptyPayload(t *testing.T) {
	t.Parallel()
	for _, form := range allForms {
		f := media.NewFrame(media.Data, media.NewRoom(0), 0)
		f.Seal()
		s := shape{form, 128, false}
		want := wireOf(s, media.Data, 0, nil)
		if got := bytesOf(s.appendFrom(nil, f, 0, 10)); !bytes.Equal(got, want) || s.size(f) != len(want) {
			t.Errorf("%+v: % x, want % x", s, got, want)
		}
	}
}

// TestShapeLimit cuts a frame into pieces of few iovecs.
func TestShapeLimit(t *testing.T) {
	t.Parallel()
	for _, streamID := range []uint32{1, 9} {
		s := shape{form{formRTMP, streamID}, 16, false}
		payload := testPayload(1000)
		f := sealed(media.Video, 0x1000000, payload)
		want := wireOf(s, media.Video, 0x1000000, payload)
		for limit := 1; limit < 20; limit++ {
			var got []byte
			for len(got) < s.size(f) {
				iov := s.appendFrom(nil, f, len(got), limit)
				if len(iov) == 0 || len(iov) > limit+1 {
					t.Fatalf("limit %d: %d iovecs", limit, len(iov))
				}
				got = append(got, bytesOf(iov)...)
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("limit %d: the pieces do not make the frame", limit)
			}
		}
	}
}

// TestAppendMessage compares the copy of a message at another time.
func TestAppendMessage(t *testing.T) {
	t.Parallel()
	for _, n := range []int{5, 127, 128, 129, 1000} {
		for _, ts := range []uint32{0, 0xFFFFFF, 0xFFFFFFFF} {
			s := shape{form{formRTMP, 3}, 128, false}
			payload := testPayload(n)
			got := s.appendMessage(nil, sealed(media.Video, 42, payload), ts)
			if want := wireOf(s, media.Video, int64(ts), payload); !bytes.Equal(got, want) {
				t.Errorf("%d bytes at %d: % x, want % x", n, ts, got, want)
			}
		}
	}
}
