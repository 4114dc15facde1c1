package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/millrace/millrace/conf"
)

// adminClient asks a running server's admin listener.
type adminClient struct {
	base  string // "http://127.0.0.1:8502"
	token string
}

// adminPatience is how long an answer may take: a plugin's swap takes longest.
const adminPatience = restartPatience + 10*time.Second

// newAdminClient finds the server by its configuration file.
func newAdminClient(file string) (*adminClient, error) {
	c, err := conf.Load(file, os.Environ())
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(c.Admin.Listen)
	if err != nil || port == "0" {
		return nil, fmt.Errorf("admin.listen is %q: there is no address to ask", c.Admin.Listen)
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1" // it listens everywhere
		if err == nil && ip.Is6() {
			host = "::1"
		}
	}
	return &adminClient{base: "http://" + net.JoinHostPort(host, port), token: c.Admin.Token}, nil
}

// call asks, and decodes the answer into v unless v is nil.
func (a *adminClient) call(ctx context.Context, method, path string, v any) error {
	ctx, cancel := context.WithTimeout(ctx, adminPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, nil)
	if err != nil {
		return err
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	client := http.Client{Transport: &http.Transport{}} // no proxy of the environment's
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask the server at %s: %w", a.base, errors.Unwrap(err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	if res.StatusCode >= 300 {
		return refusal(res, body)
	}
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	return nil
}

// refusal is the reason that an answer gives.
func refusal(res *http.Response, body []byte) error {
	var answer struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &answer) == nil && answer.Error != "" {
		return errors.New(answer.Error)
	}
	return errors.New("the server answers " + res.Status)
}

// segments makes a path of names, of which the last may have slashes.
func segments(names ...string) string {
	for i, name := range names {
		names[i] = strings.ReplaceAll(url.PathEscape(name), "%2F", "/")
	}
	return strings.Join(names, "/")
}

// parseAnywhere parses flags wherever they stand, and returns the arguments
// that are none.
func parseAnywhere(flags *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			return rest, nil
		}
		rest, args = append(rest, flags.Arg(0)), flags.Args()[1:]
	}
}

// adminFlags are those of a command that asks a running server.
func adminFlags(name, usage string, stderr io.Writer) (flags *flag.FlagSet, file *string) {
	flags = flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	return flags, flags.String("c", "", "the server's configuration file")
}

// usageStatus is the exit status after arguments that cannot be parsed.
func usageStatus(err error) int {
	if errors.Is(err, flag.ErrHelp) {
		return exitDone
	}
	return exitUsage
}
