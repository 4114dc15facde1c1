package main_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
)

// clip is a few seconds of one track as an encoder made it.
type clip struct {
	file    string // as the encoder wrote it
	kind    byte
	fourCC  string
	config  []byte // decoder configuration, nil if the codec has none
	samples []sample
}

type sample struct {
	ts, cts int // ms
	key     bool
	data    []byte
}

// clipRecipes are ffmpeg's arguments for each codec, and the box with its
// configuration.
var clipRecipes = map[string]struct{ args, fourCC, box string }{
	"h264": {clipPicture + "libx264 -preset ultrafast -bf 2", "avc1", "avcC"},
	"hevc": {clipPicture + "libx265 -preset ultrafast -x265-params log-level=none:pools=1 -bf 2", "hvc1", "hvcC"},
	// SVT-AV1's pyramids of hidden frames stop mpegts.js 1.8 in a browser.
	"av1":  {clipPicture + "libaom-av1 -usage realtime -cpu-used 8 -lag-in-frames 0", "av01", "av1C"},
	"vp9":  {clipPicture + "libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 200k", "vp09", "vpcC"},
	"vp8":  {clipPicture + "libvpx -deadline realtime -cpu-used 8 -b:v 200k", "vp08", ""}, // IVF: MP4 knows it not
	"opus": {sound + " -ac 2 -c:a libopus -b:a 64k", "Opus", "dOps"},
	"flac": {sound + " -ac 2 -c:a flac -strict -2", "fLaC", "dfLa"},
	"ac3":  {sound + " -ac 2 -c:a ac3 -b:a 96k", "ac-3", ""},
	"eac3": {sound + " -ac 2 -c:a eac3 -b:a 96k", "ec-3", ""},
	"aac":  {sound + " " + aac, "mp4a", "esds"},
	"mp3":  {sound + " -ac 2 -c:a libmp3lame -b:a 64k", ".mp3", ""},
}

const clipPicture = "-f lavfi -i testsrc2=size=160x96:rate=25 -pix_fmt yuv420p -g 25 -c:v "

// makeClip has ffmpeg encode 3 s, and takes its MP4 file apart.
func makeClip(t *testing.T, codec string) clip {
	t.Helper()
	recipe := clipRecipes[codec]
	file, container := filepath.Join(t.TempDir(), codec), "-f mp4 "
	if codec == "vp8" {
		container = "-f ivf "
	}
	args := strings.Fields("-hide_banner -nostdin -loglevel error " + recipe.args +
		" -t 3 -movflags empty_moov+default_base_moof+delay_moov -frag_duration 1000000 " + container + file)
	cmd := exec.Command("ffmpeg", args...)
	cmd.Env = append(os.Environ(), "SVT_LOG=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("encode %s: %v\n%s", codec, err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if codec == "vp8" {
		return clip{file, videoTag, recipe.fourCC, nil, ivfSamples(data)}
	}
	f, err := mp4.DecodeFile(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("read the clip of %s: %v", codec, err)
	}
	c := clip{file: file, kind: videoTag, fourCC: recipe.fourCC, config: boxIn(data, recipe.box)}
	if strings.Contains(recipe.args, "-c:a") {
		c.kind = audioTag
	}
	switch codec {
	case "opus":
		c.config = opusHead(c.config)
	case "flac":
		c.config = append([]byte("fLaC"), c.config[4:]...)
	case "aac":
		esds := f.Init.Moov.Trak.Mdia.Minf.Stbl.Stsd.Mp4a.Esds
		c.config = esds.DecConfigDescriptor.DecSpecificInfo.DecConfig
	}
	c.samples = samplesOf(t, f)
	return c
}

// ivfSamples takes an IVF file of 25 frames per second apart.
func ivfSamples(data []byte) (all []sample) {
	for data = data[32:]; len(data) > 12; {
		end := 12 + int(binary.LittleEndian.Uint32(data))
		frame := data[12:end]
		all = append(all, sample{ts: 40 * len(all), key: frame[0]&1 == 0, data: frame})
		data = data[end:]
	}
	return all
}

// boxIn is the content of the first box of a kind.
func boxIn(data []byte, kind string) []byte {
	at := bytes.Index(data, []byte(kind))
	if kind == "" || at < 4 {
		return nil
	}
	return data[at+4 : at-4+int(binary.BigEndian.Uint32(data[at-4:]))]
}

// opusHead turns a dOps box into an identification header (RFC 7845, 5.1).
func opusHead(dops []byte) []byte {
	head := append([]byte("OpusHead\x01"), dops[1])
	head = binary.LittleEndian.AppendUint16(head, binary.BigEndian.Uint16(dops[2:]))
	head = binary.LittleEndian.AppendUint32(head, binary.BigEndian.Uint32(dops[4:]))
	return append(head, dops[8:]...)
}

func samplesOf(t *testing.T, f *mp4.File) (all []sample) {
	t.Helper()
	scale := int(f.Init.Moov.Trak.Mdia.Mdhd.Timescale)
	for _, segment := range f.Segments {
		for _, fragment := range segment.Fragments {
			full, err := fragment.GetFullSamples(f.Init.Moov.Mvex.Trex)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range full {
				all = append(all, sample{
					ts: int(s.DecodeTime) * 1000 / scale, cts: int(s.CompositionTimeOffset) * 1000 / scale,
					key: s.IsSync(), data: slices.Clone(s.Data),
				})
			}
		}
	}
	return all
}

// form is how a clip is sent: by FourCC, or by a number of classic FLV.
type form func(c clip, packet byte, s sample) []byte

// enhancedForm has composition times where the codec has them, also if they
// are 0.
func enhancedForm(c clip, packet byte, s sample) []byte {
	return append(enhancedHead(c, packet, s, false), s.data...)
}

// plainForm is what viewers get: the shorter packet where the time is 0.
func plainForm(c clip, packet byte, s sample) []byte {
	return append(enhancedHead(c, packet, s, s.cts == 0), s.data...)
}

func enhancedHead(c clip, packet byte, s sample, short bool) []byte {
	if c.kind == audioTag {
		return append([]byte{0x90 | packet}, c.fourCC...)
	}
	timed := packet == 1 && (c.fourCC == "avc1" || c.fourCC == "hvc1")
	if timed && short {
		packet = 3
	}
	first := byte(0xA0)
	if s.key {
		first = 0x90
	}
	head := append([]byte{first | packet}, c.fourCC...)
	if timed && !short {
		head = append(head, byte(s.cts>>16), byte(s.cts>>8), byte(s.cts))
	}
	return head
}

// numbered is the form of classic FLV.
func numbered(id byte) form {
	return func(c clip, packet byte, s sample) []byte {
		if c.kind == audioTag {
			return append([]byte{id<<4 | 15, packet}, s.data...)
		}
		first := 0x20 | id
		if s.key {
			first = 0x10 | id
		}
		return append([]byte{first, packet, byte(s.cts >> 16), byte(s.cts >> 8), byte(s.cts)}, s.data...)
	}
}

// tags are a clip in a form.
func (c clip) tags(as form) []tag {
	var tags []tag
	if c.config != nil {
		tags = append(tags, tag{c.kind, 0, as(c, 0, sample{key: true, data: c.config})})
	}
	for _, s := range c.samples {
		tags = append(tags, tag{c.kind, uint32(s.ts), as(c, 1, s)})
	}
	return tags
}

// interleave sorts tags by time; those of the first come first.
func interleave(tracks ...[]tag) []tag {
	all := slices.Concat(tracks...)
	slices.SortStableFunc(all, func(a, b tag) int { return cmp.Compare(a.ts, b.ts) })
	return all
}

// wantBodies wants the tags of a kind to be these, each once.
func wantBodies(t *testing.T, what string, kind byte, got, want []tag) {
	t.Helper()
	only := func(tags []tag) []tag {
		return slices.DeleteFunc(slices.Clone(tags), func(g tag) bool { return g.kind != kind })
	}
	sameBodies(t, fmt.Sprintf("%s, kind %d", what, kind), only(got), only(want))
}
