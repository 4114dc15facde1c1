package plugintest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/plugins/host"
	"github.com/millrace/millrace/plugins/sdk"
)

// serveEnv names what a test program is to serve instead of running tests.
const serveEnv = "MILLRACE_PLUGINTEST"

// Modes of the test program, most of them hostile.
const (
	ModeJournal      = "journal"
	ModePlain        = "journal-plain"  // no handover
	ModeCrashStart   = "crash-start"    // exits before the handshake
	ModeBadHandshake = "bad-handshake"  // prints nonsense
	ModeWrongVersion = "wrong-version"  // speaks version 99 only
	ModeHangStart    = "hang-start"     // never prints anything
	ModeStartError   = "start-error"    // Start fails
	ModeCrashOnce    = "crash-once"     // a journal that dies in the middle, once
	ModeCrashFirst   = "crash-first"    // a journal that dies before it wrote anything, once
	ModeCrashAlways  = "crash-always"   // a journal that dies at each frame
	ModeIll          = "ill"            // Health fails
	ModeHang         = "hang"           // Health never answers
	ModeStuck        = "stuck"          // Write never returns
	ModeWriteError   = "write-error"    // a journal whose first Write fails
	ModeSlowAttach   = "slow-attach"    // a journal whose Attach waits until the file "go" is in state_dir
	ModeFloodLog     = "flood-log"      // logs without end
	ModeFloodEvents  = "flood-events"   // announces without end
	ModeDeaf         = "deaf"           // takes no events off the wire
	ModeLeak         = "leak"           // takes memory without end
	ModeClosedPipes  = "closed-pipes"   // a journal without standard streams
	ModeGrandchild   = "grandchild"     // leaves a process of its own behind, and logs when nobody reads it
	ModeNoStop       = "no-stop"        // Stop never returns
	ModeOutside      = "outside-prefix" // asks for records that it may not have
)

// Serve serves, and ends the process, if this is a test program that a Config
// of Command started. It is called first in TestMain.
func Serve() {
	mode := os.Getenv(serveEnv)
	if mode == "" || strings.HasPrefix(mode, "Test") {
		return
	}
	serveMode(mode)
	os.Exit(0)
}

// Command is the configuration of a plugin that is this test program in a
// mode. It has time for everything: whoever tests a limit sets one.
func Command(mode string) host.Config {
	c := host.DefaultConfig()
	c.Command = "/proc/self/exe"
	if path, err := os.Executable(); err == nil {
		c.Command = path
	}
	c.Env = map[string]string{serveEnv: mode}
	c.StartTimeout, c.StopTimeout, c.StuckTimeout = patience, patience/2, patience // on a busy machine
	return c
}

func serveMode(mode string) {
	switch mode {
	case ModeCrashStart:
		os.Exit(3)
	case ModeBadHandshake:
		fmt.Println("hello|there")
		select {}
	case ModeWrongVersion:
		fmt.Println("1|99|unix|/nowhere|grpc|")
		select {}
	case ModeHangStart:
		time.Sleep(time.Hour)
	case ModeJournal:
		sdk.Serve(NewJournal)
	case ModePlain:
		sdk.Serve(NewPlainJournal)
	default:
		sdk.Serve(func() sdk.Plugin { return &hostile{Journal: *NewJournal().(*Journal), mode: mode} })
	}
}

// hostile is a Journal that misbehaves.
type hostile struct {
	Journal
	mode string
	leak [][]byte
}

func (p *hostile) Info() sdk.Info {
	i := p.Journal.Info()
	if p.mode == ModeDeaf {
		i.Events = []string{"*"}
	}
	return i
}

func (p *hostile) Start(ctx context.Context, h sdk.Host) error {
	switch p.mode {
	case ModeStartError:
		return errors.New("no licence")
	case ModeFloodLog:
		go p.floodLog(h)
	case ModeFloodEvents:
		go p.floodEvents(h)
	case ModeLeak:
		go p.grow()
	case ModeClosedPipes:
		_ = errors.Join(syscall.Close(0), syscall.Close(1), syscall.Close(2))
	case ModeGrandchild:
		if err := leaveChild(h.StateDir() + "/grandchild"); err != nil {
			return err
		}
	case ModeOutside:
		_, err := h.OpenRecord(ctx, sdk.RecordRequest{App: "..", Name: "x", Session: "s", Kind: "flv", Part: 1, Ext: ".flv"})
		if err == nil {
			return errors.New("a record outside was opened")
		}
	}
	return p.Journal.Start(ctx, h)
}

func (p *hostile) Stop(ctx context.Context) error {
	if p.mode == ModeNoStop {
		select {}
	}
	return p.Journal.Stop(ctx)
}

func (p *hostile) Health(context.Context) error {
	switch p.mode {
	case ModeIll:
		return errors.New("the disk is on fire")
	case ModeHang:
		select {}
	}
	return nil
}

func (p *hostile) HandleEvent(context.Context, *event.Event) {
	if p.mode == ModeDeaf {
		select {}
	}
}

func (p *hostile) floodLog(h sdk.Host) {
	for i := 0; ; i++ {
		h.Logger().Error("noise", "i", i, "more", strings.Repeat("x", 500))
		fmt.Fprintln(os.Stdout, "noise on the standard output", i)
	}
}

func (p *hostile) floodEvents(h sdk.Host) {
	for i := int64(0); ; i++ {
		if h.Announce(context.Background(), event.Event{Event: event.Segment, App: "a", Name: "b", Number: i}) != nil {
			return
		}
	}
}

func (p *hostile) grow() {
	for range 4096 {
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = byte(i)
		}
		p.leak = append(p.leak, b)
		time.Sleep(time.Millisecond)
	}
}

// leaveChild starts a process that outlives this one, and writes its number
// down.
func leaveChild(file string) error {
	cmd := exec.Command("sleep", "1000")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(strconv.Itoa(cmd.Process.Pid)), 0o600)
}

func (p *hostile) Attach(ctx context.Context, a sdk.Attach) (sdk.Stream, error) {
	if p.mode == ModeSlowAttach {
		awaitFile(ctx, p.host.StateDir()+"/go")
	}
	s, err := p.Journal.Attach(ctx, a)
	if err != nil {
		return nil, err
	}
	return &hostileStream{journalStream: s.(*journalStream), p: p}, nil
}

func awaitFile(ctx context.Context, file string) {
	for ctx.Err() == nil {
		if _, err := os.Stat(file); err == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

type hostileStream struct {
	*journalStream
	p *hostile
}

// crashAfter is how many frames a crashing journal writes first.
const crashAfter = 100

func (s *hostileStream) Write(items []sdk.Item) error {
	switch s.p.mode {
	case ModeStuck:
		if s.once("stuck") {
			select {}
		}
	case ModeCrashAlways:
		os.Exit(7)
	case ModeCrashFirst:
		if s.once("crash") {
			os.Exit(7)
		}
	case ModeWriteError:
		if s.once("write") {
			return errors.New("no space left on device")
		}
	}
	err := s.journalStream.Write(items)
	if s.p.mode == ModeCrashOnce && s.next > crashAfter && s.once("crash") {
		_, _ = s.f.WriteString("999999 torn")
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return err
}

// Detach logs when the server is gone, and the log with it.
func (s *hostileStream) Detach(ctx context.Context, d sdk.Detach) (sdk.Detached, error) {
	if s.p.mode == ModeGrandchild && d.Why == sdk.Lost {
		for ctx.Err() == nil && !errors.Is(tryLog(), syscall.EPIPE) {
			time.Sleep(time.Millisecond)
		}
		s.p.host.Logger().Warn("does anybody read this?")
	}
	return s.journalStream.Detach(ctx, d)
}

func tryLog() error {
	_, err := syscall.Write(2, []byte("\n"))
	return err
}

// once is true the first time, over all processes.
func (s *hostileStream) once(what string) bool {
	f, err := os.OpenFile(s.p.host.StateDir()+"/"+what, os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false
	}
	f.Close()
	return true
}
