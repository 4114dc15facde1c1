package netloop

import (
	"log/slog"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp"
	"github.com/millrace/millrace/core/stream"
)

// publisher turns a connection's media messages into frames of its stream.
type publisher struct {
	// What each read touches comes first.
	rtmp    *rtmpConn
	pub     *stream.Publication
	fed     int   // messages that came since the last flush
	counted int64 // until when its messages have counted, ns: see share
	bitrate bitrate
	// maskedHEVC: its AVC is HEVC, as OBS before 29.1 sends it.
	maskedHEVC bool
	gathered   gathered

	streamID uint32
	ignored  uint64
}

func newPublisher(h *rtmpConn, k stream.Key, ev rtmp.EventPublish, v event.Verdict) (*publisher, error) {
	c := h.conn
	p := &publisher{rtmp: h, streamID: ev.StreamID}
	p.bitrate.max = v.MaxBitrate
	if b := c.bounds; p.bitrate.max == 0 && b != nil {
		p.bitrate.max = b.maxBitrate
	}
	pub, err := c.engine.options.Streams.Publish(k, stream.Publisher{
		Peer: c.peer.Addr().String(), Query: ev.Query, Asked: stream.Key{App: ev.App, Name: ev.Name},
		ID: c.idString(), Protocol: c.spoken(string(c.protocol)), RemoteAddr: c.peer.String(),
		Labels: v.Labels, Record: v.Record,
		TCURL: h.tcURL, PageURL: h.pageURL, FlashVer: h.flashVer,
		Evict:    func(reason string) { c.loop.post(func() { h.evicted(p, reason) }) },
		Metadata: flv.Metadata{}.Live,
	}, c.loop.now())
	if err != nil {
		return nil, err
	}
	p.pub = pub
	c.engine.log.Info("publisher joined", c.attrs(
		slog.String("event", event.Publish),
		slog.String(event.Stream, k.String()),
		slog.String(event.UserAgent, h.flashVer))...)
	return p, nil
}

// write takes one media message; room is its own from here on.
func (p *publisher) write(kind media.Kind, ts uint32, room []byte) {
	now := p.rtmp.conn.loop.now()
	payload := media.Payload(room)
	p.rtmp.conn.loop.stats.in.Add(uint64(len(payload)))
	if breach := p.bitrate.add(len(payload), now); breach != "" {
		p.pub.Kick(breach)
	}
	if kind == media.Data {
		p.writeData(room, ts, now)
		return
	}
	err := flv.Split(kind, payload, func(part flv.Part) {
		if flv.HasPlain(kind, part.Header) {
			p.pub.Write(p.frame(kind, room, part), ts, now)
		}
	})
	if err != nil {
		p.ignore(kind, err)
	}
	p.fed++
}

// frame makes the frame of a part of a message. A message of one part becomes
// the frame as it is, a part of several is copied.
func (p *publisher) frame(kind media.Kind, room []byte, part flv.Part) *media.Frame {
	payload := media.Payload(room)
	if kind == media.Video && part.Codec == media.AVC && !part.Enhanced {
		p.unmaskHEVC(&part, payload)
	}
	var header []byte
	if part.Enhanced {
		header = flv.AppendPlain(nil, kind, part.Header)
	}
	if part.End != len(payload) || part.Start > media.MaxHeader {
		room = media.NewRoom(len(header) + part.End - part.Start)
		copy(media.Payload(room)[len(header):], payload[part.Start:part.End])
		part.Start = len(header)
	}
	f := media.NewFrame(kind, room, part.Start)
	f.Codec, f.Flags, f.CTS, f.Nano, f.Track = part.Codec, part.Flags, part.CTS, part.Nano, part.Track
	if header != nil {
		f.SetHeader(header)
	}
	return f
}

// unmaskHEVC has HEVC that is labelled AVC travel under its own name, from its
// sequence header on.
func (p *publisher) unmaskHEVC(part *flv.Part, payload []byte) {
	if part.Flags&media.Config != 0 {
		p.maskedHEVC = flv.IsHEVCConfig(payload[part.Start:])
	}
	if p.maskedHEVC {
		part.Codec, part.Enhanced = media.HEVC, true
	}
}

// writeData takes a data message: onMetaData is the stream's, others travel
// as they are.
func (p *publisher) writeData(room []byte, ts uint32, now int64) {
	c := p.rtmp.conn
	limits := amf.Limits{Depth: c.engine.Settings().Limits.AMFDepth}
	m, err := flv.ParseMetadata(media.Payload(room), limits)
	switch err {
	case nil:
		audio, video := m.Announces()
		p.pub.SetMetadata(m.Live, audio, video, now)
	case flv.ErrNotMetadata:
		p.pub.Write(media.NewFrame(media.Data, room, 0), ts, now)
	default:
		p.ignore(media.Data, err)
	}
	p.fed++
}

// ignore counts a message that is of no use; the first is logged.
func (p *publisher) ignore(kind media.Kind, err error) {
	p.pub.Stream.Counters().Ignored.Add(1)
	if p.ignored++; p.ignored == 1 {
		c := p.rtmp.conn
		c.engine.log.Warn("publisher sends messages of no use", c.attrs(
			slog.String(event.Stream, p.pub.Stream.Key.String()),
			slog.String("kind", kind.String()),
			slog.String(event.Reason, err.Error()))...)
	}
}

// flush tells the viewers of frames that came.
func (p *publisher) flush() {
	if p.fed > 0 {
		p.fed = 0
		p.rtmp.conn.loop.wakeStream(p.pub.Stream)
	}
}

// checkIdle ends a publisher that has sent no media for limit ns, whatever
// else it sends.
func (p *publisher) checkIdle(now, limit int64) {
	c := p.rtmp.conn
	due := p.pub.LastMedia() + limit
	if due > now {
		c.setDeadline(due)
		return
	}
	const reason = "no media in limits.publish_idle_timeout"
	p.rtmp.unpublish(false, reason)
	p.rtmp.session.EndPublish(p.streamID, rtmp.CodePublishRejected, reason)
	p.rtmp.answer()
	c.finish(causeTimeout, reason)
}

func (p *publisher) close(clean bool, reason string) {
	c := p.rtmp.conn
	c.engine.log.Info("publisher left", c.attrs(
		slog.String(event.Stream, p.pub.Stream.Key.String()),
		slog.Bool("clean", clean),
		slog.String(event.Reason, reason),
		slog.Uint64(event.BytesIn, c.bytesIn))...)
	c.loop.ungather(p)
	p.pub.Close(clean, reason, c.loop.now())
	c.loop.wakeStream(p.pub.Stream)
}
