package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/millrace/millrace/core/event"
	pluginv1 "github.com/millrace/millrace/plugins/proto/v1"
	"github.com/millrace/millrace/plugins/sdk"
	"github.com/millrace/millrace/plugins/sdk/wire"
)

// process is one run of a plugin's program. Any goroutine may use it.
type process struct {
	name   string
	config Config
	path   string // of the program
	out    *output
	child  *child
	client *plugin.Client
	remote pluginv1.PluginClient
	broker *plugin.GRPCBroker
	ctx    context.Context // ends when the process exits
	dir    string          // private, for sockets
	info   sdk.Info
	since  time.Time
	token  string
	revoke func(string)
	events *eventQueue

	mu     sync.Mutex
	reason string // why it was killed
}

// ConfigError is a plugin's answer to a table that is wrong.
type ConfigError struct{ Problems []Problem }

func (e *ConfigError) Error() string {
	texts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		texts[i] = p.Key + ": " + p.Message
	}
	return "configuration refused: " + strings.Join(texts, "; ")
}

// spawn starts the program and asks it for its Info. The caller owns the
// process and has to kill it.
func spawn(ctx context.Context, o *Options, name string, c Config, out *output) (*process, error) {
	path, err := lookUp(o.Beside, c.Command)
	if err != nil {
		return nil, err
	}
	var pinned *os.File
	if c.SHA256 != "" {
		if pinned, err = pin(path, c.SHA256); err != nil {
			return nil, err
		}
		defer pinned.Close() // the process has its own
	}
	p := &process{name: name, config: c, path: path, out: out, since: time.Now(), revoke: o.RevokeToken}
	if p.dir, err = os.MkdirTemp(o.RunDir, ""); err != nil {
		return nil, fmt.Errorf("make private folder: %w", err)
	}
	if err := p.launch(ctx, o, pinned); err != nil {
		p.kill(err.Error())
		return nil, err
	}
	return p, nil
}

func (p *process) launch(ctx context.Context, o *Options, pinned *os.File) error {
	a, err := lookUpUser(p.config.Limits.User)
	if err != nil {
		return err
	}
	sockets := &plugin.UnixSocketConfig{TempDir: p.dir}
	if a != nil {
		sockets.Group = a.group
		if err := os.Chown(p.dir, int(a.uid), int(a.gid)); err != nil {
			return fmt.Errorf("give private folder away: %w", err)
		}
	}
	p.client = plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: map[int]plugin.PluginSet{wire.Version: {wire.Name: &dispenser{p: p}}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         p.config.MTLS,
		SkipHostEnv:      true,
		StartTimeout:     p.config.StartTimeout,
		UnixSocketConfig: sockets,
		Logger:           &bridge{out: p.out},
		SyncStdout:       p.out,
		SyncStderr:       p.out,
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, _ string) (runner.Runner, error) {
			cmd, err := command(p.path, pinned, p.dir, p.config.Args)
			if err != nil {
				return nil, err
			}
			cmd.Env = append(environment(p.config, logLevel(o.Logger)), spec.Env...)
			cmd.SysProcAttr = sysProcAttr(a)
			p.child = newChild(ctx, cmd)
			return p.child, nil
		},
	})
	if err := p.connect(); err != nil {
		return err
	}
	p.child.started()
	return setLimits(p.child.pid, p.config.Limits)
}

func logLevel(l *slog.Logger) string {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn} {
		if l.Enabled(context.Background(), level) {
			return level.String()
		}
	}
	return slog.LevelError.String()
}

// connect waits for the handshake and asks for Info.
func (p *process) connect() error {
	protocol, err := p.client.Client()
	if err != nil {
		return fmt.Errorf("start %s: %w", filepath.Base(p.path), err)
	}
	if _, err := protocol.Dispense(wire.Name); err != nil {
		return fmt.Errorf("start %s: %w", filepath.Base(p.path), err)
	}
	return p.askInfo(p.ctx)
}

// askInfo asks the plugin what it is and wants.
func (p *process) askInfo(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.config.StartTimeout)
	defer cancel()
	answer, err := p.remote.Info(ctx, &pluginv1.InfoRequest{})
	if err != nil {
		return fmt.Errorf("ask for info: %w", err)
	}
	p.info = infoOf(answer)
	return nil
}

func infoOf(a *pluginv1.InfoResponse) sdk.Info {
	c := a.GetCapabilities()
	i := sdk.Info{Name: a.GetName(), Version: a.GetVersion(), Capabilities: sdk.Capabilities{
		Events: c.GetEvents(), Objects: c.GetObjects(), Handover: c.GetHandover(),
	}}
	if m := c.GetMedia(); m != nil {
		i.Media = &sdk.MediaWanted{
			Streams: m.GetStreams(), Codecs: m.GetCodecs(), Merge: m.GetMerge().AsDuration(),
			AllTracks: m.GetAllTracks(), OnDemand: m.GetOnDemand(),
		}
	}
	return i
}

// dispenser hands go-plugin's connection to the process.
type dispenser struct {
	plugin.NetRPCUnsupportedPlugin
	p *process
}

var _ plugin.GRPCPlugin = (*dispenser)(nil)

func (*dispenser) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return errors.New("the host serves no plugin")
}

// GRPCClient keeps the connection; ctx ends when the process exits.
func (d *dispenser) GRPCClient(ctx context.Context, broker *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	d.p.ctx, d.p.broker, d.p.remote = ctx, broker, pluginv1.NewPluginClient(conn)
	return d.p.remote, nil
}

// configure hands the table over. A *ConfigError says what is wrong with it.
// What the plugin wants may depend on its table, so that is asked once more.
func (p *process) configure(ctx context.Context) error {
	table, err := wire.Struct(p.config.Values)
	if err != nil {
		return err
	}
	patient, cancel := context.WithTimeout(ctx, p.config.StartTimeout)
	defer cancel()
	answer, err := p.remote.Configure(patient, &pluginv1.ConfigureRequest{Config: table})
	if err != nil {
		return fmt.Errorf("configure: %w", err)
	}
	var problems []Problem
	for _, problem := range answer.GetProblems() {
		problems = append(problems, Problem{Key: problem.GetKey(), Message: problem.GetMessage()})
	}
	if len(problems) > 0 {
		return &ConfigError{Problems: problems}
	}
	return p.askInfo(ctx)
}

// begin has the plugin begin its work.
func (p *process) begin(ctx context.Context, o *Options, service pluginv1.HostServer) error {
	if o.IssueToken != nil {
		token, err := o.IssueToken(Rights{
			Plugin: p.name, Objects: p.info.Objects, ObjectsMax: p.config.ObjectsMax, Buffer: p.config.Buffer,
		})
		if err != nil {
			return fmt.Errorf("issue token: %w", err)
		}
		p.token = token
	}
	id := p.broker.NextId()
	go p.broker.AcceptAndServe(id, func(opts []grpc.ServerOption) *grpc.Server {
		s := grpc.NewServer(opts...)
		pluginv1.RegisterHostServer(s, service)
		return s
	})
	ctx, cancel := context.WithTimeout(ctx, p.config.StartTimeout)
	defer cancel()
	_, err := p.remote.Start(ctx, &pluginv1.StartRequest{
		HostService: id, DataDir: o.DataDir, StateDir: o.StateDir, Table: p.name,
		DataPlane: &pluginv1.DataPlane{Transport: "http+unix", Socket: o.MediaSocket, Token: p.token},
		Timeout:   durationpb.New(p.config.StartTimeout),
	})
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	stream, err := p.remote.HandleEvents(p.ctx)
	if err != nil {
		return fmt.Errorf("open the stream of events: %w", err)
	}
	p.events = newEventQueue(p.info.Events)
	go p.events.run(p.ctx, stream)
	return nil
}

// attach begins a stream; q says how, and is filled in with which.
func (p *process) attach(ctx context.Context, e *event.Event, q *pluginv1.AttachRequest) error {
	ctx, cancel := context.WithTimeout(ctx, p.config.StartTimeout)
	defer cancel()
	q.App, q.Name, q.Session, q.Started = e.App, e.Name, e.Session, wire.Stamp(started(e))
	q.Labels, q.MediaTarget = e.Labels, p.target(e)
	_, err := p.remote.Attach(ctx, q)
	return err
}

func started(e *event.Event) time.Time {
	if e.Started.IsZero() {
		return e.Time
	}
	return e.Started
}

// detachSlack is how much longer a host waits than the plugin may take, so that
// it gets an answer.
const detachSlack = time.Second

// detach ends a stream; the answer says where it stands.
func (p *process) detach(ctx context.Context, q *pluginv1.DetachRequest) (*pluginv1.DetachResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, p.config.StopTimeout+detachSlack)
	defer cancel()
	q.Timeout = durationpb.New(p.config.StopTimeout)
	return p.remote.Detach(ctx, q)
}

// stop ends the process in good order, and if that takes too long, anyhow.
func (p *process) stop(reason string) {
	timeout := p.config.StopTimeout
	ctx, cancel := context.WithTimeout(p.ctx, timeout)
	defer cancel()
	_, drained := p.remote.Drain(ctx, &pluginv1.DrainRequest{Timeout: durationpb.New(timeout)})
	_, stopped := p.remote.Stop(ctx, &pluginv1.StopRequest{Timeout: durationpb.New(timeout)})
	if err := errors.Join(drained, stopped); err != nil {
		p.out.logger.Warn("plugin did not stop in order", "error", err)
		p.kill(reason)
		return
	}
	p.setReason(reason)
	p.client.Kill() // asks it to exit first
	p.clean()
}

// kill ends the process at once and waits for its end.
func (p *process) kill(reason string) {
	p.setReason(reason)
	if p.child != nil && p.child.pid != 0 {
		_ = p.child.Kill(context.Background())
		<-p.child.exited
	}
	if p.client != nil {
		p.client.Kill()
	}
	p.clean()
}

func (p *process) clean() {
	if p.token != "" && p.revoke != nil {
		p.revoke(p.token)
	}
	os.RemoveAll(p.dir)
}

// setReason notes the first reason for the end.
func (p *process) setReason(reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason == "" {
		p.reason = reason
	}
}

// endReason says why the process ended.
func (p *process) endReason() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason != "" {
		return p.reason
	}
	return "exited: " + exitText(p.child.err)
}

// failed reports whether the end was one of those after which "on-failure"
// restarts.
func (p *process) failed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reason != "" || p.child.err != nil
}
