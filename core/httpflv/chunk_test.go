package httpflv

import (
	"fmt"
	"io"
	"math"
	"net/http/httputil"
	"strings"
	"testing"
)

func TestPutChunkLine(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 9, 10, 15, 16, 255, 256, 4095, 65536, 0xABCDEF, math.MaxUint32} {
		buf := []byte(strings.Repeat("-", 32))
		start := PutChunkLine(buf, 21, n)
		want := fmt.Sprintf("%x\r\n", n)
		if got := string(buf[start:21]); got != want {
			t.Errorf("PutChunkLine(%d) = %q, want %q", n, got, want)
		}
		if len(want) > MaxChunkLine || strings.Trim(string(buf[:start])+string(buf[21:]), "-") != "" {
			t.Errorf("PutChunkLine(%d) wrote outside its line: %q", n, buf)
		}
	}
}

func TestChunksAsNetHTTPReadsThem(t *testing.T) {
	t.Parallel()
	var body strings.Builder
	for _, n := range []int{1, 13, 300, 70_000} {
		buf := make([]byte, MaxChunkLine, MaxChunkLine+n+2)
		start := PutChunkLine(buf, MaxChunkLine, n)
		buf = append(append(buf, strings.Repeat("f", n)...), "\r\n"...)
		body.Write(buf[start:])
	}
	got, err := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(body.String() + LastChunk)))
	if want := 1 + 13 + 300 + 70_000; err != nil || len(got) != want {
		t.Errorf("%d bytes, %v, want %d", len(got), err, want)
	}
	if _, err := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(body.String()))); err == nil {
		t.Error("a body without the last chunk reads as a whole one")
	}
}

// Not parallel: AllocsPerRun counts the allocations of the whole process.
func TestPutChunkLineAllocs(t *testing.T) {
	buf := make([]byte, 32)
	if n := testing.AllocsPerRun(100, func() { PutChunkLine(buf, 32, 123456) }); n != 0 {
		t.Errorf("PutChunkLine allocates %v times", n)
	}
}
