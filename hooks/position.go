package hooks

import (
	"strconv"
	"strings"
)

// cutPosition takes "FILE:LINE: " off an error of the machine.
func cutPosition(text, file string) (line int, rest string, ok bool) {
	after, ok := strings.CutPrefix(text, file+":")
	if !ok {
		return 0, text, false
	}
	number, rest, ok := strings.Cut(after, ":")
	if !ok {
		return 0, text, false
	}
	line, err := strconv.Atoi(number)
	if err != nil {
		return 0, text, false
	}
	return line, strings.TrimSpace(rest), true
}
