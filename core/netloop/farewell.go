package netloop

import (
	"log/slog"
	"slices"
	"time"
	"unsafe"

	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/httpflv"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/ws"
)

// known is what a viewer was told that its decoders need.
type known struct {
	metadata, video, audio *media.Frame
	others                 []*media.Frame // of other tracks, and extras
}

// learn notes that f was sent.
func (k *known) learn(f *media.Frame) {
	switch {
	case f.Kind == media.Data:
		k.metadata = f
	case f.Flags&(media.Other|media.Extra) != 0:
		others := slices.DeleteFunc(slices.Clone(k.others), f.SameRole)
		k.others = append(others, f)
	case f.Kind == media.Video:
		k.video = f
	default:
		k.audio = f
	}
}

// appendState appends what v must know before frame first: at its start the
// greeting and the newest metadata, later what it has not been told.
func (v *viewer) appendState(dst []byte, first *media.Frame) []byte {
	now, ts := first.State, first.Timestamp()
	metadata, told := now.Metadata, ts
	if !v.greeted {
		v.greeted = true
		current := v.cursor.Stream.State()
		dst = v.player.greet(dst, current.HasAudio && v.cursor.Audio, current.HasVideo && v.cursor.Video)
		// FFmpeg takes an onMetaData of another time than 0 for a track of subtitles.
		metadata, told = current.Metadata, 0
	}
	if metadata != nil && metadata != v.known.metadata {
		dst = v.appendCopy(dst, v.ownMetadata(metadata), told)
		v.known.learn(metadata)
	}
	return v.appendConfigs(dst, now, ts)
}

// appendConfigs appends the sequence headers that v wants and does not know.
func (v *viewer) appendConfigs(dst []byte, now *media.State, ts uint32) []byte {
	for _, f := range []*media.Frame{now.Video, now.Audio} {
		if f != nil && f != v.known.video && f != v.known.audio && v.cursor.Wants(f) {
			dst = v.appendCopy(dst, f, ts)
			v.known.learn(f)
		}
	}
	for _, f := range now.Others {
		if !slices.Contains(v.known.others, f) && v.cursor.Wants(f) {
			dst = v.appendCopy(dst, f, ts)
			v.known.learn(f)
		}
	}
	return dst
}

// ownMetadata is metadata that speaks only of the media that v gets: mpegts.js
// waits for each that it is told of.
func (v *viewer) ownMetadata(f *media.Frame) *media.Frame {
	if v.cursor.Video && v.cursor.Audio {
		return f
	}
	m, err := flv.ParseMetadata(f.Payload(), amf.Limits{})
	if err != nil {
		return f
	}
	st := v.cursor.Stream.State()
	own := m.Live(st.HasAudio && v.cursor.Audio, st.HasVideo && v.cursor.Video)
	own.Seal()
	return own
}

// appendCopy appends a sequence header or metadata as if it were sent at ts:
// small bytes of the viewer's own, the shared form tells another time.
func (v *viewer) appendCopy(dst []byte, f *media.Frame, ts uint32) []byte {
	f = v.group.shape.of(f)
	if v.group.shape.kind == formRTMP {
		return v.group.shape.appendMessage(dst, f, ts)
	}
	tag := make([]byte, len(f.Tag()))
	copy(tag, f.Tag())
	media.PutTagHeader(tag, f.Kind, len(f.Payload()), ts)
	return appendFramed(dst, v.group.shape.kind, tag)
}

// appendMessage appends f as an RTMP message at ts.
func (s shape) appendMessage(dst []byte, f *media.Frame, ts uint32) []byte {
	rest := f.Payload()
	dst = media.AppendRTMPHeader(dst, f.Kind, len(rest), ts, s.streamID)
	for len(rest) > s.chunkSize {
		dst = append(dst, rest[:s.chunkSize]...)
		dst = media.AppendRTMPContinuation(dst, f.Kind, ts)
		rest = rest[s.chunkSize:]
	}
	return append(dst, rest...)
}

// appendFramed appends FLV bytes as one unit of the form.
func appendFramed(dst []byte, kind formKind, b []byte) []byte {
	switch kind {
	case formChunked:
		var line [32]byte
		start := httpflv.PutChunkLine(line[:], len(line), len(b))
		dst = append(dst, line[start:]...)
		return append(append(dst, b...), "\r\n"...)
	case formWS:
		return append(ws.AppendHeader(dst, ws.OpBinary, len(b)), b...)
	}
	return append(dst, b...)
}

// farewell ends a viewer whose stream has ended and who has got all of it.
func (l *loop) farewell(v *viewer) {
	reason, _ := v.cursor.Stream.Ended()
	l.end(v, reason)
}

// end has v leave its stream with its protocol's good-bye, at its next frame
// boundary.
func (l *loop) end(v *viewer, reason string) {
	if v.ended {
		return
	}
	c := v.conn
	l.leave(v, reason)
	c.out = v.player.farewell(c.out, reason)
	if v.player.afterwards() {
		c.finish(causeServer, reason)
		return
	}
	c.flush()
}

// leave has v watch no more. The rest of the frame that it is inside of is
// copied: from here on its connection only has to send what it has.
func (l *loop) leave(v *viewer, reason string) {
	if v.cursor.Inside != nil {
		rest := v.rest()
		v.conn.rest = len(rest)
		v.conn.out = append(rest, v.conn.out...)
	}
	l.engine.viewerStopped(v, reason)
	l.detach(v)
}

// rest is a copy of what is left of the frame that v is inside of.
func (v *viewer) rest() []byte {
	var b []byte
	f, offset := v.cursor.Inside, v.cursor.Offset
	size := v.group.shape.size(f)
	for offset < size {
		for _, vec := range v.group.shape.appendFrom(nil, f, offset, maxVecs) {
			b = append(b, unsafe.Slice(vec.Base, vec.Len)...)
			offset += int(vec.Len)
		}
	}
	v.cursor.Inside = nil
	return b
}

// viewerStarted tells that a viewer has begun.
func (e *Engine) viewerStarted(v *viewer) {
	v.since = e.Now()
	e.totals.joined[v.group.key.protocol()].Add(1)
	e.log.Info("viewer joined", v.conn.attrs(
		slog.String("event", event.ViewerStart),
		slog.String(event.Stream, v.cursor.Stream.Key.String()),
		slog.String(event.UserAgent, v.userAgent))...)
}

// viewerStopped tells that a viewer has ended.
func (e *Engine) viewerStopped(v *viewer, reason string) {
	if v.stopped {
		return
	}
	v.stopped = true
	e.tellStop(v, reason)
	e.log.Info("viewer left", v.conn.attrs(
		slog.String("event", event.Stop),
		slog.String(event.Stream, v.cursor.Stream.Key.String()),
		slog.String(event.Reason, reason),
		slog.Uint64(event.BytesOut, v.conn.bytesOut),
		slog.Uint64(event.Dropped, v.cursor.Dropped),
		slog.String(event.Duration, time.Duration(e.Now()-v.since).Round(time.Millisecond).String()))...)
}
