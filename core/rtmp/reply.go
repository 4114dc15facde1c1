package rtmp

import (
	"github.com/millrace/millrace/core/amf"
	"github.com/millrace/millrace/core/rtmp/message"
)

func (s *Session) userControl(event uint16, streamID uint32) {
	s.control(message.UserControl{Event: event, Value: streamID})
}

// result answers a call. Transaction id 0 asks for no answer. Where there is
// nothing to say, the argument is null: gortmplib, and so MediaMTX, knows no
// undefined.
func (s *Session) result(c call, object any, args ...any) {
	if c.ID != 0 {
		s.call(c.streamID, "_result", c.ID, object, args...)
	}
}

// refuse answers a call with an error.
func (s *Session) refuse(c call, code, description string) {
	if c.ID != 0 {
		s.call(c.streamID, "_error", c.ID, nil, info(code, description))
	}
}

// status sends onStatus (section 7.2.2).
func (s *Session) status(streamID uint32, code, description string) {
	s.call(streamID, "onStatus", 0, nil, info(code, description))
}

func info(code, description string) *amf.Object {
	return &amf.Object{Props: []amf.Property{
		{Name: "level", Value: level(code)},
		{Name: "code", Value: code},
		{Name: "description", Value: description},
	}}
}
