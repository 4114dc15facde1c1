package certificate

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// issue puts a new certificate for names, which ends after life, into
// dir/base.pem and .key.
func issue(t *testing.T, dir, base string, life time.Duration, names ...string) Pair {
	t.Helper()
	p := Pair{filepath.Join(dir, base+".pem"), filepath.Join(dir, base+".key")}
	c, err := SelfSigned(life, names...)
	if err == nil {
		err = Save(c, p)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// shown is the first name of the certificate that s shows to who asks for
// name, and its serial number.
func shown(t *testing.T, s *Store, name string) (first, serial string) {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	go tls.Server(a, s.Config()).Handshake()
	c := tls.Client(b, &tls.Config{InsecureSkipVerify: true, ServerName: name})
	if err := c.Handshake(); err != nil {
		t.Fatalf("ask for %q: %v", name, err)
	}
	leaf := c.ConnectionState().PeerCertificates[0]
	return leaf.DNSNames[0], leaf.SerialNumber.String()
}

// book is a log that tests look into.
type book struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *book) has(s string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Contains(b.b.String(), s)
}

func open(t *testing.T, pairs ...Pair) (*Store, *book) {
	t.Helper()
	log := &book{}
	s, err := New(slog.New(slog.NewTextHandler(log, nil)), pairs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, log
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, _ := open(t, issue(t, dir, "a", time.Hour, "a.example", "b.example"), issue(t, dir, "w", time.Hour, "*.c.example"))
	for name, want := range map[string]string{
		"a.example": "a.example", "b.example": "a.example", "x.c.example": "*.c.example",
		"": "a.example", "elsewhere.example": "a.example",
	} {
		if got, _ := shown(t, s, name); got != want {
			t.Errorf("%q is shown %s, not %s", name, got, want)
		}
	}
}

// TestRenewal replaces the files of a pair, by way of a rename as certbot and
// editors do, and where the names are links.
func TestRenewal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, log := open(t, issue(t, dir, "a", time.Hour, "a.example"), issue(t, dir, "b", time.Hour, "b.example"))
	_, old := shown(t, s, "b.example")
	_, other := shown(t, s, "a.example")
	issue(t, dir, "b", time.Hour, "b.example")
	eventually(t, "the new one is shown", func() bool {
		_, serial := shown(t, s, "b.example")
		return serial != old
	})
	if _, serial := shown(t, s, "a.example"); serial != other || !log.has("certificate changed") {
		t.Error("the other changed, or the log is silent")
	}
}

func TestRenewalOfLinks(t *testing.T) {
	t.Parallel()
	archive, live := t.TempDir(), t.TempDir()
	link := func(to Pair) Pair {
		p := Pair{filepath.Join(live, "cert.pem"), filepath.Join(live, "key.pem")}
		for from, to := range map[string]string{p.Cert: to.Cert, p.Key: to.Key} {
			_ = os.Remove(from)
			if err := os.Symlink(to, from); err != nil {
				t.Fatal(err)
			}
		}
		return p
	}
	s, _ := open(t, link(issue(t, archive, "1", time.Hour, "a.example")))
	_, old := shown(t, s, "a.example")
	link(issue(t, archive, "2", time.Hour, "a.example"))
	eventually(t, "the new one is shown", func() bool {
		_, serial := shown(t, s, "a.example")
		return serial != old
	})
}

// TestBadRenewal keeps the old certificate until the files fit again.
func TestBadRenewal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := issue(t, dir, "a", time.Hour, "a.example")
	s, log := open(t, p)
	_, old := shown(t, s, "a.example")
	if err := replace(p.Key, []byte("no key")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log complains", func() bool { return log.has("cannot be used") })
	if _, serial := shown(t, s, "a.example"); serial != old {
		t.Error("another is shown")
	}
	issue(t, dir, "a", time.Hour, "a.example")
	eventually(t, "the new one is shown", func() bool {
		_, serial := shown(t, s, "a.example")
		return serial != old
	})
}

func TestSet(t *testing.T) {
	t.Parallel()
	a, b := issue(t, t.TempDir(), "a", time.Hour, "a.example"), issue(t, t.TempDir(), "b", time.Hour, "b.example")
	s, _ := open(t, a)
	if err := s.Set([]Pair{{a.Cert, b.Key}}); err == nil {
		t.Error("a key that does not fit was taken")
	}
	if err := s.Set([]Pair{{a.Cert + "x", a.Key}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if got, _ := shown(t, s, "b.example"); got != "a.example" {
		t.Errorf("%s is shown", got)
	}
	if err := s.Set([]Pair{b}); err != nil {
		t.Fatal(err)
	}
	if got, _ := shown(t, s, ""); got != "b.example" {
		t.Errorf("%s is shown", got)
	}
}

func TestNoCertificate(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	if _, err := s.pick(&tls.ClientHelloInfo{}); !errors.Is(err, ErrNone) {
		t.Errorf("%v", err)
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	p := issue(t, t.TempDir(), "a", -time.Hour, "a.example")
	c, err := Load(p)
	if err != nil {
		t.Fatal(err)
	}
	for ago, want := range map[time.Duration]string{0: "expired", 90 * time.Minute: "", 30 * time.Hour: "not valid before"} {
		if got := Expiry(c, time.Now().Add(-ago)); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s ago: %q", ago, got)
		}
	}
	_, log := open(t, p)
	if !log.has("of no use") {
		t.Error("the log says nothing")
	}
}
