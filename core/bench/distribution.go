package bench

import (
	"math/bits"
	"time"
)

// distribution counts durations in buckets that are at most 1/64 of their
// value wide, up to hours, in constant memory.
type distribution struct {
	counts []uint64
	total  uint64
	most   time.Duration
}

// fineBits is the binary logarithm of the buckets in each power of two.
const fineBits = 6

func (d *distribution) add(v time.Duration) {
	if d.counts == nil {
		d.counts = make([]uint64, (64-fineBits)<<fineBits)
	}
	v = max(v, 0)
	d.counts[bucketOf(v)]++
	d.total++
	d.most = max(d.most, v)
}

// bucketOf has the values up to 2^fineBits for themselves, then 2^fineBits
// buckets for each power of two.
func bucketOf(v time.Duration) int {
	shift := max(bits.Len64(uint64(v))-fineBits-1, 0)
	return shift<<fineBits + int(uint64(v)>>shift)
}

// bucketTop is the largest value of a bucket.
func bucketTop(i int) time.Duration {
	shift := max(i>>fineBits-1, 0)
	return time.Duration((uint64(i-shift<<fineBits)+1)<<shift - 1)
}

// quantile is a value that a share q of all do not exceed; 0 of none.
func (d *distribution) quantile(q float64) time.Duration {
	rank := uint64(q * float64(d.total))
	for i, n := range d.counts {
		if n > rank {
			return min(bucketTop(i), d.most)
		}
		rank -= n
	}
	return d.most
}

// above is how many exceed v, to the width of a bucket.
func (d *distribution) above(v time.Duration) (n uint64) {
	if d.counts == nil {
		return 0
	}
	for _, c := range d.counts[bucketOf(v)+1:] {
		n += c
	}
	return n
}

// merge adds what other has.
func (d *distribution) merge(other *distribution) {
	if d.counts == nil {
		d.counts = make([]uint64, (64-fineBits)<<fineBits)
	}
	for i, n := range other.counts {
		d.counts[i] += n
	}
	d.total += other.total
	d.most = max(d.most, other.most)
}

// Spread is a distribution in milliseconds.
type Spread struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
}

func (d *distribution) spread() Spread {
	ms := func(v time.Duration) float64 { return float64(v) / float64(time.Millisecond) }
	return Spread{Count: d.total, P50: ms(d.quantile(0.5)), P99: ms(d.quantile(0.99)), P999: ms(d.quantile(0.999)), Max: ms(d.most)}
}
