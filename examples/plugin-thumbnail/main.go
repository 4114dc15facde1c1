// Command plugin-thumbnail has ffmpeg make a picture of each keyframe of
// H.264: data_dir/thumbnail/APP/NAME/SESSION.jpg, SESSION_p2.jpg…
//
//	[plugins.thumbnail]
//	command = "plugin-thumbnail"
//	width = 320                 # pixels
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/millrace/millrace/core/event"
	"github.com/millrace/millrace/core/flv"
	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/sdk"
)

func main() { sdk.Serve(newThumbnail) }

type thumbnail struct {
	host  sdk.Host
	width int64
}

func newThumbnail() sdk.Plugin { return &thumbnail{width: 320} }

func (*thumbnail) Info() sdk.Info {
	return sdk.Info{Name: "thumbnail", Version: "1.0", Capabilities: sdk.Capabilities{
		Media: &sdk.MediaWanted{Codecs: []string{"h264"}, Merge: 300 * time.Millisecond},
	}}
}

func (p *thumbnail) Configure(c sdk.Config) (problems []sdk.Problem) {
	for key, value := range c.Values {
		width, whole := value.(int64)
		switch {
		case key != "width":
			problems = append(problems, sdk.Problem{Key: key, Message: "is unknown"})
		case !whole || width < 16 || width > 4096:
			problems = append(problems, sdk.Problem{Key: key, Message: "is not a number of pixels from 16 to 4096"})
		default:
			p.width = width
		}
	}
	return problems
}

func (p *thumbnail) Start(_ context.Context, h sdk.Host) error { p.host = h; return nil }
func (p *thumbnail) Stop(context.Context) error                { return nil }

// Attach makes a Stream whose pictures are drawn by a goroutine of its own:
// one that is still busy with a picture leaves keyframes out.
func (p *thumbnail) Attach(_ context.Context, a sdk.Attach) (sdk.Stream, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &stream{p: p, a: a, cancel: cancel, keyframes: make(chan []byte, 1)}
	s.done.Go(func() { s.draw(ctx) })
	return s, nil
}

type stream struct {
	p         *thumbnail
	a         sdk.Attach
	config    *media.Frame // the sequence header of the video
	keyframes chan []byte  // FLV files of one picture
	cancel    context.CancelFunc
	done      sync.WaitGroup
}

func (s *stream) Write(items []sdk.Item) error {
	for _, it := range items {
		f := it.Frame
		switch {
		case f == nil || f.Kind != media.Video || f.Codec != media.AVC:
		case f.Is(media.Config):
			s.config = f
		case f.Is(media.Keyframe) && s.config != nil:
			file := flv.AppendFileHeader(nil, false, true)
			file = append(append(file, s.config.Tag()...), f.Tag()...)
			select {
			case s.keyframes <- file:
			default:
			}
		}
	}
	return nil
}

// draw takes the next part whose file is empty: after a crash there are
// pictures already.
func (s *stream) draw(ctx context.Context) {
	part := 1
	for file := range s.keyframes {
		for {
			again, err := s.picture(ctx, part, file)
			if err != nil {
				s.p.host.Logger().Warn("no picture", "stream_id", s.a.App+"/"+s.a.Name, "error", err)
			}
			part++
			if !again {
				break
			}
		}
	}
}

func (s *stream) picture(ctx context.Context, part int, file []byte) (again bool, err error) {
	at, err := s.p.host.OpenRecord(ctx, sdk.RecordRequest{
		App: s.a.App, Name: s.a.Name, Session: s.a.Session, Kind: "thumbnail", Part: part, Ext: ".jpg", Started: s.a.Started,
	})
	if err != nil || at.Skip {
		return false, err
	}
	path := filepath.Join(at.Dir, at.Name)
	if info, err := os.Stat(path); err != nil || info.Size() > 0 {
		return err == nil, err
	}
	cmd := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-f", "flv", "-i", "pipe:0",
		"-frames:v", "1", "-vf", fmt.Sprintf("scale=%d:-2", s.p.width), "-f", "mjpeg", "-y", path)
	cmd.Stdin = bytes.NewReader(file)
	if out, err := cmd.CombinedOutput(); err != nil {
		return false, fmt.Errorf("run ffmpeg: %w: %s", err, out)
	}
	return false, s.p.host.Announce(ctx, event.Event{
		Event: event.Segment, App: s.a.App, Name: s.a.Name, Session: s.a.Session, File: at.Rel, Number: int64(part),
	})
}

// Detach lets the last picture be finished.
func (s *stream) Detach(ctx context.Context, d sdk.Detach) (sdk.Detached, error) {
	stop := context.AfterFunc(ctx, s.cancel)
	defer stop()
	close(s.keyframes)
	s.done.Wait()
	s.cancel()
	return sdk.Detached{Durable: d.At}, nil
}
