package conf

import "strings"

// nearest returns the known name that an unknown one was most likely meant to
// be: the same last part in another section, or a few letters away. It returns
// "" when nothing is near.
func nearest(name string, known []string) string {
	const longest = 80 // bytes; beyond it nobody mistyped one of our names
	if len(name) > longest {
		return ""
	}
	best, least := "", 1+max(2, len(name)/4)
	for _, candidate := range known {
		d := distance(name, candidate)
		if lastPart(name) == lastPart(candidate) {
			d = min(d, 1)
		}
		if d < least {
			best, least = candidate, d
		}
	}
	return best
}

func lastPart(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

func didYouMean(name string) string { return " (did you mean " + name + "?)" }

// distance is the number of bytes to insert, delete or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
