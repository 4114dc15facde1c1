package conf

import (
	"reflect"
	"testing"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	c, err := Parse("f", readTest(t, "testdata/valid-tls.toml"), nil)
	want := []Certificate{{"a.pem", "a.key"}, {"b.pem", "b.key"}}
	if err != nil || !reflect.DeepEqual(c.TLS.Certificates, want) {
		t.Errorf("%v, %v", c.TLS, err)
	}
	listen := []Listen{{Addr: ":1935"}, {Addr: ":1936", TLS: true}, {Addr: ":1937", TLS: true, ProxyProtocol: true}}
	if !reflect.DeepEqual(c.RTMP.Listen, listen) {
		t.Errorf("%v", c.RTMP.Listen)
	}
	c, err = Parse("", nil, []string{"MILLRACE_TLS=a.pem:a.key, b.pem:b.key"})
	if err != nil || !reflect.DeepEqual(c.TLS.Certificates, want) {
		t.Errorf("from the environment: %v, %v", c.TLS, err)
	}
	for _, text := range []string{"a.pem", ":a.key", "a.pem:"} {
		if _, err := Parse("", nil, []string{"MILLRACE_TLS=" + text}); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
