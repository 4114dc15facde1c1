package web

import (
	"context"
	"time"
)

// pacer spreads what is sent over time.
type pacer struct {
	free time.Time // when what was sent before is through
}

// wait waits until n more bytes may go at rate bytes a second; 0 is no limit.
func (p *pacer) wait(ctx context.Context, n int, rate int64) error {
	if rate <= 0 {
		return nil
	}
	now := time.Now()
	if p.free.Before(now) {
		p.free = now
	}
	wait := p.free.Sub(now)
	p.free = p.free.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	if wait == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
