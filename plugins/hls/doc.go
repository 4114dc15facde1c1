// Package hls is the HLS segmenter: a plugin that cuts streams into MPEG-TS or
// fragmented MP4 segments, writes them to data_dir and publishes playlists,
// and with low latency parts, as objects that the server serves from memory.
//
// A stream's frames are muxed into chunks of at most a second (with low
// latency: parts). A chunk goes out whole: to the disk, to the host as an
// object, and then one line into the stream's journal in state_dir, which has
// all that another process needs to go on behind it. So a crash, a hot swap
// and a restart are one thing: load the journal, cut the open file to what it
// says, ask for the frames from there on.
//
// The keys of its table, with their defaults:
//
//	target = "6s"         a segment ends at the first keyframe at or after it; at twice it without one
//	window = 0            segments in a playlist; 0: all (EVENT, then VOD)
//	disk = true           segments are written to data_dir
//	memory = false        segments are objects, too; true with low_latency or without disk
//	format = "auto"       MPEG-TS where it has the codecs; ts: other tracks are left out; fmp4
//	low_latency = false   parts, blocking reload, delta updates
//	part = "200ms"        of parts
//	encrypt = false       AES-128
//	key_rotation = 0      segments to a key; 0: one key for a session
//	checksum = true       SHA-256 of each segment in the manifest and in events
//	sync = "never"        never, fragment, or a duration: when the disk has to keep what it has
//	keep_age = "0s"       how long sessions are kept after their end; 0: for ever
//	keep_bytes = "0"      how much all of them may take; 0: no limit
//	min_free = "1GiB"     what has to stay free on the disk; recording pauses below it
//
// Each stream is one goroutine's; what streams share is in Plugin.
package hls
