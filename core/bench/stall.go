package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// stallEvery is how long a stall probe rests between two questions: short
	// against the stalls that are looked for.
	stallEvery = 2 * time.Millisecond
	// stallTarget is how long a loop may keep others waiting.
	stallTarget = 5 * time.Millisecond
	// stallRequest is answered by a loop alone: no script and no other
	// goroutine has a part in it.
	stallRequest = "OPTIONS /bench/none.flv HTTP/1.1\r\nHost: bench\r\n\r\n"
)

// startStallProbe is startProbe that asks far more often, and that tells the
// server's waits from its own: each connection has a thread, before which no
// other comes, if this program may have such (root).
func startStallProbe(ctx context.Context, address string) (*probe, error) {
	ctx, cancel := context.WithCancel(ctx)
	p := &probe{cancel: cancel}
	for range probes {
		fd, err := dialBlocking(ctx, address)
		if err != nil {
			p.stop()
			return nil, err
		}
		p.all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			schedule(&unix.SchedAttr{Policy: unix.SCHED_FIFO, Priority: 1})
			defer schedule(&unix.SchedAttr{Policy: unix.SCHED_NORMAL})
			defer func() { _ = unix.Close(fd) }()
			buffer := make([]byte, 4096)
			for ctx.Err() == nil {
				p.note(askLoop(fd, buffer))
				time.Sleep(stallEvery)
			}
		})
	}
	return p, nil
}

// schedule changes the policy of this thread, if it may.
func schedule(a *unix.SchedAttr) {
	a.Size = unix.SizeofSchedAttr
	_ = unix.SchedSetAttr(0, a, 0)
}

// dialBlocking opens a socket whose reads block their thread.
func dialBlocking(ctx context.Context, address string) (int, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, fmt.Errorf("ask the server: %w", err)
	}
	fd, err := blocking(c)
	if err != nil {
		return 0, fmt.Errorf("ask the server: %w", err)
	}
	wait := unix.NsecToTimeval(int64(probeLimit))
	return fd, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait)
}

// blocking takes the socket out of a connection, which is closed.
func blocking(c net.Conn) (int, error) {
	defer func() { _ = c.Close() }()
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		return 0, fmt.Errorf("take socket: %w", err)
	}
	defer func() { _ = f.Close() }()
	fd, err := unix.Dup(int(f.Fd())) // Fd has it block
	if err != nil {
		return 0, fmt.Errorf("take socket: %w", err)
	}
	return fd, nil
}

// startEcho answers each connection by a thread of this process that does
// nothing else, and has the priority of a loop: who asks it learns how long the
// machine keeps such a thread waiting, whatever the server does. It ends when
// the listener is closed, and who asked has gone.
func startEcho() (net.Listener, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for an echo: %w", err)
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			if fd, err := blocking(c); err == nil {
				go echo(fd)
			}
		}
	}()
	return ln, nil
}

func echo(fd int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer func() { _ = unix.Close(fd) }()
	buffer := make([]byte, 4096)
	for {
		n, err := unix.Read(fd, buffer)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil || n == 0:
			return
		}
		if _, err := unix.Write(fd, buffer[:n]); err != nil {
			return
		}
	}
}

var errShortAnswer = errors.New("the server's answer is not a whole one")

// askLoop takes the time of one answer, which is small and comes at once.
func askLoop(fd int, buffer []byte) (time.Duration, error) {
	begin := time.Now()
	if _, err := unix.Write(fd, []byte(stallRequest)); err != nil {
		return 0, fmt.Errorf("ask the server: %w", err)
	}
	n, err := unix.Read(fd, buffer)
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Read(fd, buffer)
	}
	if err != nil {
		return 0, fmt.Errorf("ask the server: %w", err)
	}
	took := time.Since(begin)
	if n < 4 || string(buffer[n-4:n]) != "\r\n\r\n" {
		return 0, errShortAnswer
	}
	return took, nil
}

// stalls has some ask a script again and again, and measures how long the
// loops keep others waiting meanwhile.
func (o HooksOptions) stalls(ctx context.Context, slow, rule string) (StallRun, error) {
	run := StallRun{Rule: rule}
	s, err := o.startHooked(ctx, slow, "auto")
	defer s.stop()
	if err != nil {
		return run, err
	}
	calls := startCallers(ctx, s, rule, o.Callers)
	defer calls.stop()
	pause(ctx, time.Second) // until it runs as it will
	p, err := startStallProbe(ctx, fmt.Sprintf("127.0.0.1:%d", s.ports.http))
	if err != nil {
		return run, err
	}
	defer p.stop()
	ln, err := startEcho()
	if err != nil {
		return run, err
	}
	defer func() { _ = ln.Close() }()
	floor, err := startStallProbe(ctx, ln.Addr().String())
	if err != nil {
		return run, err
	}
	before := machine()
	pause(ctx, o.Duration)
	run.Idle = idleShare(before, machine())
	p.stop()
	floor.stop()
	calls.stop()
	run.Stalls, run.FloorStalls = p.taken.above(stallTarget), floor.taken.above(stallTarget)
	if run.AnswerMS, err = p.spread(); err != nil {
		return run, fmt.Errorf("ask the server: %w", err)
	}
	if run.FloorMS, err = floor.spread(); err != nil {
		return run, fmt.Errorf("ask the echo: %w", err)
	}
	run.CallMS, run.Refused, run.Allowed, run.Lost = calls.took.spread(), calls.refused, calls.allowed, calls.lost
	return run, nil
}

func idleShare(before, after machineTime) float64 {
	idle, busy := after.idle-before.idle, after.busy-before.busy
	return float64(idle) / float64(max(idle+busy, 1))
}

// callers ask for streams that a script decides about.
type callers struct {
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu                     sync.Mutex
	took                   distribution // of the verdicts
	refused, allowed, lost int
}

// startCallers has n ask under a rule; without a rule nobody asks.
func startCallers(ctx context.Context, s *subject, rule string, n int) *callers {
	ctx, cancel := context.WithCancel(ctx)
	c := &callers{cancel: cancel}
	if rule == "" {
		return c
	}
	url := fmt.Sprintf("http://127.0.0.1:%d/live/none.flv?wait=0&rule=%s", s.ports.http, rule)
	for range n {
		c.all.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				c.ask(ctx, client, url)
			}
		})
	}
	return c
}

func (c *callers) stop() {
	c.cancel()
	c.all.Wait()
}

func (c *callers) ask(ctx context.Context, client *http.Client, url string) {
	begin := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return
	}
	res, err := client.Do(req)
	if ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.lost++
		return
	}
	_ = res.Body.Close()
	c.took.add(time.Since(begin))
	if res.StatusCode == http.StatusForbidden {
		c.refused++
	} else {
		c.allowed++
	}
}
