package netloop

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Grant is what a plugin may have of the media socket.
type Grant struct {
	Plugin string
	// Media: it may read streams. Their rings keep for it what it has not
	// read yet, up to Buffer bytes over all its streams; 0: as much as it
	// asks for.
	Media  bool
	Buffer int64
}

// protocolPlugin is HTTP on the plugins' unix socket.
const protocolPlugin protocol = "plugin"

// ListenPlugins accepts plugins on a unix socket at path, with mode, until the
// listener is closed, which removes the socket. A socket that nobody listens
// at any more is replaced.
func (e *Engine) ListenPlugins(path string, mode os.FileMode) (*Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("listen for plugins: %w", err)
	}
	ln, err := listenUnix(path, mode)
	if err != nil {
		return nil, fmt.Errorf("listen for plugins: %w", err)
	}
	l := &Listener{engine: e, protocol: protocolPlugin, ln: ln, ended: make(chan struct{}), path: path}
	e.log.Info("listening", "protocol", string(protocolPlugin), "addr", path)
	go l.run()
	return l, nil
}

// listenUnix makes the socket with its mode under another name first, so that
// nobody can connect while the mode is still the system's.
func listenUnix(path string, mode os.FileMode) (*net.UnixListener, error) {
	early := path + ".new"
	if err := os.Remove(early); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: early, Net: "unix"})
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false) // by the name that it will not have
	if err := errors.Join(os.Chmod(early, mode), os.Rename(early, path)); err != nil {
		ln.Close()
		os.Remove(early)
		return nil, err
	}
	return ln, nil
}

// removeStale removes the socket that a server left behind which was killed.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("%s exists and is no socket", path)
	}
	nc, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		nc.Close()
		return fmt.Errorf("%s: another server listens there", path)
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// admitPlugin takes a plugin's connection onto a loop. The limits are for the
// public: a server that is full of viewers goes on recording.
func (e *Engine) admitPlugin(nc net.Conn) {
	c := newConn(e, protocolPlugin, ticket{})
	c.handler = &pluginConn{conn: c}
	e.totals.opened(protocolPlugin)
	e.enroll(nc, c)
}

// remote is the peer's address for people.
func (c *conn) remote() string {
	if c.protocol == protocolPlugin {
		return "unix"
	}
	return c.peer.String()
}

// loanedUnix is a plugin's connection that net/http has.
type loanedUnix struct {
	*net.UnixConn
	engine *Engine
	once   sync.Once
}

// Close closes the connection.
func (c *loanedUnix) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		err = c.UnixConn.Close()
		c.engine.totals.closed(protocolPlugin, causeServer)
	})
	return err
}

// lendPlugin wraps fd for net/http.
func (e *Engine) lendPlugin(fd int, prefix []byte) {
	f := os.NewFile(uintptr(fd), "plugin")
	nc, err := net.FileConn(f)
	f.Close()
	unixConn, ok := nc.(*net.UnixConn)
	if err != nil || !ok {
		e.totals.closed(protocolPlugin, causeServer)
		e.log.Warn("hand plugin over to net/http", reasonKey, fmt.Sprint(err))
		return
	}
	lent := &loanedUnix{UnixConn: unixConn, engine: e}
	if err := e.options.PluginHTTP(lent, prefix); err != nil {
		lent.Close()
	}
}
