package rtmp

import (
	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/rtmp/message"
)

// onConnect is NetConnection.connect (section 7.2.1.1).
func (s *Session) onConnect(c call) Event {
	if s.state != Connecting {
		s.refuse(c, CodeConnectRejected, "already connected")
		return nil
	}
	ci := connectInfo(c.Object)
	s.app, s.query = ci.App, ci.Query
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
	return &amf.Object{Props: []amf.Property{
		{Name: "fmsVer", Value: "FMS/3,0,1,123"},
		{Name: "capabilities", Value: 31},
	}}
}

func connectResult(objectEncoding float64) *amf.Object {
	o := info(CodeConnectSuccess, "Connection succeeded.")
	o.Props = append(o.Props, amf.Property{Name: "objectEncoding", Value: objectEncoding})
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
