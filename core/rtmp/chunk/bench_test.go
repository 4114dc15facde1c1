package chunk

import (
	"strconv"
	"testing"
)

var benchSizes = []int{128, 4096, 65536}

func BenchmarkReader(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			const read = 16 << 10
			r := NewReader(Limits{})
			r.size = uint32(size)
			in := AppendMessage(nil, 6, 9, 1, 40, make([]byte, 40000), size)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				messages := 0
				for rest := in; len(rest) > 0; {
					n := min(read, len(rest))
					r.Feed(rest[:n])
					rest = rest[n:]
					for {
						_, ok, err := r.Next()
						if err != nil {
							b.Fatal(err)
						}
						if !ok {
							break
						}
						messages++
					}
				}
				if messages != 1 {
					b.Fatal(messages)
				}
			}
		})
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			payload := make([]byte, 40000)
			var dst []byte
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				dst = AppendMessage(dst[:0], 6, 9, 1, 40, payload, size)
			}
		})
	}
}
