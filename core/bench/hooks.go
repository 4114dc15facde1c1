package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"time"
)

// HooksOptions of [Hooks]. A field that is 0 takes its default.
type HooksOptions struct {
	// Server is a millrace program; default this one.
	Server string
	// Pairs is how often all is measured; default once.
	Pairs int
	// Duration is that of each measured interval; default 10 s.
	Duration time.Duration
	// Callers is how many ask hostile scripts at once; default 8. Negative:
	// these are not measured.
	Callers int
	// Viewers watch while Joins others come, JoinRate a second; default 1,000,
	// 5,000 and 1,000. Joins negative: that is not measured.
	Viewers, Joins, JoinRate int
	// Progress is told what is being done; default nobody.
	Progress io.Writer
}

func (o HooksOptions) withDefaults() (HooksOptions, error) {
	def := func(n *int, value int) {
		if *n == 0 {
			*n = value
		}
	}
	def(&o.Pairs, 1)
	def(&o.Callers, 8)
	def(&o.Viewers, 1000)
	def(&o.Joins, 5000)
	def(&o.JoinRate, 1000)
	if o.Duration == 0 {
		o.Duration = 10 * time.Second
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if o.Server == "" {
		self, err := thisProgram()
		if err != nil {
			return o, err
		}
		o.Server = self[0]
	}
	return o, nil
}

// hookScript has a rule for each thing that is measured; who names none is let
// in at once. %[1]s is a server's address.
const hookScript = `local server = "http://%[1]s/"
local rules = {
  spin = function() while true do end end,
  grow = function() local t = {} while true do t[#t + 1] = {} end end,
  sleep = function() while true do millrace.http.get(server .. "never") end end,
  wait = function()
    local answer = millrace.http.get(server .. "soon", { timeout = 0.4 })
    return answer ~= nil and answer.status == 200
  end,
}
function on_play(v)
  local rule = rules[v.params.rule]
  if rule then return rule() end
  return true
end
`

// hooksConfig comes after the rest of a server's configuration.
const hooksConfig = `[hooks]
scripts = [%q]
http_allow = [%q]
`

// answerAfter is how long a script's HTTP server takes.
const answerAfter = 100 * time.Millisecond

// Hooks measures what scripts that mean harm do to everybody else, and what
// many joins do that wait for a script. When ctx ends, it reports what it has.
func Hooks(ctx context.Context, o HooksOptions) (HooksReport, error) {
	o, err := o.withDefaults()
	r := HooksReport{Machine: machineText(), Began: time.Now()}
	if err != nil {
		return r, err
	}
	// Those that measure wait in system calls; none should wait for a place to
	// go on in.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(64))
	slow, err := startSlowServer()
	if err != nil {
		return r, err
	}
	defer func() { _ = slow.Close() }()
	for range o.Pairs {
		err := o.pair(ctx, slow.Addr, &r)
		if ctx.Err() != nil && len(r.Stalls)+len(r.Joins) > 0 {
			return r, nil
		}
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// startSlowServer answers /soon after a while, and all else never.
func startSlowServer() (*http.Server, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for scripts: %w", err)
	}
	s := &http.Server{Addr: ln.Addr().String(), ReadHeaderTimeout: time.Minute}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/soon" {
			pause(r.Context(), answerAfter)
			return
		}
		<-r.Context().Done()
	})
	go func() { _ = s.Serve(ln) }() // it ends with Close
	return s, nil
}

// pair measures each thing once, with a server of its own.
func (o HooksOptions) pair(ctx context.Context, slow string, r *HooksReport) error {
	if o.Callers > 0 {
		for _, rule := range []string{"", "spin", "sleep", "grow"} {
			run, err := o.stalls(ctx, slow, rule)
			if err != nil {
				return err
			}
			r.Stalls = append(r.Stalls, run)
			fmt.Fprintln(o.Progress, run.summary())
		}
	}
	if o.Joins > 0 {
		for _, rule := range []string{"", "wait"} {
			run, err := o.joins(ctx, slow, rule)
			if err != nil {
				return err
			}
			r.Joins = append(r.Joins, run)
			fmt.Fprintln(o.Progress, run.summary())
		}
	}
	return nil
}

// startHooked starts a server with the script and a merge window.
func (o HooksOptions) startHooked(ctx context.Context, slow, window string) (*subject, error) {
	script := fmt.Sprintf(hookScript, slow)
	return startMillraceWith(ctx, o.Server, window, func(s *subject) (string, error) {
		file, err := s.write("rules.lua", script)
		return fmt.Sprintf(hooksConfig, file, slow), err
	})
}
