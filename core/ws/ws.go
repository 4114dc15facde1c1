// Package ws is the server side of the WebSocket protocol (RFC 6455) as bytes
// in and bytes out: the accept key of the handshake, an incremental reader of
// a client's frames, and encoders of the server's. It has no sockets, no
// goroutines and no clock.
//
// It is the only importer of github.com/gobwas/ws; other packages use the
// names below.
package ws

import (
	"crypto/sha1"
	"encoding/base64"

	"github.com/gobwas/ws"
)

// Opcode is the kind of a frame, RFC 6455 section 5.2.
type Opcode = ws.OpCode

// The opcodes of RFC 6455 section 5.2.
const (
	OpContinuation = ws.OpContinuation
	OpText         = ws.OpText
	OpBinary       = ws.OpBinary
	OpClose        = ws.OpClose
	OpPing         = ws.OpPing
	OpPong         = ws.OpPong
)

// Code is the status code of a close frame, RFC 6455 section 7.4.
type Code = ws.StatusCode

// The close codes that a server of live streams sends or meets. CloseNoStatus
// is never on the wire: it stands for a close frame without a code.
const (
	CloseNormal        = ws.StatusNormalClosure
	CloseGoingAway     = ws.StatusGoingAway
	CloseProtocol      = ws.StatusProtocolError
	CloseNoStatus      = ws.StatusNoStatusRcvd
	CloseInvalidData   = ws.StatusInvalidFramePayloadData
	ClosePolicy        = ws.StatusPolicyViolation
	CloseTooBig        = ws.StatusMessageTooBig
	CloseInternalError = ws.StatusInternalServerError
	// CloseTryLater is 1013 in the IANA registry of close codes, which is
	// younger than the RFC.
	CloseTryLater Code = 1013
)

// MaxControl is the largest payload of a control frame in bytes, RFC 6455
// section 5.5.
const MaxControl = ws.MaxControlFramePayloadSize

// ValidKey reports whether key is what a client must send as
// Sec-WebSocket-Key: "a randomly selected 16-byte value that has been
// base64-encoded" (RFC 6455 section 4.1).
func ValidKey(key string) bool {
	const encoded = 24 // base64 of 16 bytes
	if len(key) != encoded {
		return false
	}
	nonce, err := base64.StdEncoding.DecodeString(key)
	return err == nil && len(nonce) == 16
}

// AcceptKey returns the value of Sec-WebSocket-Accept for a client's
// Sec-WebSocket-Key (RFC 6455 section 4.2.2, item 5.4).
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
