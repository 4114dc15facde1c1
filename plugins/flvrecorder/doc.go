// Package flvrecorder is the recorder that writes FLV files.
//
// A part is append-only while it grows: a head (FLV header, an onMetaData with
// zeros behind it for a seek table, the sequence headers in force), then one
// tag for each frame as it comes. At its end the head is patched in place, in
// the same length: duration, filesize, keyframes. The old head goes into the
// manifest before that (see [Extra]), so that who downloads the growing file
// can go on with it.
//
// Times begin at 0 in each part; Part.FromDTS in the manifest says where that
// is on the stream's timeline. An onMetaData that comes in mid-stream is not
// written as a tag, since players take a second one for the end of the seek
// table: the last one is in the finished head.
//
// What is needed to go on after a crash lies in state_dir/flv/SESSION: for
// each part that is not finished N.json (its [state]) and N.index, which says
// of each keyframe where it is and what its sequence number was. Tags from the
// last entry on are counted, so that nothing is written beside the file for
// each frame, and a resumption reads one GOP.
package flvrecorder
