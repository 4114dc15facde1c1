package fmp4

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/millrace/millrace/core/media"
	"github.com/millrace/millrace/plugins/record"
)

// indexEntry is a segment in index.json.
type indexEntry struct {
	Number int64  `json:"number"`
	Tracks string `json:"tracks,omitempty"`
	URI    string `json:"uri"`
	Init   string `json:"init"`
	// Start is on the session's timeline; both are in seconds.
	Start         float64   `json:"start"`
	Duration      float64   `json:"duration"`
	Size          int64     `json:"size"`
	Keyframe      bool      `json:"keyframe"`
	Discontinuity bool      `json:"discontinuity,omitempty"`
	Time          time.Time `json:"time"` // wall clock of the first frame
}

// uri is where a file of the session is served: absolute within the session,
// so that the alias may move on while a player holds its playlist.
func (s *session) uri(folder, file string) string {
	if s.line.URL == "" {
		return file
	}
	return s.line.URL + "/" + folder + "/" + file
}

func (s *session) entry(set *set, p *record.Part) indexEntry {
	e := indexEntry{
		Number: p.Number, Tracks: p.Tracks, URI: s.uri(set.folder, set.segmentFile(p.Number)),
		Start: float64(p.FromDTS-s.line.Base) / 1000, Duration: float64(p.ToDTS-p.FromDTS) / 1000,
		Size: p.Size, Keyframe: p.Keyframe, Time: p.Started,
	}
	if era := s.line.eraOf(p.Number); era != nil {
		e.Init = s.uri(set.folder, set.initFile(era.Number))
		e.Discontinuity = era.Number > 1 && era.Segment == p.Number
	}
	return e
}

// playlistName is that of a row's media playlist.
func (s *set) playlistName() string {
	if s.kind == 0 {
		return "index.m3u8"
	}
	return s.kind.String() + ".m3u8"
}

// playlistHead begins a playlist. A segment is shorter than twice the target,
// so that the target duration never has to change while it grows.
func playlistHead(kind string, target int64) []byte {
	return []byte("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:" + strconv.FormatInt(target, 10) +
		"\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:" + kind + "\n")
}

func (o Options) longest() int64 { return int64(math.Ceil(2 * o.Segment.Seconds())) }

func appendPlaylistEntry(b []byte, e *indexEntry, mapped bool) []byte {
	if e.Discontinuity {
		b = append(b, "#EXT-X-DISCONTINUITY\n"...)
	}
	if mapped {
		b = append(b, "#EXT-X-MAP:URI=\""+e.Init+"\"\n"...)
	}
	b = append(b, "#EXT-X-PROGRAM-DATE-TIME:"+e.Time.UTC().Format("2006-01-02T15:04:05.000Z07:00")+"\n"...)
	return append(b, fmt.Sprintf("#EXTINF:%.3f,\n%s\n", e.Duration, e.URI)...)
}

const indexTail = "\n]}\n"

func (s *session) indexHead() ([]byte, error) {
	head, err := json.Marshal(struct {
		Version int       `json:"version"`
		App     string    `json:"app"`
		Name    string    `json:"name"`
		Session string    `json:"session"`
		Started time.Time `json:"started"`
		Target  float64   `json:"target"` // seconds
	}{1, s.App, s.Name, s.Session, s.Started, s.opt.Segment.Seconds()})
	if err != nil {
		return nil, fmt.Errorf("write index: %w", err)
	}
	return append(head[:len(head)-1], `,"segments":[`...), nil
}

// addToIndex adds a segment to the row's playlist and to the folder's
// index.json.
func (s *session) addToIndex(set *set, p record.Part) error {
	e := s.entry(set, &p)
	if err := s.addToJSON(set, &e); err != nil {
		return err
	}
	path := filepath.Join(s.Dir, set.folder, set.playlistName())
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := record.Replace(path, appendPlaylistEntry(playlistHead("EVENT", s.opt.longest()), &e, true)); err != nil {
			return err
		}
		if set.kind != 0 {
			return s.writeMaster()
		}
		return nil
	}
	return record.AppendLines(path, appendPlaylistEntry(nil, &e, e.Discontinuity))
}

// jsonIndex is what index.json of a folder lacks yet.
type jsonIndex struct {
	listed int // entries in the file
	late   []byte
	lates  int
}

// lateShare is how far behind index.json may be, as a share of its length: it
// is replaced whole, and the cost of that has to stay bounded over hours.
const lateShare = 256

// addToJSON adds an entry to the folder's index.json: at once in the first
// quarter of an hour, later several together.
func (s *session) addToJSON(set *set, e *indexEntry) error {
	if s.json == nil {
		s.json = map[string]*jsonIndex{}
	}
	x := s.json[set.folder]
	if x == nil {
		x = &jsonIndex{}
		s.json[set.folder] = x
	}
	if x.listed+x.lates > 0 {
		x.late = append(x.late, ',')
	}
	var err error
	if x.late, err = appendIndexEntry(x.late, e); err != nil {
		return err
	}
	x.lates++
	if x.lates*lateShare < x.listed {
		return nil
	}
	path, added := filepath.Join(s.Dir, set.folder, "index.json"), append(x.late, indexTail...)
	if x.listed == 0 {
		head, err := s.indexHead()
		if err == nil {
			err = record.Replace(path, append(head, added...))
		}
		if err != nil {
			return err
		}
	} else if err := record.Extend(path, len(indexTail), added); err != nil {
		return err
	}
	x.listed += x.lates
	x.late, x.lates = x.late[:0], 0
	return nil
}

func appendIndexEntry(b []byte, e *indexEntry) ([]byte, error) {
	line, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("write index: %w", err)
	}
	return append(append(b, '\n'), line...), nil
}

// writeIndexes makes all playlists and indexes from the manifest, for a
// session that ended, or that goes on after a crash.
func (s *session) writeIndexes(m *record.Manifest, ended bool) error {
	folders := map[string][]byte{}
	s.json = map[string]*jsonIndex{}
	for _, set := range s.sets {
		parts := partsOf(m, set)
		if len(parts) == 0 {
			continue
		}
		if err := s.writePlaylist(set, parts, ended); err != nil {
			return err
		}
		b := folders[set.folder]
		for i := range parts {
			if len(b) > 0 {
				b = append(b, ',')
			}
			e := s.entry(set, &parts[i])
			var err error
			if b, err = appendIndexEntry(b, &e); err != nil {
				return err
			}
		}
		folders[set.folder] = b
		if s.json[set.folder] == nil {
			s.json[set.folder] = &jsonIndex{}
		}
		s.json[set.folder].listed += len(parts)
	}
	head, err := s.indexHead()
	if err != nil {
		return err
	}
	for folder, entries := range folders {
		if err := record.Replace(filepath.Join(s.Dir, folder, "index.json"), slices.Concat(head, entries, []byte(indexTail))); err != nil {
			return err
		}
	}
	return s.writeMaster()
}

// partsOf are the segments of a row, in order.
func partsOf(m *record.Manifest, set *set) []record.Part {
	var parts []record.Part
	for _, p := range m.Parts {
		if p.Tracks == set.tracks() && p.Number > 0 {
			parts = append(parts, p)
		}
	}
	slices.SortFunc(parts, func(a, b record.Part) int { return int(a.Number - b.Number) })
	return parts
}

func (s *session) writePlaylist(set *set, parts []record.Part, ended bool) error {
	kind, target := "EVENT", s.opt.longest()
	if ended {
		kind, target = "VOD", 1
		for _, p := range parts {
			target = max(target, (p.ToDTS-p.FromDTS+999)/1000)
		}
	}
	b := playlistHead(kind, target)
	for i := range parts {
		e := s.entry(set, &parts[i])
		b = appendPlaylistEntry(b, &e, i == 0 || e.Discontinuity)
	}
	if ended {
		b = append(b, "#EXT-X-ENDLIST\n"...)
	}
	return record.Replace(filepath.Join(s.Dir, set.folder, set.playlistName()), b)
}

// writeMaster joins the playlists of video and audio, those that there are.
func (s *session) writeMaster() error {
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(s.Dir, separateDir, name))
		return err == nil
	}
	video, audio := has("video.m3u8"), has("audio.m3u8")
	if !video && !audio || len(s.line.Eras) == 0 {
		return nil
	}
	var rate uint32
	var codecs []byte
	stream := ""
	for _, t := range s.line.Eras[len(s.line.Eras)-1].Tracks {
		rate += t.Bitrate
		if len(codecs) > 0 {
			codecs = append(codecs, ',')
		}
		codecs = append(codecs, t.Codec.Name...)
		if t.Kind == media.Video {
			stream = fmt.Sprintf(",RESOLUTION=%dx%d", t.Codec.Width, t.Codec.Height)
		}
	}
	b := []byte("#EXTM3U\n#EXT-X-VERSION:7\n")
	main := "audio.m3u8"
	if video {
		main = "video.m3u8"
		if audio {
			b = append(b, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"audio\",DEFAULT=YES,AUTOSELECT=YES,URI=\""+s.uri(separateDir, "audio.m3u8")+"\"\n"...)
			stream += `,AUDIO="audio"`
		}
	}
	b = append(b, fmt.Sprintf("#EXT-X-STREAM-INF:BANDWIDTH=%d,CODECS=\"%s\"%s\n%s\n", max(rate, 1), codecs, stream, s.uri(separateDir, main))...)
	return record.Replace(filepath.Join(s.Dir, separateDir, "index.m3u8"), b)
}
