package fmp4

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/core/event"
)

// telling is an announcement on its way to the host.
type telling struct {
	e event.Event
	// heard gets the host's answer; nil: nobody waits for it.
	heard chan error
}

// maxTellings bounds the announcements that wait for a host whose hooks are
// slow: a recorder does not wait with them.
const maxTellings = 1024

// tell announces what comes, in order, one at a time.
func (p *Plugin) tell() {
	defer close(p.allTold)
	for t := range p.told {
		ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
		err := p.host.Announce(ctx, t.e)
		cancel()
		switch {
		case t.heard != nil:
			t.heard <- err
		case err != nil:
			p.log.Warn("announcement was not heard", "event", t.e.Event, "file", t.e.File, "error", err)
		}
	}
}

// announceSegment tells of a segment, without waiting.
func (p *Plugin) announceSegment(e event.Event) {
	select {
	case p.told <- telling{e: e}:
	default:
		p.log.Warn("segment is not announced: the host is slow", "file", e.File)
	}
}

// announce tells of something, after all that was announced before, and waits
// until the host knows.
func (p *Plugin) announce(e event.Event) error {
	heard := make(chan error, 1)
	select {
	case p.told <- telling{e: e, heard: heard}:
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
	select {
	case err := <-heard:
		if err != nil {
			return fmt.Errorf("announce %s: %w", e.File, err)
		}
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}
