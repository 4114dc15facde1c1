package core

import (
	"time"

	"github.com/millrace/millrace/core/admin"
	"github.com/millrace/millrace/core/netloop"
	"github.com/millrace/millrace/core/stream"
)

// Stats is a snapshot for the metrics.
func (s *Server) Stats() admin.Stats {
	net := s.engine.Stats()
	out := admin.Stats{
		Refused: net.Refused, Closed: net.Closed, AcceptErrors: net.AcceptErrors,
		WaitingViewers: net.Waiting, HandlerPanics: net.Panics,
		RingBytes: s.streams.Bytes(), MemoryLimit: s.streams.Options().Memory,
		ObjectBytes: s.objects.Used(),
		PluginFeeds: net.Taps, PluginBytes: net.TapBytes, PluginFrames: net.TapFrames,
		PluginBacklog: make(map[string]int64),
		ReloadsOK:     s.reloadsOK.Load(), ReloadsFailed: s.reloadsFailed.Load(),
	}
	s.streams.Budgets(func(owner string, b *stream.Budget) { out.PluginBacklog[owner] = b.Held() })
	viewers := s.streamStats(&out)
	out.Protocols = protocolStats(net, viewers)
	s.sessionStats(out.Protocols)
	for _, l := range net.Loops {
		out.Loops = append(out.Loops, loopStats(l))
		out.IngestToSocket = addHistograms(out.IngestToSocket, histogram(l.Latency))
	}
	return out
}

// streamStats adds up the streams that are and that were, and returns the
// viewers by protocol.
func (s *Server) streamStats(out *admin.Stats) (viewers [3]int64) {
	var live ended
	s.streams.Each(func(st *stream.Stream) bool {
		i := st.Info()
		if i.Lost {
			out.StreamsLost++
		} else {
			out.StreamsLive++
			out.Publishers++
		}
		out.RingFrames += i.RingFrames
		for p := range viewers {
			viewers[p] += i.Viewers[p]
		}
		live.add(st.Counters())
		return true
	})
	for _, e := range []*ended{&live, &s.ended} {
		out.FramesIn += e.framesIn.Load()
		out.FramesOut += e.framesOut.Load()
		out.FramesDroppedLag += e.dropped.Load()
		out.FramesDroppedGap += e.gaps.Load()
		out.Skips += e.skips.Load()
		out.TimestampCorrections += e.corrections.Load()
		out.GOPCacheDrops += e.gopDrops.Load()
		out.PluginGaps += e.tapGaps.Load()
		out.PluginFramesGap += e.tapMissed.Load()
	}
	return viewers
}

// protocolStats counts connections under the protocol that they speak:
// viewers over HTTP under theirs, the rest of HTTP under its own.
func protocolStats(net netloop.Stats, viewers [3]int64) map[string]admin.ProtocolStats {
	return map[string]admin.ProtocolStats{
		admin.ProtocolRTMP: {
			Connections: net.OpenRTMP, Opened: net.AllRTMP, Viewers: viewers[0],
			BytesIn: net.BytesIn, BytesOut: net.BytesOut[0],
		},
		admin.ProtocolHTTPFLV: {
			Connections: viewers[1], Opened: net.Joined[1], Viewers: viewers[1], BytesOut: net.BytesOut[1],
		},
		admin.ProtocolWSFLV: {
			Connections: viewers[2], Opened: net.Joined[2], Viewers: viewers[2], BytesOut: net.BytesOut[2],
		},
		admin.ProtocolHTTP: {
			Connections: max(net.OpenHTTP-viewers[1]-viewers[2], 0), Opened: net.AllHTTP,
		},
	}
}

func loopStats(l netloop.LoopStats) admin.LoopStats {
	return admin.LoopStats{
		Connections: l.Connections, Viewers: l.Viewers,
		Busy:   time.Duration(l.BusySeconds * float64(time.Second)),
		Passes: sum(l.Passes.Counts), PassDuration: histogram(l.Passes),
		WritevCalls: l.Writes, WritevPartial: l.PartialWrites,
		MergeWindow: l.MergeWindow, Wakeups: l.Wakeups,
	}
}

func sum(counts []uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}

func histogram(h netloop.Histogram) admin.Histogram {
	return admin.Histogram{Buckets: h.Bounds, Counts: h.Counts, Sum: h.Sum}
}

// addHistograms adds b to a; both have the same bounds, or a is empty.
func addHistograms(a, b admin.Histogram) admin.Histogram {
	if len(a.Counts) == 0 {
		return b
	}
	for i := range a.Counts {
		a.Counts[i] += b.Counts[i]
	}
	a.Sum += b.Sum
	return a
}
