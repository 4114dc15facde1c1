package netloop

import (
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/core/certificate"
	"github.com/millrace/millrace/core/stream"
)

// overTLS ends the name of a test whose rig speaks TLS at its listeners.
const overTLS = " over TLS"

func isOverTLS(t testing.TB) bool {
	return strings.HasSuffix(t.Name(), strings.ReplaceAll(overTLS, " ", "_"))
}

// secured gives an engine a certificate.
func secured(o *Options, _ *stream.Options) {
	o.TLS = func(protocols ...string) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{testCertificate()}, NextProtos: protocols, MinVersion: tls.VersionTLS12}
	}
}

// securedAddrs are the addresses at which dial speaks TLS.
var securedAddrs sync.Map

// maybeTLS is c, or TLS over it if its peer is a listener that speaks it.
func maybeTLS(c net.Conn) net.Conn {
	if _, ok := securedAddrs.Load(c.RemoteAddr().String()); !ok {
		return c
	}
	return tls.Client(c, &tls.Config{InsecureSkipVerify: true})
}

// tcp is the socket of c.
func tcp(c net.Conn) *net.TCPConn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return c.(*net.TCPConn)
}

var testCertificate = sync.OnceValue(func() tls.Certificate {
	c, err := certificate.SelfSigned(time.Hour, "localhost")
	if err != nil {
		panic(err)
	}
	return c
})
