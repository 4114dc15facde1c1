package conf

import "strings"

const envPrefix = "MILLRACE_"

var envReplacer = strings.NewReplacer(".", "_", "-", "_")

// envName returns the environment variable of a key.
func envName(key string) string {
	return envPrefix + strings.ToUpper(envReplacer.Replace(key))
}

// readEnvironment takes the variables that begin with MILLRACE_, in order: of
// two with one name the last one counts, as for a child process.
func (l *loader) readEnvironment(environ []string) {
	byVariable := make(map[string]binding, len(l.names))
	variables := make([]string, 0, len(l.names))
	for _, name := range l.names {
		variables = append(variables, envName(name))
		byVariable[envName(name)] = l.bindings[name]
	}
	for _, entry := range environ {
		variable, value, ok := strings.Cut(entry, "=")
		if !ok || !strings.HasPrefix(variable, envPrefix) {
			continue
		}
		from := origin{file: environment, key: variable}
		if b, ok := byVariable[variable]; ok {
			l.set(b, from, b.field.setText(value))
		} else if !l.pluginFromEnvironment(variable, value) {
			l.unknown(from, variables, "the variable of a key, such as "+envName("stream.max_lag"))
		}
	}
}
