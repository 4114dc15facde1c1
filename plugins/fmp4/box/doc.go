// Package box makes MP4 for live streams from FLV frames: what a track is
// (codec parameters, sample entries), init segments, fragments and the clocks
// that turn ms into MP4 timescales without accumulating an error; and reads
// its own fragments back.
//
// Headers are made here; the coded media is never copied: what leaves is a
// list of slices for writev. The package sees no files, sockets or clocks.
package box
