package main

import (
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/conf"
)

// newLogger writes lines of a format to w.
func newLogger(w io.Writer, format conf.Format, level slog.Leveler) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if format == conf.FormatJSON {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// asyncWriter writes on a goroutine of its own: an event loop must not wait
// for a terminal or a pipe that nobody reads. What does not fit its queue is
// lost, and counted.
type asyncWriter struct {
	lines chan []byte
	lost  atomic.Uint64
	done  chan struct{}
}

// queuedLines is how many lines may wait.
const queuedLines = 8192

func newAsyncWriter(w io.Writer) *asyncWriter {
	a := &asyncWriter{lines: make(chan []byte, queuedLines), done: make(chan struct{})}
	go a.run(w)
	return a
}

// Write queues a copy of p. It never blocks and never fails.
func (a *asyncWriter) Write(p []byte) (int, error) {
	select {
	case a.lines <- append([]byte(nil), p...):
	default:
		a.lost.Add(1)
	}
	return len(p), nil
}

func (a *asyncWriter) run(w io.Writer) {
	defer close(a.done)
	for line := range a.lines {
		if line == nil {
			return
		}
		_, _ = w.Write(line)
		if n := a.lost.Swap(0); n > 0 {
			fmt.Fprintf(w, "time=%s level=WARN msg=\"log lines lost: stderr is too slow\" lines=%d\n",
				time.Now().Format(time.RFC3339), n)
		}
	}
}

// Close writes what is queued, for a second at most.
func (a *asyncWriter) Close() error {
	limit := time.After(time.Second)
	select {
	case a.lines <- nil:
	case <-limit:
		return nil
	}
	select {
	case <-a.done:
	case <-limit:
	}
	return nil
}
