// Package amf decodes and encodes the Action Message Format, versions 0 and 3,
// in which RTMP commands, RTMP data messages and FLV script tags are written.
//
// Nothing here recurses: decoder and encoder keep a stack of their own, and
// [Limits] bounds how deep and how large a decoded value may be, also where
// references repeat a part of it. No length from the wire is believed before
// its bytes are there. Strings are handed over as they came; they need not be
// valid UTF-8.
//
// All functions are safe for concurrent use, keep nothing of the slices that
// they are given, and return values that share no memory with them.
package amf
