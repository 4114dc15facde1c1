package conf

import (
	"strings"
	"time"
)

// Reload says when a changed key takes effect.
type Reload int

// The times.
const (
	// Live keys take effect on a reload: for what is already there where that
	// can be, else for new connections, streams and viewers.
	Live Reload = iota
	// Restart keys take effect when the process starts again.
	Restart
)

// String returns "live" or "restart".
func (r Reload) String() string {
	if r == Live {
		return "live"
	}
	return "restart"
}

// Key describes one key for manuals and for the log.
type Key struct {
	Name    string // "stream.max_lag"
	Env     string // "MILLRACE_STREAM_MAX_LAG"
	Default string // "5s"; lists as in TOML
	Accepts string // "a duration from 10ms to 10m"
	Reload  Reload
}

// Keys returns every key, in the order of the shipped file.
func Keys() []Key {
	c := Default()
	var keys []Key
	for _, b := range bind(&c) {
		keys = append(keys, Key{
			Name:    b.name,
			Env:     envName(b.name),
			Default: b.field.text(),
			Accepts: b.field.accepts(),
			Reload:  b.reload,
		})
	}
	return keys
}

// binding ties a key to its place in one Config.
type binding struct {
	name   string
	reload Reload
	field  field
}

// secret reports whether the key's value must stay out of logs.
func (b binding) secret() bool { return b.name == adminToken || b.name == pluginToken }

// The keys that are named elsewhere than in the table.
const (
	adminListen = "admin.listen"
	adminToken  = "admin.token"
	dataDir     = "server.data_dir"
	stateDir    = "server.state_dir"
	wwwDir      = "http.www_dir"
	pluginPath  = "plugin_socket.path"
	pluginToken = "plugin_socket.token"
	tlsKey      = "tls"
)

// bind is the table of keys: decoding, environment, manual and Diff all go
// through it, over the fields of c.
func bind(c *Config) []binding {
	var all []binding
	all = append(all, bindServer(&c.Server)...)
	all = append(all, bindLog(&c.Log)...)
	all = append(all, bindRTMP(&c.RTMP)...)
	all = append(all, bindHTTP(&c.HTTP)...)
	all = append(all, bindTLS(&c.TLS)...)
	all = append(all, bindAdmin(&c.Admin)...)
	all = append(all, bindLimits(&c.Limits)...)
	all = append(all, bindStream(&c.Stream)...)
	all = append(all, bindPluginSocket(&c.PluginSocket)...)
	all = append(all, bindHooks(&c.Hooks)...)
	return append(all, bindRecord(&c.Record)...)
}

func bindRecord(r *Record) []binding {
	return []binding{
		{"record.timezone", Restart, str(&r.Timezone, `"local", "UTC" or a name such as "Europe/Berlin"`, isTimezone)},
		{"record.path", Restart, str(&r.Path, `a template such as "{kind}/{app}/{name}/{session}", or ""`, isText)},
	}
}

// isTimezone takes names that Location knows.
func isTimezone(s string) bool {
	_, err := location(s)
	return s != "" && err == nil
}

// Location is the timezone of names.
func (r Record) Location() *time.Location {
	if at, err := location(r.Timezone); err == nil {
		return at
	}
	return time.Local
}

func location(s string) (*time.Location, error) {
	if s == "local" {
		return time.Local, nil
	}
	return time.LoadLocation(s)
}

func isText(s string) bool { return !strings.ContainsRune(s, 0) }

func bindServer(s *Server) []binding {
	return []binding{
		{"server.loops", Restart, integer(&s.Loops, 0, 1024)},
		{dataDir, Restart, someFolder(&s.DataDir)},
		{stateDir, Restart, someFolder(&s.StateDir)},
		{"server.shutdown_timeout", Live, duration(&s.ShutdownTimeout, 0, Hour)},
		{"server.stats_interval", Live, duration(&s.StatsInterval, 100*Millisecond, 24*Hour)},
	}
}

func bindLog(l *Log) []binding {
	return []binding{
		{"log.level", Live, oneOf(&l.Level, "debug", "info", "warn", "error")},
		{"log.format", Restart, oneOf(&l.Format, "text", "json")},
	}
}

func bindRTMP(r *RTMP) []binding {
	return []binding{
		{"rtmp.listen", Restart, listens(&r.Listen)},
		{"rtmp.chunk_size", Restart, integer(&r.ChunkSize, 128, 0xFFFFFF)},
	}
}

func bindHTTP(h *HTTP) []binding {
	return []binding{
		{"http.listen", Restart, listens(&h.Listen)},
		{wwwDir, Live, folder(&h.WWWDir)},
		{"http.cors_origins", Live, origins(&h.CORSOrigins)},
		{"http.list", Live, boolean(&h.List)},
		{"http.trusted_proxies", Live, networks(&h.TrustedProxies)},
	}
}

func bindAdmin(a *Admin) []binding {
	return []binding{
		{adminListen, Restart, optionalAddress(&a.Listen)},
		{adminToken, Live, token(&a.Token)},
		{"admin.faults", Live, boolean(&a.Faults)},
	}
}

func bindLimits(l *Limits) []binding {
	return []binding{
		{"limits.connections", Live, integer(&l.Connections, 0, 10_000_000)},
		{"limits.connections_per_ip", Live, integer(&l.ConnectionsPerIP, 0, 10_000_000)},
		{"limits.waiting", Live, integer(&l.Waiting, 0, 10_000_000)},
		{"limits.tls_handshakes", Live, integer(&l.TLSHandshakes, 1, 1_000_000)},
		{"limits.handshake_timeout", Live, duration(&l.HandshakeTimeout, 10*Millisecond, Hour)},
		{"limits.connect_timeout", Live, duration(&l.ConnectTimeout, 10*Millisecond, Hour)},
		{"limits.publish_timeout", Live, duration(&l.PublishTimeout, 10*Millisecond, Hour)},
		{"limits.request_header_timeout", Live, duration(&l.RequestHeaderTimeout, 10*Millisecond, Hour)},
		{"limits.idle_timeout", Live, duration(&l.IdleTimeout, 10*Millisecond, 24*Hour)},
		{"limits.publish_idle_timeout", Live, duration(&l.PublishIdleTimeout, 10*Millisecond, 24*Hour)},
		{"limits.connection_buffer", Live, size(&l.ConnectionBuffer, 4*KiB, 1*GiB)},
		{"limits.command_size", Live, size(&l.CommandSize, 1*KiB, 16*MiB)},
		{"limits.media_size", Live, size(&l.MediaSize, 1*KiB, 16*MiB)},
		{"limits.partial_bytes", Live, size(&l.PartialBytes, 1*KiB, 4*GiB)},
		{"limits.chunk_streams", Live, integer(&l.ChunkStreams, 4, 65598)},
		{"limits.amf_depth", Live, integer(&l.AMFDepth, 1, 1024)},
		{"limits.notsent_lowat", Live, size(&l.NotsentLowat, 0, 1*GiB)},
	}
}

func bindStream(s *Stream) []binding {
	return []binding{
		{"stream.name_pattern", Live, pattern(&s.NamePattern)},
		{"stream.gop_cache", Live, boolean(&s.GOPCache)},
		{"stream.on_busy", Live, oneOf(&s.OnBusy, "auto", "reject", "replace")},
		{"stream.busy_silence", Live, duration(&s.BusySilence, 10*Millisecond, Hour)},
		{"stream.reconnect_grace", Live, duration(&s.ReconnectGrace, 0, Hour)},
		{"stream.play_wait", Live, duration(&s.PlayWait, 0, Hour)},
		{"stream.merge_window", Live, mergeWindow(&s.MergeWindow, 10*Second)},
		{"stream.merge_window_max", Live, duration(&s.MergeWindowMax, 0, 10*Second)},
		{"stream.read_window_max", Live, duration(&s.ReadWindowMax, 0, Second)},
		{"stream.ring_time", Live, duration(&s.RingTime, 100*Millisecond, Hour)},
		{"stream.ring_bytes", Live, size(&s.RingBytes, 64*KiB, 64*GiB)},
		{"stream.gop_max_bytes", Live, size(&s.GOPMaxBytes, 4*KiB, 64*GiB)},
		{"stream.gop_max_age", Live, duration(&s.GOPMaxAge, 10*Millisecond, Hour)},
		{"stream.memory", Live, memory(&s.Memory, 1*MiB, 64*TiB)},
		{"stream.max_lag", Live, duration(&s.MaxLag, 10*Millisecond, Hour)},
		{"stream.stall_timeout", Live, duration(&s.StallTimeout, 10*Millisecond, 24*Hour)},
	}
}

func bindPluginSocket(p *PluginSocket) []binding {
	return []binding{
		{pluginPath, Restart, socketPath(&p.Path)},
		{"plugin_socket.mode", Restart, mode(&p.Mode)},
		{pluginToken, Restart, token(&p.Token)},
	}
}

// quoteKey writes one part of a key as TOML has to.
func quoteKey(part string) string {
	bare := func(r rune) bool {
		return r == '_' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	if part != "" && strings.TrimFunc(part, bare) == "" {
		return part
	}
	return showString(part)
}
