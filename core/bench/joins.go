package bench

import (
	"context"
	"fmt"
	"time"
)

const (
	// joinSpread is the time after the last of the joiners was due.
	joinSpread = time.Second
	// joinWindow is the merge window, about what 1,000 viewers have by
	// themselves. Of its own accord it would grow with the number of viewers,
	// and latency with it, hooks or no hooks.
	joinWindow = "60ms"
)

// joins measures the latency of viewers before others come, and while they
// come, each of them asking the script under a rule.
func (o HooksOptions) joins(ctx context.Context, slow, rule string) (JoinRun, error) {
	run := JoinRun{Rule: rule, Viewers: o.Viewers, Joins: o.Joins, Rate: o.JoinRate}
	s, err := o.startHooked(ctx, slow, joinWindow)
	defer s.stop()
	if err != nil {
		return run, err
	}
	c := comparison{bench: []string{o.Server, "bench"}, options: CompareOptions{Shape: Shape{}.withDefaults()}}
	// The others watch a stream of next to nothing: it is their coming that is
	// measured, not what they are sent.
	calm, err := startProcess(c.command("publish", nil, "-url", s.streamURL(RTMP, "calm"), "-bitrate", "8k", "-fps", "0.1", "-gop", "10s", "-audio=false", "-json"))
	if err != nil {
		return run, err
	}
	defer calm.stop()
	publisher, err := c.startPublisher(ctx, s)
	if err != nil {
		return run, err
	}
	defer publisher.stop()
	err = o.measureJoins(ctx, c, s, &run)
	return run, err
}

func (o HooksOptions) measureJoins(ctx context.Context, c comparison, s *subject, run *JoinRun) error {
	t, err := parseTarget(ctx, s.url(HTTPFLV))
	if err != nil {
		return err
	}
	au, err := newAudience(PlayOptions{Viewers: o.Viewers}.withDefaults(), t)
	if err != nil {
		return err
	}
	defer au.close()
	au.start()
	if err := au.settle(ctx); err != nil {
		return err
	}
	span := time.Duration(o.Joins)*time.Second/time.Duration(o.JoinRate) + joinSpread
	run.Before = au.watch(ctx, span)
	joined := make(chan error, 1)
	var play PlayReport
	go func() {
		joined <- runReport(ctx, c.command("play", nil, "-url", s.streamURL(HTTPFLV, "calm")+"?rule="+run.Rule,
			"-n", fmt.Sprint(o.Joins), "-ramp", fmt.Sprint(o.JoinRate), "-sample", "-1", "-settle", "1s", "-duration", "1ms", "-json"), &play)
	}()
	before := machine()
	run.During = au.watch(ctx, span)
	run.Idle = idleShare(before, machine())
	run.Existing = int(au.count().playing - au.count().ended)
	if err := <-joined; err != nil {
		return err
	}
	run.Admitted, run.Refused, run.Reasons = play.Connected, play.Failed, play.Reasons
	return nil
}

// watch measures the latency of the sample for a while.
func (au *audience) watch(ctx context.Context, span time.Duration) Spread {
	s := &au.sample.sampled
	au.sample.poller.do(func() { s.latency, s.from = distribution{}, time.Now() })
	pause(ctx, span)
	var latency Spread
	au.sample.poller.do(func() { latency, s.from = s.latency.spread(), time.Time{} })
	return latency
}
