package hooks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/millrace/millrace/core/event"
)

// run does one job on a worker, and returns the lane in which it ended.
func (r *Runtime) run(j job) lane {
	set := r.live.Load()
	if j.shadow {
		set = r.shadow.Load()
	}
	settings := r.settings.Load()
	if j.done != nil && !j.shadow && time.Since(j.queued) > settings.QueueTimeout {
		r.refuse(j, ErrOverload)
		return quick
	}
	o := r.call(set, settings, j)
	if o.lane == quick {
		r.finish(j, o, settings)
	} else {
		// Not on its thread, which would hold the locks of others for long.
		r.pool.ended.Go(func() { r.finish(j, o, settings) })
	}
	return o.lane
}

// finish tells what came of a call.
func (r *Runtime) finish(j job, o outcome, settings *Settings) {
	if j.shadow {
		r.compare(j, o)
		return
	}
	r.account(j, o)
	if j.done != nil {
		j.done(o.verdict)
	}
	r.calls.write(j, o, settings.Mask, r.warn)
	r.follow(j, o.verdict)
	if hooksInOrder[j.hook] == event.Tick {
		r.stats.ticking.Store(false)
	}
}

// outcome is what one call came to.
type outcome struct {
	verdict Verdict
	err     error
	logs    []LogLine
	took    time.Duration
	skipped bool // the set has no such hook
	lane    lane // in which it ended
	large   bool // it made a good part of what one call may
}

// call runs the set's scripts for j on a state of the set.
func (r *Runtime) call(set *scriptSet, settings *Settings, j job) outcome {
	if set == nil || !set.has(j.hook) {
		return outcome{verdict: Verdict{Allow: true}, skipped: true, lane: quick}
	}
	started := time.Now()
	o := set.call(hooksInOrder[j.hook], j.e, callOptions{
		timeout: settings.Timeout, limit: uint64(settings.Memory), gate: r.pool, keepLogs: r.calls.w != nil,
	})
	o.took = time.Since(started)
	if o.err != nil {
		o.verdict = settings.fallback(hooksInOrder[j.hook], o.err)
	}
	if errors.Is(o.err, ErrMemory) || errors.Is(o.err, ErrTimeout) || o.large {
		r.memory.soon()
	}
	return o
}

type callOptions struct {
	timeout  time.Duration
	limit    uint64
	gate     gate
	keepLogs bool
}

// call runs one hook on one of the set's states. A state whose call had to be
// stopped is thrown away: it was left in the middle of something.
func (set *scriptSet) call(hook string, e *event.Event, c callOptions) outcome {
	st, err := set.get()
	if err != nil {
		return outcome{err: err, lane: quick}
	}
	st.keep = c.keepLogs
	st.begin(hook, c.timeout, c.limit, c.gate)
	o := st.answer(hook, e)
	o.logs, o.lane, o.large = st.logs, st.call.lane, st.call.strings > c.limit/4
	if st.end() {
		set.put(st)
	} else {
		set.lose()
	}
	return o
}

// answer runs a hook. A mistake of ours in reading what a script made is that
// call's error: it does not end the server.
func (st *state) answer(hook string, e *event.Event) (o outcome) {
	defer func() {
		if r := recover(); r != nil {
			o.err = fmt.Errorf("%s: panic: %v", hook, r)
			st.call.stop(o.err)
		}
	}()
	if isDecision(hook) {
		o.verdict, o.err = st.decide(hook, e)
		return o
	}
	o.verdict.Allow = true
	o.err = st.tell(hook, e)
	return o
}

// refuse answers a decision that no script saw.
func (r *Runtime) refuse(j job, err error) {
	hook := hooksInOrder[j.hook]
	o := outcome{verdict: r.settings.Load().fallback(hook, err), err: err}
	r.account(j, o)
	j.done(o.verdict)
}

// account counts a call and logs its error.
func (r *Runtime) account(j job, o outcome) {
	if o.skipped {
		return
	}
	hook := hooksInOrder[j.hook]
	r.stats.of(j.hook).add(o)
	if o.err == nil {
		return
	}
	r.status.callFailed(o.err)
	verdict := "allow"
	if !o.verdict.Allow {
		verdict = "deny"
	}
	r.warn("hook gave no verdict", "hook", hook, "error", o.err, "verdict", verdict,
		"stream", j.e.StreamID, "client_id", j.e.ClientID)
}

// warn logs at the level warn, a few lines a second at most: a broken script
// fails for each viewer.
func (r *Runtime) warn(text string, args ...any) {
	if r.warnings.Allow() {
		r.logger.Log(context.Background(), slog.LevelWarn, text, args...)
	}
}

// follow sends a job to the shadow scripts, after the live ones, among the
// notices.
func (r *Runtime) follow(j job, v Verdict) {
	if set := r.shadow.Load(); set == nil || !set.has(j.hook) {
		return
	}
	shadow := job{hook: j.hook, e: j.e, shadow: true, live: v, queued: time.Now()}
	if !r.pool.put(shadow) {
		r.stats.shadowDropped.Add(1)
	}
}

// compare counts a shadow's verdict against the live one.
func (r *Runtime) compare(j job, o outcome) {
	switch {
	case o.skipped:
		return
	case o.err != nil:
		r.stats.shadowErrors.Add(1)
		r.warn("shadow hook failed", "hook", hooksInOrder[j.hook], "error", o.err)
	case !isDecision(hooksInOrder[j.hook]) || sameVerdict(j.live, o.verdict):
		r.stats.shadowSame.Add(1)
	default:
		r.stats.shadowDifferent.Add(1)
		r.warn("shadow hook decided otherwise", "hook", hooksInOrder[j.hook], "stream", j.e.StreamID,
			"client_id", j.e.ClientID, "live", verdictText(j.live), "shadow", verdictText(o.verdict))
	}
}
