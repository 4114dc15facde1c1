package conf

import (
	"fmt"
	"strings"
)

// TLS is what the listeners with TLS show.
type TLS struct{ Certificates []Certificate }

// Certificate names the files of a certificate with its chain, and of its
// private key, both PEM. Whether they are there is for the server to say.
type Certificate struct{ Cert, Key string }

// String returns c as TOML writes it.
func (c Certificate) String() string { return fmt.Sprintf("{cert = %q, key = %q}", c.Cert, c.Key) }

const (
	certificateWant = `a table [[tls]] with cert and key`
	certificateFile = `the path of a PEM file`
)

func bindTLS(t *TLS) []binding { return []binding{{tlsKey, Live, certificates(&t.Certificates)}} }

// certificates is the list of [[tls]] tables.
func certificates(dst *[]Certificate) field {
	return listField[Certificate]{
		dst:  dst,
		want: `tables [[tls]] with cert and key`,
		read: certificateElement,
		show: Certificate.String,
	}
}

// certificateElement reads one table, or CERT:KEY as the environment has it.
func certificateElement(v any) (c Certificate, all mismatches) {
	switch v := v.(type) {
	case string:
		var ok bool
		if c.Cert, c.Key, ok = strings.Cut(v, ":"); !ok || c.Cert == "" || c.Key == "" {
			return c, wrong(v, `CERT:KEY, two paths`)
		}
		return c, nil
	case map[string]any:
		return certificateTable(v)
	}
	return c, wrong(v, certificateWant)
}

func certificateTable(table map[string]any) (c Certificate, all mismatches) {
	known := map[string]*string{"cert": &c.Cert, "key": &c.Key}
	for _, name := range sortedKeys(table) {
		if dst, ok := known[name]; ok {
			all = append(all, certificatePath(dst).setTOML(table[name]).in(name)...)
			continue
		}
		all = append(all, unknownIn(name, "cert", "key")...)
	}
	for _, name := range []string{"cert", "key"} {
		if _, ok := table[name]; !ok {
			all = append(all, wrong(nil, certificateFile).in(name)...)
		}
	}
	return c, all
}

func certificatePath(dst *string) field {
	return str(dst, certificateFile, func(s string) bool { return s != "" && !strings.ContainsRune(s, 0) })
}

// checkTLS expects a certificate for listeners with TLS.
func (l *loader) checkTLS() {
	if len(l.config.TLS.Certificates) > 0 || l.bad[tlsKey] {
		return
	}
	for key, list := range map[string][]Listen{"rtmp.listen": l.config.RTMP.Listen, "http.listen": l.config.HTTP.Listen} {
		if l.bad[key] {
			continue
		}
		for i, entry := range list {
			if entry.TLS {
				l.addAt(key, i, "tls = true", "a certificate for it: "+certificateWant)
			}
		}
	}
}
