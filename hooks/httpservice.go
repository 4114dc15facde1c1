package hooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	maxBody        = maxString // bytes of an answer
	maxIdlePerHost = 256       // connections kept open
)

// httpService does the requests of scripts. Its methods may be called from any
// goroutine.
type httpService struct {
	client *http.Client
	allow  func() []string
}

// newHTTPService makes one with keep-alive. Redirects are not followed: they
// are an answer that a script may want to see, and would lead past the list.
func newHTTPService(transport http.RoundTripper, allow func() []string) *httpService {
	if transport == nil {
		transport = &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConns:        4 * maxIdlePerHost,
			MaxIdleConnsPerHost: maxIdlePerHost,
			IdleConnTimeout:     90 * time.Second,
			TLSHandshakeTimeout: 5 * time.Second,
			DisableCompression:  true, // a small body may unpack to a huge one
		}
	}
	return &httpService{allow: allow, client: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// close ends idle connections.
func (h *httpService) close() { h.client.CloseIdleConnections() }

// httpRequest is what a script asks for.
type httpRequest struct {
	method, url, body string
	headers           map[string]string
	timeout           time.Duration
}

// httpAnswer is what came back; header names are in lower case.
type httpAnswer struct {
	status  int
	body    string
	headers map[string]string
}

// do sends one request and reads the whole answer.
func (h *httpService) do(r httpRequest) (*httpAnswer, error) {
	u, err := url.Parse(r.url)
	if err != nil {
		return nil, fmt.Errorf("parse the address: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("only http and https addresses can be asked")
	}
	if !allowedHost(u, h.allow()) {
		return nil, fmt.Errorf("host %q is not in hooks.http_allow", u.Host)
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, strings.NewReader(r.body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("User-Agent", "millrace")
	for k, v := range r.headers {
		if strings.EqualFold(k, "host") {
			req.Host = v
			continue
		}
		req.Header.Set(k, v)
	}
	res, err := h.client.Do(req)
	if err != nil {
		return nil, plainError(err)
	}
	defer res.Body.Close()
	return readAnswer(res)
}

// plainError leaves the address out: it may carry a secret, and the error is
// likely to be logged.
func plainError(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		if e.Timeout() {
			return errors.New("the server did not answer in time")
		}
		return e.Err
	}
	return err
}

func readAnswer(res *http.Response) (*httpAnswer, error) {
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", plainError(err))
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxBody)
	}
	a := &httpAnswer{status: res.StatusCode, body: string(body), headers: map[string]string{}}
	for k, v := range res.Header {
		a.headers[strings.ToLower(k)] = strings.Join(v, ", ")
	}
	return a, nil
}

// allowedHost tells whether the list names u's host: "host", "host:port",
// "*.example.com" (its subdomains), or "*" for all.
func allowedHost(u *url.URL, list []string) bool {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	for _, entry := range list {
		entry = strings.ToLower(entry)
		if h, p, err := net.SplitHostPort(entry); err == nil {
			if p != port {
				continue
			}
			entry = h
		}
		entry = strings.Trim(entry, "[]")
		if entry == "*" || entry == host {
			return true
		}
		if suffix, ok := strings.CutPrefix(entry, "*"); ok && strings.HasPrefix(suffix, ".") && strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}
