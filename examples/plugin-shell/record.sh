#!/bin/sh
# A recorder in ten lines: each stream that starts goes to DIR/APP~NAME_TIME.flv.
#   record.sh SOCKET TOKEN DIR        (path and token of [plugin_socket] in the configuration)
set -eu
get() { curl --silent --no-buffer --unix-socket "$1" --header "Authorization: Bearer $2" "http://millrace$3"; }
get "$1" "$2" '/events?names=on_stream_start' | while IFS= read -r line; do
    stream=$(printf '%s\n' "$line" | sed -n 's/^data:.*"stream_id":"\([^"]*\)".*/\1/p')
    [ -n "$stream" ] || continue
    get "$1" "$2" "/$stream.flv" >"$3/$(printf %s "$stream" | tr / '~')_$(date +%Y%m%d_%H%M%S).flv" &
done
