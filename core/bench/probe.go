package bench

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// probe asks a server's event loops for something that they answer at once,
// again and again: how long that takes is how long the loops keep anybody
// waiting, and this process as well.
type probe struct {
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu     sync.Mutex
	taken  distribution
	failed error
}

const (
	// probes is how many connections ask: the loops share them out evenly. So
	// few questions cost the server next to nothing.
	probes     = 4
	probeEvery = 200 * time.Millisecond
	probeLimit = 10 * time.Second
)

// startProbe asks the HTTP listener at address.
func startProbe(ctx context.Context, address string) (*probe, error) {
	ctx, cancel := context.WithCancel(ctx)
	p := &probe{cancel: cancel}
	var d net.Dialer
	for range probes {
		c, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			p.stop()
			return nil, fmt.Errorf("ask the server: %w", err)
		}
		p.all.Go(func() {
			defer func() { _ = c.Close() }()
			for answers := bufio.NewReader(c); pause(ctx, probeEvery); {
				p.note(ask(c, answers))
			}
		})
	}
	return p, nil
}

// ask wants a stream that is not there.
func ask(c net.Conn, answers *bufio.Reader) (time.Duration, error) {
	begin := time.Now()
	if err := c.SetDeadline(begin.Add(probeLimit)); err != nil {
		return 0, err
	}
	if _, err := c.Write([]byte("HEAD /bench/none.flv?wait=0 HTTP/1.1\r\nHost: bench\r\n\r\n")); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(answers, &http.Request{Method: http.MethodHead})
	if err != nil {
		return 0, err
	}
	return time.Since(begin), res.Body.Close()
}

func (p *probe) note(took time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.taken.add(took)
	} else if p.failed == nil {
		p.failed = err
	}
}

// spread is what it took since the last call.
func (p *probe) spread() (Spread, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.taken.spread()
	p.taken = distribution{}
	return s, p.failed
}

func (p *probe) stop() {
	p.cancel()
	p.all.Wait()
}
