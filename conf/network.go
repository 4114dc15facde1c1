package conf

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

const (
	networkWant = `a CIDR with no bits set behind its prefix, such as "10.0.0.0/8" or "127.0.0.1/32"`
	originWant  = `"*" or an origin in lower case without a path, such as "https://example.com"`
)

// listens is a list of listeners.
func listens(dst *[]Listen) field {
	return listField[Listen]{
		dst:  dst,
		want: `a list of addresses such as [":1935"] or [{addr = ":1935", proxy_protocol = true}]`,
		read: listenElement,
		show: Listen.String,
	}
}

// networks is a list of CIDRs. Bits behind the prefix are refused: 10.1.2.3/8
// is as likely to mean one host as a whole network, and this list grants trust.
func networks(dst *[]netip.Prefix) field {
	return listField[netip.Prefix]{
		dst:  dst,
		want: `a list of CIDRs such as ["10.0.0.0/8", "::1/128"]`,
		read: func(v any) (netip.Prefix, mismatches) {
			s, _ := v.(string)
			network, err := netip.ParsePrefix(s)
			if err != nil || network != network.Masked() || network.Addr().Is4In6() {
				return netip.Prefix{}, wrong(v, networkWant)
			}
			return network, nil
		},
		show: func(network netip.Prefix) string { return strconv.Quote(network.String()) },
	}
}

// origins is a list of origins as the Origin header has them.
func origins(dst *[]string) field {
	return listField[string]{
		dst:  dst,
		want: `a list of origins such as ["https://example.com"], or ["*"] for all`,
		read: func(v any) (string, mismatches) {
			s, ok := v.(string)
			if !ok || s != "*" && !isOrigin(s) {
				return "", wrong(v, originWant)
			}
			return s, nil
		},
		show: strconv.Quote,
	}
}

// isOrigin reports whether a browser could send s: RFC 6454 section 6.2, a
// scheme, a host and perhaps a port, in lower case.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && s == strings.ToLower(u.Scheme+"://"+u.Host)
}

// optionalAddress is one address to listen on, or "" for none.
func optionalAddress(dst *string) field {
	return str(dst, addressWant+`, or "" for no listener`, func(s string) bool {
		return s == "" || isAddress(s)
	})
}

// folder is a path; whether it exists is for the server to say.
func folder(dst *string) field {
	return str(dst, `the path of a folder, or ""`, func(s string) bool {
		return !strings.ContainsRune(s, 0)
	})
}

// someFolder is a path that has to be there; the folder is made when needed.
func someFolder(dst *string) field {
	return str(dst, "the path of a folder", func(s string) bool {
		return s != "" && !strings.ContainsRune(s, 0)
	})
}

// token is what can stand behind "Authorization: Bearer" (RFC 6750 section
// 2.1, b64token), or "".
func token(dst *string) field {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/="
	return str(dst, `a token of letters, digits and - . _ ~ + / =, or ""`, func(s string) bool {
		return strings.Trim(s, alphabet) == ""
	})
}
