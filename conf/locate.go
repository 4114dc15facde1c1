package conf

// Locate says where a key has its value from, for problems that are found
// elsewhere: the file and line, or of the environment the name that stands for
// it and 0. element is that of a list, from 0, or -1. Nothing is found of a key
// that nobody set.
func Locate(path string, environ []string, key string, element int) (file string, line int) {
	l := newLoader()
	if path != "" {
		data, err := readBounded(path)
		if err != nil {
			return path, 0
		}
		l.readFile(path, data)
	}
	l.readEnvironment(environ)
	from, ok := l.origins[key]
	if !ok {
		return defaults, 0
	}
	return from.file, from.at(element)
}
