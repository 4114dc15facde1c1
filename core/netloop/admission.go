package netloop

import (
	"net/netip"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/httpflv"
	"github.com/millrace/millrace/core/proxyproto"
)

// Admission is what was decided about a connection of HTTP/2, which no loop
// has. It does not change.
type Admission struct {
	bounds bounds
	engine *Engine
}

// Rate is how many bytes a second the connection may be sent; 0: any.
func (a *Admission) Rate() int64 { return a.bounds.rate }

// Left is how long the connection may last from now; 0: for ever. Who has had
// his time has a nanosecond.
func (a *Admission) Left() time.Duration {
	if a.bounds.until == 0 {
		return 0
	}
	return max(time.Duration(a.bounds.until-a.engine.Now()), 1)
}

// Idle is how long the connection may rest between requests; 0: as long as any.
func (a *Admission) Idle() time.Duration { return a.bounds.idle }

// Admit has it decided whether a client at remote may connect; head is that of
// its first request. Without an Admission it may not, for reason. It blocks
// until there is a verdict, which is certain to come: not for a loop.
func (e *Engine) Admit(head httpflv.Head, remote netip.AddrPort) (a *Admission, reason string) {
	if !e.decides(event.Connect) {
		return &Admission{engine: e}, ""
	}
	if e.trusts(protocolHTTP, remote.Addr()) {
		if ip := proxyproto.ClientAddr(remote.Addr(), e.Settings().TrustedProxies, head.Joined); ip != remote.Addr() {
			remote = netip.AddrPortFrom(ip, 0)
		}
	}
	ev := event.Event{Event: event.Connect, Time: time.Now(), Protocol: string(protocolHTTP), RemoteAddr: remote.String()}
	ofRequest(&ev, head)
	verdict := make(chan event.Verdict, 1)
	e.options.Decider.Decide(&ev, func(v event.Verdict) { verdict <- v })
	v := <-verdict
	if !v.Allow {
		e.log.Warn("refused by a hook", "event", event.Connect, event.Protocol, ev.Protocol,
			event.RemoteAddr, ev.RemoteAddr, event.Reason, v.Reason)
		return nil, v.Reason
	}
	a = &Admission{bounds{maxBitrate: v.Limits.MaxBitrate, idle: v.Limits.IdleTimeout, rate: v.Limits.Rate}, e}
	if d := v.Limits.MaxDuration; d > 0 {
		a.bounds.until, a.bounds.why = e.Now()+int64(d), connectionOver
	}
	return a, ""
}
