package rtmp

import (
	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/core/rtmp/message"
)

// onConnect is NetConnection.connect (section 7.2.1.1).
func (s *Session) onConnect(c call) Event {
	if s.state != Connecting {
		s.refuse(c, CodeConnectRejected, "already connected")
		return nil
	}
	ci := connectInfo(c.Object)
	s.app, s.query, s.capsEx = ci.App, ci.Query, ci.CapsEx
	s.await(&waiting{event: connecting, call: c, objectEncoding: ci.ObjectEncoding})
	return EventConnect{ci}
}

func connectInfo(object any) ConnectInfo {
	o, ok := object.(*amf.Object)
	if a, isArray := object.(amf.ECMAArray); isArray {
		o, ok = &amf.Object{Props: a}, true
	}
	if !ok || o == nil {
		o = &amf.Object{}
	}
	ci := ConnectInfo{
		TcURL:    o.GetString("tcUrl"),
		PageURL:  o.GetString("pageUrl"),
		SwfURL:   o.GetString("swfUrl"),
		FlashVer: o.GetString("flashVer"),
		Type:     o.GetString("type"),
		Raw:      o,
	}
	ci.ObjectEncoding, _ = o.GetNumber("objectEncoding")
	ci.App, ci.Query, ci.VHost = splitApp(o.GetString("app"), ci.TcURL)
	ci.FourCcList, ci.CapsEx = enhanced(o)
	return ci
}

// enhanced reads what an Enhanced RTMP client says in connect.
func enhanced(o *amf.Object) (fourCcList []string, capsEx uint32) {
	list, _ := o.Get("fourCcList")
	array, _ := list.(amf.StrictArray)
	for _, v := range array {
		if name, ok := v.(string); ok {
			fourCcList = append(fourCcList, name)
		}
	}
	if n, ok := o.GetNumber("capsEx"); ok && n >= 0 && n <= 0xFFFFFFFF {
		capsEx = uint32(n)
	}
	return fourCcList, capsEx
}

// AcceptConnect lets a client in.
func (s *Session) AcceptConnect() error {
	w, err := s.decide(connecting, 0)
	if err != nil {
		return err
	}
	s.state = Idle
	s.control(message.WindowAckSize{Size: s.opts.WindowAckSize})
	s.control(message.SetPeerBandwidth{Size: s.opts.PeerBandwidth, Limit: message.LimitDynamic})
	s.setChunkSize(s.opts.ChunkSize)
	// Connect is answered whatever its transaction id.
	s.call(0, "_result", w.call.ID, connectProperties(), connectResult(w.objectEncoding))
	return nil
}

// connectProperties tell what the server is. The version is the oldest that
// clients look for.
func connectProperties() *amf.Object {
	return &amf.Object{Props: append([]amf.Property{
		{Name: "fmsVer", Value: "FMS/3,0,1,123"},
		{Name: "capabilities", Value: 31},
	}, enhancedCaps()...)}
}

// What Enhanced RTMP v2 lets a server say of itself ("Enhancing NetConnection
// connect Command").
const (
	capsReconnect  = 1
	capsMultitrack = 2
	capsModEx      = 4
	capsNano       = 8
	// canForward: we do not decode, we pass on.
	canForward = 4
)

var fourCCs = []media.FourCC{
	media.AVC, media.HEVC, media.AV1, media.VP9, media.VP8, media.VVC,
	media.AAC, media.MP3, media.Opus, media.FLAC, media.AC3, media.EAC3,
}

// enhancedCaps tell what we can forward: all of it.
func enhancedCaps() []amf.Property {
	all := &amf.Object{Props: []amf.Property{{Name: "*", Value: canForward}}}
	list := make(amf.StrictArray, len(fourCCs))
	for i, c := range fourCCs {
		list[i] = c.Code()
	}
	return []amf.Property{
		{Name: "fourCcList", Value: list},
		{Name: "videoFourCcInfoMap", Value: all},
		{Name: "audioFourCcInfoMap", Value: all},
		{Name: "capsEx", Value: capsReconnect | capsMultitrack | capsModEx | capsNano},
	}
}

func connectResult(objectEncoding float64) *amf.Object {
	o := info(CodeConnectSuccess, "Connection succeeded.")
	o.Props = append(o.Props, amf.Property{Name: "objectEncoding", Value: objectEncoding})
	o.Props = append(o.Props, enhancedCaps()...) // readers differ on which object they look in
	return o
}

// RejectConnect turns a client away. The session has ended then; the caller
// sends the output and closes.
func (s *Session) RejectConnect(description string) error {
	return s.rejectConnect(CodeConnectRejected, description)
}

func (s *Session) rejectConnect(code, description string) error {
	w, err := s.decide(connecting, 0)
	if err != nil {
		return err
	}
	s.call(0, "_error", w.call.ID, nil, info(code, description))
	s.end()
	return nil
}

// RequestReconnect asks a client that announced that it can to connect to the
// same URL again (Enhanced RTMP v2, "Reconnect Request"), and reports whether it
// did. The session goes on.
func (s *Session) RequestReconnect(description string) bool {
	switch s.state {
	case Idle, Publishing, Playing:
		if s.capsEx&capsReconnect != 0 {
			s.status(0, CodeReconnectRequest, description)
			return true
		}
	}
	return false
}

// CloseConnection tells the peer why it has to go, as far as it can hear that
// yet. The session has ended then; the caller sends the output and closes.
func (s *Session) CloseConnection(code, description string) {
	switch s.state {
	case Connecting:
		// Without a connect command there is nothing to answer.
		_ = s.rejectConnect(code, description)
	case Idle, Publishing, Playing:
		s.status(0, code, description)
		// librtmp, and so OBS, ends at this command.
		s.call(0, "close", 0, nil)
	}
	s.end()
}
