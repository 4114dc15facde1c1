// Package bench loads a live server and measures it: synthetic publishers whose
// frames carry the moment that they were sent, viewers by the thousand that
// throw away what they get but for a sample that is read in full, and the
// floor: bare processes that do nothing but the system calls that a server
// cannot do without, so that a figure can be read as a ratio.
//
// It knows servers by their protocols only: what it measures may be any server
// of RTMP, HTTP-FLV or WebSocket-FLV, on this machine or another. What a server
// costs (CPU, memory) can be read of a process on this machine.
//
// It stops by itself, and ends only processes that it started.
package bench
