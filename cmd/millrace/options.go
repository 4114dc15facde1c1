package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/conf"
	"github.com/millrace/millrace/core"
	"github.com/millrace/millrace/core/certificate"
	"github.com/millrace/millrace/core/httpflv"
	"github.com/millrace/millrace/core/netloop"
	"github.com/millrace/millrace/core/stream"
	"github.com/millrace/millrace/core/web"
)

// options are the server's, from a configuration.
func options(c conf.Config, log *slog.Logger) core.Options {
	return core.Options{
		Logger: log, Version: version, Loops: loops(c.Server.Loops),
		RTMP: addresses(c.RTMP.Listen), HTTP: addresses(c.HTTP.Listen), Admin: c.Admin.Listen,
		ChunkSize: c.RTMP.ChunkSize,
		PluginSocket: core.PluginSocket{
			Path: c.PluginSocket.Path, Mode: c.PluginSocket.Mode.Perm(), Token: c.PluginSocket.Token,
		},
		Live: live(c),
	}
}

func addresses(listen []conf.Listen) []netloop.Address {
	all := make([]netloop.Address, len(listen))
	for i, l := range listen {
		all[i] = netloop.Address{Addr: l.Addr, TLS: l.TLS, ProxyProtocol: l.ProxyProtocol}
	}
	return all
}

// live are the options that a reload puts in force.
func live(c conf.Config) core.Live {
	return core.Live{
		Net: netloop.Settings{
			Limits: limits(c.Limits), Viewers: viewers(c.Stream),
			ReadWindowMax: time.Duration(c.Stream.ReadWindowMax),
			NamePattern:   c.Stream.NamePattern.Regexp(),
			CORS:          httpflv.CORS{Origins: c.HTTP.CORSOrigins}, TrustedProxies: c.HTTP.TrustedProxies,
		},
		Streams: streams(c.Stream),
		Web: web.Settings{
			List: c.HTTP.List, CORSOrigins: c.HTTP.CORSOrigins, WWWDir: c.HTTP.WWWDir,
			StallTimeout: time.Duration(c.Stream.StallTimeout),
			DataDir:      absolute(c.Server.DataDir),
		},
		Certificates:  certificates(c.TLS),
		Token:         c.Admin.Token,
		StatsInterval: time.Duration(c.Server.StatsInterval),
		Shutdown:      time.Duration(c.Server.ShutdownTimeout),
	}
}

func certificates(t conf.TLS) []certificate.Pair {
	all := make([]certificate.Pair, len(t.Certificates))
	for i, c := range t.Certificates {
		all[i] = certificate.Pair(c)
	}
	return all
}

// absolute is a path that holds whatever becomes of the working directory.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func limits(l conf.Limits) netloop.Limits {
	return netloop.Limits{
		Connections: l.Connections, ConnectionsPerIP: l.ConnectionsPerIP, Waiting: l.Waiting,
		TLSHandshakes:    l.TLSHandshakes,
		HandshakeTimeout: time.Duration(l.HandshakeTimeout), ConnectTimeout: time.Duration(l.ConnectTimeout),
		PublishTimeout: time.Duration(l.PublishTimeout), RequestHeaderTimeout: time.Duration(l.RequestHeaderTimeout),
		IdleTimeout: time.Duration(l.IdleTimeout), PublishIdleTimeout: time.Duration(l.PublishIdleTimeout),
		ConnectionBuffer: int(l.ConnectionBuffer), CommandSize: int(l.CommandSize),
		MediaSize: int(l.MediaSize), PartialBytes: int(l.PartialBytes),
		ChunkStreams: l.ChunkStreams, AMFDepth: l.AMFDepth, NotsentLowat: int(l.NotsentLowat),
	}
}

func viewers(s conf.Stream) netloop.Viewers {
	window := time.Duration(s.MergeWindow.Fixed)
	if s.MergeWindow.Auto {
		window = netloop.MergeAuto
	}
	return netloop.Viewers{
		PlayWait: time.Duration(s.PlayWait), MergeWindow: window,
		MergeWindowMax: time.Duration(s.MergeWindowMax),
		MaxLag:         time.Duration(s.MaxLag), StallTimeout: time.Duration(s.StallTimeout),
	}
}

func streams(s conf.Stream) stream.Options {
	return stream.Options{
		GOPCache: s.GOPCache, OnBusy: stream.Busy(s.OnBusy), BusySilence: time.Duration(s.BusySilence),
		ReconnectGrace: time.Duration(s.ReconnectGrace), RingTime: time.Duration(s.RingTime),
		RingBytes: int64(s.RingBytes), GOPMaxBytes: int64(s.GOPMaxBytes), GOPMaxAge: time.Duration(s.GOPMaxAge),
		Memory: int64(s.Memory.Resolve(machineMemory())), MaxLag: time.Duration(s.MaxLag),
	}
}

// machineMemory is the memory of the machine in bytes, or of the control
// group if that has less.
func machineMemory() conf.Size {
	total := int64(1 << 30)
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
				if kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64); err == nil {
					total = kb << 10
				}
			}
		}
	}
	if b, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil {
			total = min(total, n)
		}
	}
	// What Go itself was told to stay below, by GOMEMLIMIT.
	return conf.Size(min(total, debug.SetMemoryLimit(-1)))
}
