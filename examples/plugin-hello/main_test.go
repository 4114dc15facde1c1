package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/host"
	"github.com/millrace/millrace/plugins/plugintest"
)

func TestMain(m *testing.M) {
	if os.Getenv("HELLO") != "" {
		main()
	}
	os.Exit(m.Run())
}

func TestConforms(t *testing.T) { plugintest.Run(t, newHello) }

func TestSaysHello(t *testing.T) {
	t.Parallel()
	c := host.DefaultConfig()
	c.Command, c.Env = os.Args[0], map[string]string{"HELLO": "1"}
	r := plugintest.NewRig(t, map[string]host.Config{"hello": c}, host.Options{})
	r.AwaitState("hello", host.Running)
	r.Publish("live", "cam", 10)
	r.Await("it said hello", func() bool {
		lines, err := r.Logs("hello", 0)
		return err == nil && slices.ContainsFunc(lines, func(l string) bool {
			return strings.Contains(l, "INFO hello, "+event.StreamStart) && strings.Contains(l, "stream_id=live/cam")
		})
	})
}
