package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// streamInfo is a stream as the admin API gives it.
type streamInfo struct {
	App, Name, State string
	Publisher        *struct {
		ID         string
		RemoteAddr string `json:"remote_addr"`
		Protocol   string
	}
	Video struct {
		Codec         string
		Width, Height int
	}
	Audio struct {
		Codec      string
		SampleRate int `json:"sample_rate"`
		Channels   int
	}
	Viewers              int
	ViewersByProtocol    map[string]int `json:"viewers_by_protocol"`
	BytesIn              int64          `json:"bytes_in"`
	FramesIn             int64          `json:"frames_in"`
	TimestampCorrections int64          `json:"timestamp_corrections"`
	DroppedFrames        int64          `json:"dropped_frames"`
	Since                time.Time
}

// clientInfo is a connection as the admin API gives it.
type clientInfo struct {
	ID, Protocol, Role, App, Name string
	RemoteAddr                    string `json:"remote_addr"`
	BytesIn                       int64  `json:"bytes_in"`
	BytesOut                      int64  `json:"bytes_out"`
	LagMS                         int64  `json:"lag_ms"`
	DroppedFrames                 int64  `json:"dropped_frames"`
	Since                         time.Time
}

var adminClient = &http.Client{Timeout: patience}

// adminCall asks the admin listener and returns status and body.
func (s *server) adminCall(t *testing.T, method, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+s.admin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	res, err := adminClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return res.StatusCode, string(body)
}

// adminJSON decodes the answer of a GET that must be 200.
func (s *server) adminJSON(t *testing.T, path string, into any) {
	t.Helper()
	status, body := s.adminCall(t, http.MethodGet, path)
	if status != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, status, body)
	}
	if err := json.Unmarshal([]byte(body), into); err != nil {
		t.Fatalf("GET %s: %v in %s", path, err, body)
	}
}

// stream returns a stream, or nil if there is none.
func (s *server) stream(t *testing.T, path string) *streamInfo {
	t.Helper()
	status, body := s.adminCall(t, http.MethodGet, "/api/v1/streams/"+path)
	if status == http.StatusNotFound {
		return nil
	}
	var info streamInfo
	if err := json.Unmarshal([]byte(body), &info); err != nil || status != http.StatusOK {
		t.Fatalf("stream %s: status %d, %v in %s", path, status, err, body)
	}
	return &info
}

// waitStream waits until a stream is live and returns it.
func (s *server) waitStream(t *testing.T, path string) *streamInfo {
	t.Helper()
	return s.waitStreamThat(t, path, "is live", func(info *streamInfo) bool { return info.State == "live" })
}

// waitStreamThat waits until a stream is there and ok holds.
func (s *server) waitStreamThat(t *testing.T, path, what string, ok func(*streamInfo) bool) *streamInfo {
	t.Helper()
	var info *streamInfo
	if err := poll(patience, func() bool { info = s.stream(t, path); return info != nil && ok(info) }); err != nil {
		t.Fatalf("no stream %s that %s: %+v", path, what, info)
	}
	return info
}

// waitGone waits until a stream has ended.
func (s *server) waitGone(t *testing.T, path string) {
	t.Helper()
	eventually(t, "end of "+path, func() bool { return s.stream(t, path) == nil })
}

// allClients returns all connections.
func (s *server) allClients(t *testing.T) []clientInfo {
	t.Helper()
	var all struct{ Clients []clientInfo }
	s.adminJSON(t, "/api/v1/clients", &all)
	return all.Clients
}

// connected counts those who publish a stream, watch it or wait for it.
func (s *server) connected(t *testing.T, path string) (n int) {
	t.Helper()
	path, _, _ = strings.Cut(path, "?")
	for _, c := range s.allClients(t) {
		if c.App+"/"+c.Name == path {
			n++
		}
	}
	return n
}

// clients returns the connections of a role.
func (s *server) clients(t *testing.T, role string) []clientInfo {
	t.Helper()
	var some []clientInfo
	for _, c := range s.allClients(t) {
		if c.Role == role {
			some = append(some, c)
		}
	}
	return some
}

// metric returns the sum of all series of a metric.
func (s *server) metric(t *testing.T, name string) float64 {
	t.Helper()
	_, body := s.adminCall(t, http.MethodGet, "/metrics")
	sum, found := 0.0, false
	for line := range strings.Lines(body) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if base, _, _ := strings.Cut(series, "{"); !ok || base != name {
			continue
		}
		sum, found = sum+parseFloat(t, value), true
	}
	if !found {
		t.Errorf("no metric %s", name)
	}
	return sum
}
