// Package record is what every recorder shares: the manifest of a record and
// its verification, the lock that keeps a session to one writer, the rule for
// where parts end, the free-space guard, retention, and the reading of a
// plugin's settings. It works on folders and knows no format and no server.
//
// A record is what one recorder makes of one publish session. Its manifest
// stands beside it: the record DIR has DIR/manifest.json, the record X.flv has
// X.flv.json (see [ManifestPath]). While a record grows, parts may be added to
// MANIFEST.log, and changed there, one JSON object a line, so that a record of
// many segments is not written anew for each; [Load] takes both together and
// [Manifest.Save] folds them into one.
//
// Everything here is for goroutines that may wait for a disk, never for an
// event loop.
package record
