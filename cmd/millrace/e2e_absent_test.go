package main_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"
)

const notFound = "NetStream.Play.StreamNotFound"

// TestAbsentStream asks for what is not there.
func TestAbsentStream(t *testing.T) {
	t.Parallel()
	t.Run("after play_wait", func(t *testing.T) {
		t.Parallel()
		srv := startServer(t, conf{"stream.play_wait": `"1s"`})
		for _, protocol := range protocols {
			begin := time.Now()
			_, err := srv.tryWatch(protocol, "live/none", nil)
			wantAbsent(t, protocol, err)
			t.Logf("%s: after %v", protocol, time.Since(begin))
		}
	})
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		srv := startServer(t, conf{"stream.play_wait": `"10m"`})
		for _, protocol := range protocols[1:] {
			_, err := srv.tryWatch(protocol, "live/none?wait=0", nil)
			wantAbsent(t, protocol, err)
		}
		if status := head(t, srv.flvURL("live/none")); status != http.StatusNotFound {
			t.Errorf("HEAD: %d", status)
		}
	})
	t.Run("viewer first", viewerFirst)
	t.Run("too many wait", tooManyWait)
}

// wantAbsent wants the protocol's word for a stream that is not there.
func wantAbsent(t *testing.T, protocol string, err error) {
	t.Helper()
	var status refusedHTTP
	var no refused
	switch {
	case errors.As(err, &status) && status.status == http.StatusNotFound && protocol != "rtmp":
	case errors.As(err, &no) && no.code == notFound && no.description != "":
	default:
		t.Errorf("%s: %v", protocol, err)
	}
}

func head(t *testing.T, url string) int {
	t.Helper()
	res, err := adminClient.Head(url)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

func viewerFirst(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"stream.play_wait": `"30s"`})
	tags := sourceTags(t, "small")
	captures := srv.awaitingAll(t, protocols, "live/x")
	p := srv.publish(t, "live/x")
	startFeedOnce(p, firstSeconds(tags, 3), 0)()
	for _, c := range captures {
		sameTags(t, c.end(t), firstSeconds(tags, 3))
	}
}

func tooManyWait(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"stream.play_wait": `"2m"`, "limits.waiting": "5"})
	for i := range 5 {
		srv.startWaiting(t, fmt.Sprintf("/live/none%d.flv", i))
	}
	eventually(t, "the viewers wait", func() bool { return len(srv.allClients(t)) == 5 })
	_, err := watchHTTP(srv.http[0], "/live/none.flv", nil)
	var no refusedHTTP
	if !errors.As(err, &no) || no.status != http.StatusNotFound || no.header.Get("Retry-After") == "" {
		t.Errorf("the sixth: %v %v", err, no.header)
	}
	_, err = playRTMP(srv.rtmp[0], "live/none", nil)
	wantAbsent(t, "rtmp", err)
	srv.waitReason(t, "limits.waiting")
}

// startWaiting sends a request and does not wait for the answer.
func (s *server) startWaiting(t *testing.T, path string) {
	t.Helper()
	conn := dialTCP(t, s.http[0])
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
}

// TestAbsentStreamsCostNoMemory asks for 20,000 streams that are not there.
func TestAbsentStreamsCostNoMemory(t *testing.T) {
	t.Parallel()
	srv := startServer(t, conf{"stream.play_wait": `"5ms"`})
	askAbsent(t, srv, 0, 4000)
	before := srv.resident(t)
	askAbsent(t, srv, 4000, 20_000)
	after := srv.resident(t)
	t.Logf("resident: %d KiB, then %d KiB", before>>10, after>>10)
	if grown := after - before; grown > 8<<20 && !raceEnabled {
		t.Errorf("resident memory grew by %d KiB", grown>>10)
	}
	var streams struct{ Streams []streamInfo }
	if srv.adminJSON(t, "/api/v1/streams", &streams); len(streams.Streams) > 0 {
		t.Errorf("%d streams came to be", len(streams.Streams))
	}
}

// askAbsent sends requests on a few kept connections; some of them wait.
func askAbsent(t *testing.T, srv *server, from, to int) {
	t.Helper()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			for i := from + worker; i < to; i += 16 {
				url := srv.flvURL(fmt.Sprintf("live/none%d", i))
				if i/16%8 > 0 {
					url += "?wait=0"
				}
				if status, err := get(client, url); err != nil || status != http.StatusNotFound {
					t.Errorf("%s: %d %v", url, status, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func get(client *http.Client, url string) (int, error) {
	res, err := client.Get(url)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}
