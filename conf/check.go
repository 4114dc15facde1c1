package conf

import (
	"cmp"
	"fmt"
	"strconv"
)

// crossCheck holds keys against each other. A key whose own value is wrong is
// left out: what it clashes with is not known.
func (l *loader) crossCheck() {
	limits, stream := &l.config.Limits, &l.config.Stream
	atMost(l, "limits.media_size", limits.MediaSize, "limits.partial_bytes", limits.PartialBytes)
	atMost(l, "limits.command_size", limits.CommandSize, "limits.partial_bytes", limits.PartialBytes)
	atMost(l, "stream.gop_max_bytes", stream.GOPMaxBytes, "stream.ring_bytes", stream.RingBytes)
	atMost(l, "stream.max_lag", stream.MaxLag, "stream.ring_time", stream.RingTime)
	if stream.Memory.Percent == 0 {
		atMost(l, "stream.ring_bytes", stream.RingBytes, "stream.memory", stream.Memory.Size)
	}
	if !stream.MergeWindow.Auto {
		atMost(l, "stream.merge_window", stream.MergeWindow.Fixed, "stream.merge_window_max", stream.MergeWindowMax)
	}
	l.checkFolders()
	l.checkListeners()
	l.checkTLS()
	l.checkToken()
	l.checkPluginToken()
}

// atMost expects the value a of the key small not to exceed b, that of big. The
// problem stands where a reader has set one of them, at small if both.
func atMost[T cmp.Ordered](l *loader, small string, a T, big string, b T) {
	if a <= b || l.bad[small] || l.bad[big] {
		return
	}
	key, other, bound := small, big, "at most"
	if !l.isSet(small) && l.isSet(big) {
		key, other, bound = big, small, "at least"
	}
	found := strconv.Quote(l.bindings[key].field.text())
	expected := fmt.Sprintf("%s %s (%s)", bound, other, l.bindings[other].field.text())
	l.addAt(key, -1, found, expected)
}

// addAt adds a problem at a key, or an element of it, that a source has set.
func (l *loader) addAt(name string, element int, found, expected string) {
	from := l.origins[name]
	l.add(problem(from.file, from.at(element), from.key, found, expected))
}

// listener is one address of the configuration and the key that it is from.
type listener struct {
	key     string
	element int // -1: the key is no list
	addr    string
	at      endpoint
}

// checkListeners reports each listener that an earlier one leaves no room for.
func (l *loader) checkListeners() {
	all := l.listeners()
	for i, second := range all {
		for _, first := range all[:i] {
			if second.at.clashes(first.at) {
				l.addClash(first, second)
				break
			}
		}
	}
}

func (l *loader) addClash(first, second listener) {
	if !l.isSet(second.key) && l.isSet(first.key) {
		first, second = second, first
	}
	expected := fmt.Sprintf("an address that does not clash with %s %q", first.key, first.addr)
	l.addAt(second.key, second.element, strconv.Quote(second.addr), expected)
}

func (l *loader) listeners() []listener {
	c := l.config
	all := l.listenersOf("rtmp.listen", c.RTMP.Listen)
	all = append(all, l.listenersOf("http.listen", c.HTTP.Listen)...)
	if at, ok := parseEndpoint(c.Admin.Listen); ok && !l.bad[adminListen] {
		all = append(all, listener{adminListen, -1, c.Admin.Listen, at})
	}
	return all
}

func (l *loader) listenersOf(key string, list []Listen) []listener {
	if l.bad[key] {
		return nil
	}
	all := make([]listener, 0, len(list))
	for i, entry := range list {
		at, _ := parseEndpoint(entry.Addr)
		all = append(all, listener{key, i, entry.Addr, at})
	}
	return all
}

// checkToken expects a token where others than this machine can ask.
func (l *loader) checkToken() {
	addr, token := l.config.Admin.Listen, l.config.Admin.Token
	at, ok := parseEndpoint(addr)
	if !ok || at.loopback() || token != "" || l.bad[adminListen] || l.bad[adminToken] {
		return
	}
	from := l.origins[adminListen]
	from.key = adminToken
	if l.isSet(adminToken) {
		from = l.origins[adminToken]
	}
	expected := fmt.Sprintf("a token, because admin.listen %q is not loopback", addr)
	l.add(problem(from.file, from.line, from.key, `""`, expected))
}

// checkPluginToken expects a token with a plugin socket.
func (l *loader) checkPluginToken() {
	p := l.config.PluginSocket
	if p.Path == "" || p.Token != "" || l.bad[pluginPath] || l.bad[pluginToken] {
		return
	}
	from := l.origins[pluginPath]
	from.key = pluginToken
	if l.isSet(pluginToken) {
		from = l.origins[pluginToken]
	}
	l.add(problem(from.file, from.line, from.key, `""`, "a token, because plugin_socket.path is set"))
}
