package httpflv

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
)

const manyFields = "GET / HTTP/1.1\r\nHost: a\r\n" +
	"X-Forwarded-For: 1.1.1.1\r\nCookie: a=b\r\nx-forwarded-FOR: 2.2.2.2, 3.3.3.3\r\n" +
	"Upgrade: h2c,  WebSocket\t, x\r\nEmpty:\r\nX: a:b\r\n\r\n"

func mustParse(t testing.TB, in string) Head {
	t.Helper()
	h, _, err := ParseHead([]byte(in), 1<<16)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHeadFields(t *testing.T) {
	t.Parallel()
	h := mustParse(t, manyFields)
	for name, want := range map[string]string{
		"x-forwarded-for": "1.1.1.1", "COOKIE": "a=b", "Empty": "", "Absent": "", "x": "a:b", "": "",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("Get(%q) = %q, want %q", name, got, want)
		}
	}
	if got, want := h.Joined("X-Forwarded-For"), "1.1.1.1, 2.2.2.2, 3.3.3.3"; got != want {
		t.Errorf("Joined = %q, want %q", got, want)
	}
	for token, want := range map[string]bool{"websocket": true, "H2C": true, "x": true, "web": false, "h2c, websocket": false} {
		if got := h.HasToken("upgrade", token); got != want {
			t.Errorf("HasToken(upgrade, %q) = %v, want %v", token, got, want)
		}
	}
}

// Not parallel: AllocsPerRun counts the allocations of the whole process.
func TestHeadFieldsAllocs(t *testing.T) {
	h := mustParse(t, manyFields)
	n := testing.AllocsPerRun(100, func() {
		if h.Get("cookie") == "" || h.Joined("Cookie") == "" || !h.HasToken("Upgrade", "websocket") {
			t.Error("not found")
		}
	})
	if n != 0 {
		t.Errorf("lookups allocate %v times", n)
	}
}

// A head that net/http parsed must say the same as one parsed here.
func TestFromRequest(t *testing.T) {
	t.Parallel()
	for _, in := range []string{chromium, chromiumWS, manyFields} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(in)))
		if err != nil {
			t.Fatal(err)
		}
		h := FromRequest(r)
		if got, want := summary(h), summary(mustParse(t, in)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		checkFields(t, h, r.Header)
		l, ok := ParseLive(h, Reserved)
		if wl, wok := ParseLive(mustParse(t, in), Reserved); ok != wok || l.WSKey != wl.WSKey || l.App != wl.App {
			t.Errorf("ParseLive says %+v, %v of one and %+v, %v of the other", l, ok, wl, wok)
		}
	}
}
