package box

import (
	"math/rand/v2"
	"testing"

	"github.com/millrace/millrace/core/media"
)

func TestRescale(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ms    int64
		nano  uint32
		scale int64
		want  int64
	}{
		{0, 0, 90000, 0},
		{1, 0, 90000, 90},
		{1, 500000, 90000, 135},
		{33, 333333, 90000, 3000},
		{-1, 0, 90000, -90},
		{-1500, 0, 48000, -72000},
		{1000, 0, 44100, 44100},
		{23, 0, 44100, 1014}, // 1014.3
		{1 << 50, 0, 90000, 1<<50/1000*90000 + (1<<50%1000)*90},
	} {
		if got := Rescale(c.ms, c.nano, c.scale); got != c.want {
			t.Errorf("%d ms + %d ns at %d: %d, want %d", c.ms, c.nano, c.scale, got, c.want)
		}
	}
}

// audio gives a clock n frames whose true times are i·samples·(1+ppm), as ms
// with up to jitter ms more, and checks each against its timestamp.
func audio(t *testing.T, rate, samples, n int, ppm float64, jitter int64) (exact int) {
	t.Helper()
	c := NewClock(&Codec{Kind: media.Audio, Rate: rate}, 0)
	r := rand.New(rand.NewPCG(1, 2))
	last, before := int64(-1), int64(0)
	for i := range n {
		ms := int64(float64(i*samples) * 1000 * (1 + ppm/1e6) / float64(rate))
		if jitter > 0 {
			ms += r.Int64N(jitter + 1)
		}
		ms = max(ms, before) // they never go back
		before = ms
		expected := c.Next
		got := c.Time(ms, 0, samples)
		if off := float64(got)*1000/float64(rate) - float64(ms); off > 1 || off < -1 {
			t.Fatalf("frame %d is %.3f ms off its timestamp", i, off)
		}
		if got <= last {
			t.Fatalf("frame %d goes back from %d to %d", i, last, got)
		}
		if i > 0 && got == expected {
			exact++
		}
		last = got
	}
	return exact
}

// Audio whose timestamps are its samples' times, cut to ms, is samples without
// a hole; a sound card that is off, or a publisher that jitters, is followed
// within 1 ms; in ten hours nothing accumulates.
func TestClockAudio(t *testing.T) {
	t.Parallel()
	const tenHours = 10 * 3600
	for _, rate := range []int{8000, 22050, 44100, 48000, 96000} {
		n := tenHours * rate / 1024
		if exact := audio(t, rate, 1024, n, 0, 0); exact < n-10 {
			t.Errorf("%d Hz: %d of %d frames follow the one before", rate, exact, n)
		}
		if exact := audio(t, rate, 1024, n/10, 100, 0); exact < n/10*8/10 {
			t.Errorf("%d Hz, 100 ppm off: %d of %d frames follow the one before", rate, exact, n/10)
		}
		audio(t, rate, 1024, n/100, -100, 0)
		audio(t, rate, 1024, n/100, 0, 15)
	}
}

// A jump is followed at once; equal and falling timestamps still rise.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	c := NewClock(&Codec{Kind: media.Audio, Rate: 48000}, 1000)
	for i, step := range []struct{ ms, least, most int64 }{
		{1000, 0, 0}, {1021, 1024, 1024}, {9000, 384000 - 48, 384000 + 48}, {9000, 384001, 384100}, {8000, 384002, 384200},
	} {
		if got := c.Time(step.ms, 0, 1024); got < step.least || got > step.most {
			t.Errorf("step %d: %d, want %d to %d", i, got, step.least, step.most)
		}
	}
	v := NewClock(&Codec{Kind: media.Video}, 0)
	for i, want := range []int64{0, 1, 3000, 5940} {
		ms := []int64{0, 0, 33, 66}[i]
		nano := []uint32{0, 0, 333333, 0}[i]
		if got := v.Time(ms, nano, 0); got != want {
			t.Errorf("video %d: %d, want %d", i, got, want)
		}
	}
	if got := c.Ticks(500, 0); got != -24000 {
		t.Errorf("before the origin: %d", got)
	}
}
