package bench

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/millrace/millrace/core/certificate"
)

// subject is a server under measurement, with a process and ports of its own.
type subject struct {
	*process
	dir   string // its files, removed at the end
	ports struct{ rtmp, http, admin, rtmps, https int }
}

// stop ends the server and removes its files. A nil subject is none.
func (s *subject) stop() {
	if s == nil {
		return
	}
	if s.process != nil {
		s.process.stop()
	}
	_ = os.RemoveAll(s.dir)
}

// url is that of the stream by a protocol.
func (s *subject) url(p Protocol) string { return s.streamURL(p, "bench") }

// streamURL is that of one of several streams.
func (s *subject) streamURL(p Protocol, name string) string {
	switch p {
	case HTTPFLV:
		return fmt.Sprintf("http://127.0.0.1:%d/live/%s.flv", s.ports.http, name)
	case WSFLV:
		return fmt.Sprintf("ws://127.0.0.1:%d/live/%s.flv", s.ports.http, name)
	case HTTPSFLV:
		return fmt.Sprintf("https://127.0.0.1:%d/live/%s.flv", s.ports.https, name)
	case WSSFLV:
		return fmt.Sprintf("wss://127.0.0.1:%d/live/%s.flv", s.ports.https, name)
	case RTMPS:
		return fmt.Sprintf("rtmps://127.0.0.1:%d/live/%s", s.ports.rtmps, name)
	}
	return fmt.Sprintf("rtmp://127.0.0.1:%d/live/%s", s.ports.rtmp, name)
}

// write puts a file into the subject's folder, and returns its path.
func (s *subject) write(name, content string) (string, error) {
	file := filepath.Join(s.dir, name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	return file, nil
}

// metrics is the URL of a Millrace's, "" of another server.
func (s *subject) metrics() string {
	if s.ports.admin == 0 {
		return ""
	}
	return fmt.Sprintf("http://127.0.0.1:%d/metrics", s.ports.admin)
}

const millraceConfig = `[plugins.flv]
enabled = false
[plugins.mp4]
enabled = false
[plugins.hls]
enabled = false
[log]
level = "warn"
[rtmp]
listen = ["127.0.0.1:%d", {addr = "127.0.0.1:%d", tls = true}]
[http]
listen = ["127.0.0.1:%d", {addr = "127.0.0.1:%d", tls = true}]
[[tls]]
cert = %q
key = %q
[admin]
listen = "127.0.0.1:%d"
[stream]
merge_window = %q
merge_window_max = "1s"
`

// startMillrace starts a Millrace with a merge window.
func startMillrace(ctx context.Context, program, window string) (*subject, error) {
	return startMillraceWith(ctx, program, window, func(*subject) (string, error) { return "", nil })
}

// startMillraceWith is startMillrace with more configuration, which may name
// files of the subject.
func startMillraceWith(ctx context.Context, program, window string, more func(*subject) (string, error)) (*subject, error) {
	s, err := newSubject(5)
	if err != nil {
		return nil, err
	}
	pair := certificate.Pair{Cert: filepath.Join(s.dir, "cert.pem"), Key: filepath.Join(s.dir, "key.pem")}
	if err := saveSelfSigned(pair); err != nil {
		return s, err
	}
	config := fmt.Sprintf(millraceConfig, s.ports.rtmp, s.ports.rtmps, s.ports.http, s.ports.https, pair.Cert, pair.Key, s.ports.admin, window)
	if window == "auto" {
		config = strings.Replace(config, "merge_window_max = \"1s\"\n", "", 1)
	}
	added, err := more(s)
	if err != nil {
		return s, err
	}
	config += added
	health := fmt.Sprintf("http://127.0.0.1:%d/healthz", s.ports.admin)
	return s, s.launch(ctx, config, func(file string) []string { return []string{program, "serve", "-c", file} },
		func() bool { return healthy(ctx, health) })
}

func healthy(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

const nginxConfig = `load_module %s;
worker_processes 1;
worker_rlimit_nofile 65536;
daemon off;
master_process off;
error_log %s/error.log crit;
pid %s/nginx.pid;
events { worker_connections 30000; }
rtmp { server { listen 127.0.0.1:%d; chunk_size 65536; access_log off; application live { live on; %s } } }
`

// Where Debian puts them.
const (
	nginxProgram = "/usr/sbin/nginx"
	nginxModule  = "/usr/lib/nginx/modules/ngx_rtmp_module.so"
)

// hasNginx reports whether nginx with its module for RTMP is there.
func hasNginx() bool {
	for _, file := range []string{nginxProgram, nginxModule} {
		if _, err := os.Stat(file); err != nil {
			return false
		}
	}
	return true
}

// startNginx starts an nginx that does all by one process: another would not
// see the stream.
func startNginx(ctx context.Context) (*subject, error) {
	s, err := newSubject(1)
	if err != nil {
		return nil, err
	}
	return s, s.launchNginx(ctx, "")
}

// launchNginx starts an nginx whose application has more directives.
func (s *subject) launchNginx(ctx context.Context, more string) error {
	config := fmt.Sprintf(nginxConfig, nginxModule, s.dir, s.dir, s.ports.rtmp, more)
	address := fmt.Sprintf("127.0.0.1:%d", s.ports.rtmp)
	command := func(file string) []string { return []string{nginxProgram, "-p", s.dir, "-c", file} }
	return s.launch(ctx, config, command, func() bool { return answers(ctx, address) })
}

func answers(ctx context.Context, address string) bool {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// newSubject finds n free ports, at most 5, and makes a folder.
func newSubject(n int) (*subject, error) {
	var ports [5]int
	for i := range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = ln.Close() }() // once all are found, lest one comes twice
		ports[i] = ln.Addr().(*net.TCPAddr).Port
	}
	dir, err := os.MkdirTemp("", "millrace-bench-")
	if err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	s := &subject{dir: dir}
	s.ports.rtmp, s.ports.http, s.ports.admin, s.ports.rtmps, s.ports.https = ports[0], ports[1], ports[2], ports[3], ports[4]
	return s, nil
}

// launch writes the configuration, starts the process and waits until it is
// ready. The caller stops it, whatever came of it.
func (s *subject) launch(ctx context.Context, config string, command func(file string) []string, ready func() bool) error {
	file, err := s.write("server.conf", config)
	if err != nil {
		return err
	}
	if s.process, err = startProcess(command(file)); err != nil {
		return err
	}
	return s.await(ctx, "ready", ready)
}
