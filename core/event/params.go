package event

import "net/url"

// Params decodes a query into the first value of each of its names; pairs that
// cannot be decoded are left out. nil: there are none.
func Params(query string) map[string]string {
	q, _ := url.ParseQuery(query) // what can be decoded is in q all the same
	if len(q) == 0 {
		return nil
	}
	all := make(map[string]string, len(q))
	for name, values := range q {
		all[name] = values[0]
	}
	return all
}
