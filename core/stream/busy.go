package stream

import (
	"fmt"
	"time"
)

// contention remembers how often a name was taken over, so that two encoders
// do not fight over it for ever.
type contention struct {
	replaced []int64 // when, in ns, from incumbents that were sending media
	holdTill int64
}

const (
	fightCount  = 3
	fightWindow = int64(30 * time.Second)
	fightHold   = int64(30 * time.Second)
)

// decide says whether pub may take old's place, and why not.
func (c *contention) decide(o *Options, old *Publication, pub Publisher, now int64) error {
	silent := now-old.lastMedia >= int64(o.BusySilence)
	if now < c.holdTill && !silent {
		return fmt.Errorf("%w: it changed hands %d times within %v, its publisher keeps it for now",
			ErrBusy, fightCount, time.Duration(fightWindow))
	}
	if err := policy(o, old, pub, silent); err != nil {
		return err
	}
	if !silent {
		c.count(now)
	}
	return nil
}

func policy(o *Options, old *Publication, pub Publisher, silent bool) error {
	same := old.Publisher.Peer == pub.Peer && old.Publisher.Query == pub.Query
	switch o.OnBusy {
	case BusyReplace:
		return nil
	case BusyReject:
		return fmt.Errorf("%w: it is being published", ErrBusy)
	}
	if silent || same {
		return nil
	}
	return fmt.Errorf("%w: it is being published by somebody else who is sending media", ErrBusy)
}

// count notes a take-over from an incumbent that was sending media.
func (c *contention) count(now int64) {
	kept := c.replaced[:0]
	for _, at := range c.replaced {
		if now-at < fightWindow {
			kept = append(kept, at)
		}
	}
	c.replaced = append(kept, now)
	if len(c.replaced) >= fightCount {
		c.holdTill = now + fightHold
		c.replaced = c.replaced[:0]
	}
}
