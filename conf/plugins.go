package conf

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// Plugin is the table of one plugin, [plugins.NAME]. Which keys there are is
// for the host of the plugins, and for the plugin, to say: Values holds them as
// TOML has them.
type Plugin struct {
	Name   string
	Values map[string]any
	// lines are those of the keys that the file has, by dotted key.
	file  string
	lines map[string]int
}

// Problem is a problem of one of the table's keys, a dotted key below it; ""
// is the table.
func (p Plugin) Problem(key, message string) Problem {
	at := key
	for {
		if line, ok := p.lines[at]; ok || at == "" {
			return Problem{
				File: cmp.Or(p.file, defaults), Line: max(line, p.lines[""]),
				Key: pluginKey(p.Name, key), Value: p.show(key), Message: message,
			}
		}
		at, _, _ = cutLast(at)
	}
}

func (p Plugin) show(key string) string {
	if secretKey(pluginKey(p.Name, key)) {
		return hidden
	}
	var v any = p.Values
	for part := range strings.SplitSeq(key, ".") {
		table, ok := v.(map[string]any)
		if !ok || table[part] == nil {
			return "nothing"
		}
		v = table[part]
	}
	return show(v)
}

func cutLast(key string) (before, after string, found bool) {
	if i := strings.LastIndexByte(key, '.'); i >= 0 {
		return key[:i], key[i+1:], true
	}
	return "", key, false
}

const pluginsSection = "plugins"

func pluginKey(name, key string) string {
	return strings.TrimSuffix(pluginsSection+"."+name+"."+key, ".")
}

// pluginName is the form of a plugin's name.
var pluginName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

func defaultPlugins() []Plugin {
	var all []Plugin
	for _, p := range [][2]string{{"flv", "millrace-flv-recorder"}, {"hls", "millrace-hls"}, {"mp4", "millrace-fmp4"}} {
		all = append(all, Plugin{Name: p[0], Values: map[string]any{"enabled": true, "command": p[1]}})
	}
	return all
}

// readPlugins takes the tables of plugins. A key that the file leaves out keeps
// its default.
func (l *loader) readPlugins(file string, d *document, p toml.Primitive) {
	for name, table := range d.children(p) {
		n := d.node(table)
		values, ok := n.value.(map[string]any)
		line := d.line(n, pluginsSection, name)
		switch {
		case !ok:
			l.add(problem(file, line, pluginKey(quoteKey(name), ""), show(n.value), "a table [plugins."+quoteKey(name)+"]"))
		case !pluginName.MatchString(name):
			l.add(problem(file, line, pluginKey(quoteKey(name), ""), strconv.Quote(name), "a name of a-z, 0-9 and -"))
		default:
			to := l.plugin(name)
			to.file, to.lines = file, map[string]int{"": line}
			l.readPluginKeys(to, d, table, "", values, to.Values)
		}
	}
}

// plugin is the table of a plugin, made if it is not there.
func (l *loader) plugin(name string) *Plugin {
	all := l.config.Plugins
	i := slices.IndexFunc(all, func(p Plugin) bool { return p.Name == name })
	if i < 0 {
		all = append(all, Plugin{Name: name, Values: map[string]any{}})
		slices.SortFunc(all, func(a, b Plugin) int { return strings.Compare(a.Name, b.Name) })
		l.config.Plugins = all
		return l.plugin(name)
	}
	return &all[i]
}

func (l *loader) readPluginKeys(p *Plugin, d *document, table toml.Primitive, prefix string, from, to map[string]any) {
	children := d.children(table)
	for key, v := range from {
		dotted := strings.TrimPrefix(prefix+"."+key, ".")
		path := append([]string{pluginsSection, p.Name}, strings.Split(dotted, ".")...)
		p.lines[dotted] = d.line(d.node(children[key]), path...)
		inner, isTable := v.(map[string]any)
		if !isTable {
			to[key] = v
			continue
		}
		next, ok := to[key].(map[string]any)
		if !ok {
			next = map[string]any{}
			to[key] = next
		}
		l.readPluginKeys(p, d, children[key], dotted, inner, next)
	}
}

// pluginFromEnvironment takes a variable of a plugin that is configured, such
// as MILLRACE_PLUGINS_FLV_ENABLED: true and false, whole numbers, and else text.
func (l *loader) pluginFromEnvironment(variable, value string) bool {
	for i := range l.config.Plugins {
		p := &l.config.Plugins[i]
		key, ok := strings.CutPrefix(variable, envName(pluginKey(p.Name, ""))+"_")
		if !ok || key == "" {
			continue
		}
		key = strings.ToLower(key)
		p.Values[key] = typed(value)
		return true
	}
	return false
}

func typed(s string) any {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	if s == "true" || s == "false" {
		return s == "true"
	}
	return s
}

// diffPlugins are the keys of plugins that differ. All of them are live: a
// plugin whose table changes is replaced by a new process.
func diffPlugins(old, new []Plugin) []Change {
	before, after := flatPlugins(old), flatPlugins(new)
	keys := slices.Collect(maps.Keys(before))
	for key := range after {
		if _, ok := before[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	var changes []Change
	for _, key := range keys {
		if a, b := before[key], after[key]; !reflect.DeepEqual(a, b) {
			changes = append(changes, Change{Key: key, Old: shown(key, a), New: shown(key, b), Live: true})
		}
	}
	return changes
}

// shown is a value as a log may have it: what sounds like a secret is hidden.
func shown(key string, v any) string {
	switch {
	case v == nil:
		return ""
	case secretKey(key):
		return hidden
	}
	return fmt.Sprint(v)
}

// secretKey reports whether a plugin's key sounds like one whose value is a
// secret.
func secretKey(key string) bool {
	_, last, _ := cutLast(key)
	return strings.Contains(key, ".env.") || strings.Contains(last, "token") || strings.Contains(last, "secret") ||
		strings.Contains(last, "password")
}

func flatPlugins(all []Plugin) map[string]any {
	flat := make(map[string]any)
	for _, p := range all {
		flatten(flat, pluginKey(p.Name, ""), p.Values)
	}
	return flat
}

func flatten(to map[string]any, prefix string, values map[string]any) {
	for key, v := range values {
		if table, ok := v.(map[string]any); ok {
			flatten(to, prefix+"."+key, table)
			continue
		}
		to[prefix+"."+key] = v
	}
}
