package stream

import (
	"slices"

	"github.com/millrace/millrace/core/media"
)

// Publisher is who feeds a stream, as far as the policies need to know.
type Publisher struct {
	// Peer is the remote IP address, Query the whole publish query.
	Peer, Query string
	// Asked is the key that it asked for: on_publish may have renamed it.
	Asked Key
	// ID, Protocol and RemoteAddr are for people.
	ID, Protocol, RemoteAddr string
	// TCURL, PageURL and FlashVer are what an RTMP client says of itself,
	// Labels and Record what on_publish attached: they go into the stream's
	// events.
	TCURL, PageURL, FlashVer string
	Labels                   map[string]string
	Record                   map[string]bool
	// Evict ends the connection because another took its place or somebody
	// asked for it. It is called from any goroutine and must not block.
	Evict func(reason string)
	// Metadata makes the frame of an onMetaData that tells what was seen, for
	// a publisher that sends none of its own. May be nil: no metadata then.
	Metadata Metadata
}

// Metadata makes the frame of an onMetaData that tells what was seen. The
// stream seals it.
type Metadata func(hasAudio, hasVideo bool) *media.Frame

// Publication is one publisher's session on a stream. Write, SetMetadata and
// Close are for the publisher's goroutine only.
type Publication struct {
	// What each frame touches comes first.
	Stream    *Stream
	session   uint64
	metadata  Metadata
	expect    [2]bool // announced by metadata or a sequence header
	gated     bool    // no keyframe yet
	firstDTS  int64
	lastMedia int64 // ns, under s.mu; the session's start until media comes
	sawMedia  bool
	// defaults are the default tracks, audio's and video's.
	defaults [2]struct {
		known  bool
		number uint8
	}
	settled bool // it is known which media it has
	// headed tells of which media, audio and video, the parameters are in the
	// state: in the sequence header, or in the head of a frame after it.
	headed [2]bool

	Publisher Publisher
}

// settleTime is how long, in ms of a stream's own time, an announced medium is
// waited for before it counts as absent.
const settleTime = 500

// Write appends one frame with the timestamp that travelled with it; it
// arrived at now. The frame belongs to the stream from then on. It reports
// whether the publication still owns the stream: false after an eviction.
func (p *Publication) Write(f *media.Frame, ts uint32, now int64) bool {
	s := p.Stream
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pub != p {
		return false
	}
	s.counters.BytesIn.Add(uint64(len(f.Payload())))
	s.counters.FramesIn.Add(1)
	if f.Kind == media.Video && f.IsMedia() {
		s.counters.VideoFrames.Add(1)
	}
	f.Arrived = now
	p.classify(f)
	o := s.registry.Options()
	switch {
	case f.Flags&(media.Config|media.Extra) != 0:
		p.config(f, o)
	case f.IsMedia():
		p.media(f, ts, now, o)
	default:
		f.DTS = s.timeline.place(f.Kind)
		p.append(f, o)
	}
	return true
}

// classify marks frames of tracks other than their kind's default, which is
// the first that came.
func (p *Publication) classify(f *media.Frame) {
	if f.Kind == media.Data {
		return
	}
	d := &p.defaults[index(f.Kind)]
	if !d.known {
		d.known, d.number = true, f.Track
	}
	if f.Track != d.number {
		f.Flags |= media.Other
	}
}

// SetMetadata replaces the stream's onMetaData by the publisher's own; audio
// and video tell what it announces.
func (p *Publication) SetMetadata(m Metadata, audio, video bool, now int64) bool {
	s := p.Stream
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pub != p {
		return false
	}
	p.metadata = m
	p.expect[0] = p.expect[0] || audio
	p.expect[1] = p.expect[1] || video
	if p.settled {
		p.announce(now, s.registry.Options())
	}
	return true
}

func (p *Publication) append(f *media.Frame, o *Options) {
	s := p.Stream
	f.State = s.state.Load()
	f.Next = f.State
	f.Seal()
	s.append(f, o)
}

// maxConfig bounds a sequence header, in bytes: each viewer gets a copy of its
// own at the start. Real ones have some hundred bytes.
const maxConfig = 64 << 10

// maxOthers bounds the sequence headers of other tracks with the extras.
const maxOthers = 64

// config puts a sequence header in force, unless it is the one in force
// already: some encoders repeat it with each keyframe.
func (p *Publication) config(f *media.Frame, o *Options) {
	s := p.Stream
	if f.Is(media.Config) {
		p.expect[index(f.Kind)] = true
	}
	state := s.state.Load()
	old := current(state, f)
	if sameData(old, f) {
		return
	}
	if len(f.Payload()) > maxConfig || old == nil && isOther(f) && len(state.Others) >= maxOthers {
		s.counters.Ignored.Add(1)
		return
	}
	f.DTS = s.timeline.place(f.Kind)
	s.introduce(f, func(st *media.State) { replace(st, f) }, o)
	if isOther(f) {
		return
	}
	p.headed[index(f.Kind)] = false
	// What only frames tell is told with the first one: see saw.
	if p.settled && !f.Codec.InBand() {
		s.registry.notify(Notice{Stream: s, What: Recoded, Kind: f.Kind})
	}
}

// replace puts f, a sequence header or extra, in its place. A medium that was
// seen is of f's codec from then on.
func replace(st *media.State, f *media.Frame) {
	switch {
	case isOther(f):
		others := slices.DeleteFunc(slices.Clone(st.Others), f.SameRole)
		st.Others = append(others, f)
	case f.Kind == media.Video:
		if st.Video = f; st.HasVideo && st.VideoCodec != f.Codec {
			st.VideoCodec, st.VideoHead = f.Codec, nil
		}
	default:
		if st.Audio = f; st.HasAudio && st.AudioCodec != f.Codec {
			st.AudioCodec, st.AudioHead = f.Codec, nil
		}
	}
}

// isOther reports whether f's place is among a state's Others.
func isOther(f *media.Frame) bool { return f.Flags&(media.Other|media.Extra) != 0 }

// current is the sequence header or extra in force that f would replace.
func current(st *media.State, f *media.Frame) *media.Frame {
	switch {
	case isOther(f):
		for _, o := range st.Others {
			if f.SameRole(o) {
				return o
			}
		}
		return nil
	case f.Kind == media.Video:
		return st.Video
	}
	return st.Audio
}

func (p *Publication) media(f *media.Frame, ts uint32, now int64, o *Options) {
	s := p.Stream
	p.lastMedia = now
	if p.gate(f) {
		// There is video, it only cannot be shown yet.
		p.saw(f, now, o)
		s.counters.Ignored.Add(1)
		return
	}
	dts, corrected := s.timeline.stampOn(s.timeline.track(f), ts, now)
	if corrected {
		if s.counters.Corrections.Add(1) == 1 {
			s.registry.notify(Notice{Stream: s, What: Corrected, TS: ts, DTS: dts})
		}
	}
	f.DTS = dts
	if !p.sawMedia {
		p.sawMedia = true
		p.firstDTS = dts
	}
	p.saw(f, now, o)
	p.append(f, o)
	p.settle(f, o)
}

// gate reports whether a video frame must wait for the session's first
// keyframe: no decoder could start before it.
func (p *Publication) gate(f *media.Frame) bool {
	if f.Kind != media.Video || !p.gated {
		return false
	}
	p.gated = !f.Is(media.Keyframe) || f.Is(media.Other)
	return p.gated
}

// saw notes that a medium is really there, and how its codec's frames begin,
// and tells viewers if that is news.
func (p *Publication) saw(f *media.Frame, now int64, o *Options) {
	if f.Is(media.Other) {
		return
	}
	s := p.Stream
	st := s.state.Load()
	known, codec := st.HasAudio, st.AudioCodec
	if f.Kind == media.Video {
		known, codec = st.HasVideo, st.VideoCodec
	}
	news := !known || codec != f.Codec
	if news {
		p.headed[index(f.Kind)] = false
	}
	head := p.head(f)
	if !news && head == nil {
		return
	}
	s.setState(func(st *media.State) {
		if f.Kind == media.Video {
			st.HasVideo, st.VideoCodec, st.VideoHead = true, f.Codec, head
		} else {
			st.HasAudio, st.AudioCodec, st.AudioHead = true, f.Codec, head
		}
	})
	switch {
	case !p.settled:
	case !known:
		s.registry.notify(Notice{Stream: s, What: LateTrack, Kind: f.Kind})
		p.announce(now, o)
	case head != nil:
		s.registry.notify(Notice{Stream: s, What: Recoded, Kind: f.Kind})
	}
}

// announce puts an onMetaData in force that tells what was seen so far, if it
// is news. Before any viewer can have started it is not in the ring: each
// gets it at the start.
func (p *Publication) announce(now int64, o *Options) {
	s := p.Stream
	if p.metadata == nil {
		return
	}
	state := s.state.Load()
	f := p.metadata(state.HasAudio, state.HasVideo)
	if f == nil || sameData(state.Metadata, f) {
		return
	}
	f.Arrived = now
	f.DTS = s.timeline.place(media.Data)
	s.introduce(f, func(st *media.State) { st.Metadata = f }, o)
}

// settle decides whether it is known which media the session has: each
// announced one was seen, or has had its chance.
func (p *Publication) settle(f *media.Frame, o *Options) {
	if p.settled {
		return
	}
	s := p.Stream
	st := s.state.Load()
	complete := (st.HasAudio || !p.expect[0]) && (st.HasVideo || !p.expect[1])
	if !complete && f.DTS-p.firstDTS < settleTime {
		return
	}
	p.settled = true
	p.announce(f.Arrived, o)
	s.watched = true
	s.ready.Store(true)
	s.registry.notify(Notice{Stream: s, What: Settled})
}

// Owns reports whether the publication still feeds its stream.
func (p *Publication) Owns() bool {
	p.Stream.mu.Lock()
	defer p.Stream.mu.Unlock()
	return p.Stream.pub == p
}

// LastMedia is when media last came, in ns; before that, when the session began.
func (p *Publication) LastMedia() int64 {
	p.Stream.mu.Lock()
	defer p.Stream.mu.Unlock()
	return p.lastMedia
}
