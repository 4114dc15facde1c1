// Command plugin-hello is the least plugin: it logs events.
//
//	[plugins.hello]
//	command = "plugin-hello"
package main

import (
	"context"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/sdk"
)

type hello struct{ host sdk.Host }

func (*hello) Info() sdk.Info {
	return sdk.Info{Name: "hello", Version: "1.0", Capabilities: sdk.Capabilities{Events: []string{"*"}}}
}

func (*hello) Configure(c sdk.Config) (problems []sdk.Problem) {
	for key := range c.Values {
		problems = append(problems, sdk.Problem{Key: key, Message: "is unknown"})
	}
	return problems
}

func (p *hello) Start(_ context.Context, h sdk.Host) error { p.host = h; return nil }
func (p *hello) Stop(context.Context) error                { return nil }

func (p *hello) HandleEvent(_ context.Context, e *event.Event) {
	p.host.Logger().Info("hello, "+e.Event, "stream_id", e.StreamID, "client_id", e.ClientID)
}

func newHello() sdk.Plugin { return &hello{} }

func main() { sdk.Serve(newHello) }
