package main_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	configuration "github.com/millrace/millrace/conf"
	"github.com/millrace/millrace/core/certificate"
)

// issue puts a new certificate for names, which ends after life, into
// dir/base.pem and .key.
func issue(t *testing.T, dir, base string, life time.Duration, names ...string) certificate.Pair {
	t.Helper()
	p := certificate.Pair{Cert: filepath.Join(dir, base+".pem"), Key: filepath.Join(dir, base+".key")}
	c, err := certificate.SelfSigned(life, names...)
	if err == nil {
		err = certificate.Save(c, p)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// startSecure starts a server whose listeners all speak TLS.
func startSecure(t *testing.T, overrides conf) *server {
	t.Helper()
	p := issue(t, t.TempDir(), "a", time.Hour, "a.example", "localhost")
	c := conf{"rtmp.listen": securely, "http.listen": securely}
	for k, v := range overrides {
		c[k] = v
	}
	s := startServer(t, c, "MILLRACE_TLS="+p.Cert+":"+p.Key)
	for _, list := range []*[]string{&s.rtmp, &s.http} {
		for i := range *list {
			(*list)[i] = tlsAddr + (*list)[i]
		}
	}
	return s
}

const securely = `[{addr = "127.0.0.1:0", tls = true}]`

// secureURL is a URL of a server that startSecure has started.
func secureURL(scheme, addr, path string) string {
	return scheme + "://" + strings.TrimPrefix(addr, tlsAddr) + path
}

// TestTLSClients publishes and plays with programs that have TLS of their own.
func TestTLSClients(t *testing.T) {
	t.Parallel()
	srv := startSecure(t, nil)
	rtmps, https := secureURL("rtmps", srv.rtmp[0], "/live/x"), secureURL("https", srv.http[0], "/live/x.flv")
	file := source(t, "av")
	pub := publishOnce(t, rtmps, file, nil, []string{"-tls_verify", "0"})
	srv.waitStream(t, "live/x")
	ffmpeg := func(url string) recorder {
		return record(t, "ffmpeg", func(file string) []string {
			return append(ffmpegArgs, "-tls_verify", "0", "-copyts", "-i", url, "-c", "copy", "-f", "flv", file)
		})
	}
	players := map[string]recorder{
		"ffmpeg rtmps": ffmpeg(rtmps), "ffmpeg https": ffmpeg(https),
		"curl 1.1": curl(t, https, "-k", "--http1.1"), "curl 2": curl(t, https, "-k", "--http2"),
	}
	eventually(t, "all watch", func() bool { return len(srv.clients(t, "player")) == len(players) })
	pub.succeed(t)
	want := decoded(t, file, "va")
	for name, r := range players {
		t.Run(name, func(t *testing.T) {
			r.succeed(t) // an end that is not clean is an error to each of them
			wantPart(t, decoded(t, r.file, "va"), want)
		})
	}
}

// TestTLSFidelity wants every byte of every frame by each protocol.
func TestTLSFidelity(t *testing.T) {
	t.Parallel()
	tags := firstSeconds(sourceTags(t, "av"), 6)
	srv := startSecure(t, nil)
	p := srv.publish(t, "live/x")
	captures := srv.awaitingAll(t, append(slices.Clone(protocols), "http2"), "live/x")
	startFeedOnce(p, tags, 0)()
	for _, c := range captures {
		sameTags(t, c.end(t), tags)
	}
}

// TestTLSGoodbye stops the server: viewers by any protocol get a clean end.
func TestTLSGoodbye(t *testing.T) {
	t.Parallel()
	srv := startSecure(t, nil)
	srv.feed(t, "live/x", sourceTags(t, "av"))
	srv.waitStream(t, "live/x")
	captures := srv.awaitingAll(t, append(slices.Clone(protocols), "http2"), "live/x")
	srv.signal(syscall.SIGTERM)
	for _, c := range captures {
		<-c.done
		if err := cleanEnd(c.viewer, c.err, wsGoingAway, wsNormal); err != nil {
			t.Errorf("%s after %d tags: %v", c.protocol, len(c.tags), err)
		}
	}
}

// TestHTTP2Viewers has them treated as others: counted, kicked, refused, and
// ended when they do not read.
func TestHTTP2Viewers(t *testing.T) {
	t.Parallel()
	srv := startSecure(t, conf{"stream.stall_timeout": `"6s"`})
	srv.feed(t, "live/x", sourceTags(t, "av"))
	srv.waitStream(t, "live/x")
	v := srv.watch(t, "http2", "live/x?audio=0", nil)
	nextThat(t, v, "a keyframe", tag.isKeyframe)
	players := srv.clients(t, "player")
	if len(players) != 1 || players[0].Protocol != "http-flv" {
		t.Fatalf("players: %+v", players)
	}
	if status, body := srv.adminCall(t, "DELETE", "/api/v1/clients/"+players[0].ID); status != http.StatusOK && status != http.StatusNoContent {
		t.Errorf("kick: %d %s", status, body)
	}
	for _, g := range readToEnd(t, v, patience) {
		if g.isAudio() {
			t.Fatal("audio comes that was not asked for")
		}
	}
	for path, want := range map[string]int{"live/none?wait=0": 404, "live/x?audio=2": 400} {
		var refused refusedHTTP
		if _, err := srv.tryWatch("http2", path, nil); !errors.As(err, &refused) || refused.status != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	srv.watch(t, "http2", "live/x", nil) // and never read
	eventually(t, "it has gone", func() bool { return len(srv.clients(t, "player")) == 0 })
	srv.waitLog(t, map[string]string{"msg": "viewer left", "reason": "stalled: the socket took no byte for 6s (stream.stall_timeout)"})
}

// h2Viewer watches a stream over HTTP/2.
type h2Viewer struct {
	*flvReader
	body io.ReadCloser
	gone context.CancelFunc
	late *time.Timer
}

func watchHTTP2(addr, path string) (*h2Viewer, error) {
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10}, // or who reads nothing takes 4 MiB
	}}
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, secureURL("https", addr, path), nil)
	if err != nil {
		cancel()
		return nil, err
	}
	answer, err := client.Do(req)
	if err != nil {
		cancel()
		return nil, err
	}
	if answer.ProtoMajor != 2 || answer.StatusCode != http.StatusOK {
		cancel()
		return nil, refusedHTTP{status: answer.StatusCode}
	}
	return &h2Viewer{flvReader: &flvReader{r: answer.Body}, body: answer.Body, gone: cancel}, nil
}

func (v *h2Viewer) Close() error {
	v.gone()
	return v.body.Close()
}

// SetReadDeadline ends the viewer at its deadline.
func (v *h2Viewer) SetReadDeadline(at time.Time) error {
	if v.late != nil {
		v.late.Stop()
	}
	v.late = time.AfterFunc(time.Until(at), v.gone)
	return nil
}

// shown is the certificate that a server shows to who asks for name.
func (s *server) shown(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	c, err := tls.Dial("tcp", s.http[0], &tls.Config{InsecureSkipVerify: true, ServerName: name})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0]
}

// TestCertificates shows each name its certificate, and a new one once the
// files have changed, without a restart.
func TestCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := issue(t, dir, "a", time.Hour, "a.example"), issue(t, dir, "b", time.Hour, "b.example")
	srv := startServer(t, conf{"http.listen": securely}, "MILLRACE_TLS="+a.Cert+":"+a.Key+","+b.Cert+":"+b.Key)
	for name, want := range map[string]string{"a.example": "a.example", "b.example": "b.example", "": "a.example"} {
		if got := srv.shown(t, name).DNSNames[0]; got != want {
			t.Errorf("%q is shown %s", name, got)
		}
	}
	old := srv.shown(t, "b.example")
	issue(t, dir, "b", time.Hour, "b.example")
	eventually(t, "the new one is shown", func() bool { return !srv.shown(t, "b.example").Equal(old) })
}

// TestReloadOfCertificates names other files in the configuration. Files that
// are of no use change nothing.
func TestReloadOfCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := issue(t, dir, "a", time.Hour, "a.example"), issue(t, dir, "b", time.Hour, "b.example")
	list := func(p certificate.Pair) string { return configuration.Certificate(p).String() }
	srv := startServer(t, conf{"http.listen": securely, "tls": "[" + list(a) + "]"})
	srv.quiet = false
	mixed := certificate.Pair{Cert: a.Cert, Key: b.Key}
	srv.rewrite(t, list(a), list(mixed))
	srv.signal(syscall.SIGHUP)
	srv.waitLog(t, map[string]string{"level": "ERROR", "msg": "configuration was not reloaded, the old one stays in force"})
	srv.rewrite(t, list(mixed), list(a)+", "+list(b))
	srv.signal(syscall.SIGHUP)
	srv.waitLog(t, map[string]string{"msg": "configuration changed", "key": "tls"})
	for _, name := range []string{"a.example", "b.example"} {
		if got := srv.shown(t, name).DNSNames[0]; got != name {
			t.Errorf("%s is shown %s", name, got)
		}
	}
}

// TestCheckCertificates has the checker say what is wrong with them.
func TestCheckCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good, other, old := issue(t, dir, "good", time.Hour, "a"), issue(t, dir, "other", time.Hour, "b"), issue(t, dir, "old", -time.Hour, "c")
	for _, c := range []struct {
		name, cert, key string
		status          int
		want            string
	}{
		{"good", good.Cert, good.Key, 0, "no problems"},
		{"missing", good.Cert + "x", good.Key, 1, "no such file"},
		{"key of another", good.Cert, other.Key, 1, "private key does not match"},
		{"expired", old.Cert, old.Key, 0, "warning: tls: certificate " + old.Cert + " expired"},
	} {
		file := filepath.Join(dir, strings.ReplaceAll(c.name, " ", "-")+".toml")
		writeFile(t, file, "[[tls]]\ncert = \""+c.cert+"\"\nkey = \""+c.key+"\"\n")
		p := startCommand(t, patience, serverCommand("check", "-c", file))
		if status := p.wait(t); status != c.status || !strings.Contains(p.out.String(), c.want) {
			t.Errorf("%s: exit status %d, %s", c.name, status, p.out)
		}
	}
}

// TestChromiumOverTLS plays the page over HTTPS, which a browser does by HTTP/2,
// and over WSS.
func TestChromiumOverTLS(t *testing.T) {
	srv := startSecure(t, conf{"rtmp.listen": `["127.0.0.1:0"]`})
	publishLoop(t, "rtmp://"+strings.TrimPrefix(srv.rtmp[0], tlsAddr)+"/live/x", source(t, "av"))
	srv.waitStream(t, "live/x")
	for _, via := range []string{"http", "ws"} {
		t.Run(via, func(t *testing.T) {
			ctx := startChromium(t, "--ignore-certificate-errors")
			page := secureURL("https", srv.http[0], "/?stream=live/x&via="+via)
			if err := chromedp.Run(ctx, chromedp.Navigate(page), chromedp.WaitReady("#video")); err != nil {
				t.Fatalf("open the page: %v", err)
			}
			first := waitPicture(t, ctx, picture0)
			waitPicture(t, ctx, func(p pictureState) bool { return p.Time > first.Time+2 && p.Decoded > first.Decoded+40 })
			srv.waitStreamThat(t, "live/x", "has one viewer", func(s *streamInfo) bool { return s.ViewersByProtocol[via+"-flv"] == 1 })
		})
	}
}
