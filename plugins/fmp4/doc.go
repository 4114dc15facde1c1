// Package fmp4 is the recorder of fragmented MP4: a folder for each session,
// with muxed and separate segments that grow by whole fragments, and at the
// end one plain MP4 made of them by copying.
//
// A session's folder:
//
//	manifest.json                    parts, sequence numbers, gaps, SHA-256
//	output_merge/init.mp4            init_2.mp4 … after changes of codec
//	output_merge/segment_N.m4s
//	output_merge/index.json, index.m3u8
//	output_merge/stream_full.mp4
//	output_separate/video_init.mp4, audio_init.mp4, video_N.m4s, audio_N.m4s
//	output_separate/index.json, video.m3u8, audio.m3u8, index.m3u8
//
// The keys of the plugin's table are those of Options in lower case: segment,
// chunk, merge, separate, full, checksum, sync, min_free, keep_age, keep_bytes.
//
// Fragments are of at most chunk. The last frame of each track is held back
// until its successor says how long it lasts, so that a fragment's durations
// are true. Each fragment carries a note (see note) from which another process
// goes on, be it after a crash or a hot swap.
//
// Time: a track's decode time is made of each frame's own timestamp (see
// package box), counted from the earliest presentation of the session, so that
// nothing accumulates whatever the publisher does.
package fmp4
