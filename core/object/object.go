package object

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"path"
	"strings"
	"time"
	"unicode/utf8"
)

// maxPath is in bytes.
const maxPath = 1024

// Put describes an object to be stored. The store owns all of it from then on.
type Put struct {
	Path        string // such as "hls/live/cam/index.m3u8"
	ContentType string // "" has it guessed from the path's extension
	// CacheControl is sent as it is; "" means no-cache.
	CacheControl string
	TTL          time.Duration // 0 means DefaultTTL
	Body         []byte
	// Parts are paths of stored objects whose bytes, in order, are the body,
	// in place of Body. They are shared, not copied, and may go on their own.
	Parts []string
	// After is the ETag that the object at Path has to have still: Body comes
	// behind its first Keep bytes. "": Body is all.
	After string
	Keep  int64
	// Blocking has requests with _HLS_msn wait for a playlist that holds what
	// they ask for. What an HLS playlist holds is read from Body; MSN and Part
	// say it for any other body: all segments before number MSN, and Part
	// parts of that one.
	Blocking  bool
	MSN, Part int64
	// Delta is what ?_HLS_skip=YES gets; nil: Body.
	Delta []byte
	// Hint is the path of an object that comes next, for which requests wait.
	Hint string

	blocks [][]byte // the body, in pieces
	on     *Object  // nil: it does not grow from one
	stay   []*blob  // of on, before blocks
}

// Object is a stored resource. It is immutable but for what the store keeps
// in it under its lock.
type Object struct {
	Path                      string
	ContentType, CacheControl string
	Modified                  time.Time // in full seconds, as HTTP has it
	Full                      *Content
	Delta                     *Content // nil: none
	Blocking                  bool
	Hint                      string
	at                        position

	// What a walk looks at stands together.
	expires      time.Time
	pass         uint64 // the last one that met it, or what it replaced
	owner        *owner
	older, newer *Object

	extra int64 // bytes charged beside the blobs
	blobs []*blob
}

// Content is a body. It is immutable.
type Content struct {
	// Blocks are its bytes in order; none is empty.
	Blocks [][]byte
	Size   int64
	// ETag is strong, in quotes: equal only for equal bytes.
	ETag string
}

// blob is the body of one Put, which several objects may share.
type blob struct {
	blocks [][]byte
	size   int64
	sum    [sha256.Size]byte
	owner  *owner
	refs   int
	// at is how far a playlist goes at the blob's end, behind before and what
	// that is behind; nil: it was not read as one, or does not end with a line.
	at     *position
	before *blob
}

// object makes the object that p describes, of blobs.
func (p Put) object(now time.Time, blobs []*blob) *Object {
	o := &Object{
		Path: p.Path, ContentType: p.ContentType, CacheControl: p.CacheControl,
		Modified: now.Truncate(time.Second), Blocking: p.Blocking, Hint: p.Hint,
		expires: now.Add(min(p.ttl(), MaxTTL)), blobs: blobs,
	}
	if o.ContentType == "" {
		o.ContentType = TypeOf(p.Path)
	}
	if o.CacheControl == "" {
		o.CacheControl = "no-cache"
	}
	o.Full = contentOf(o.blobs)
	if p.Delta != nil {
		o.Delta = contentOf([]*blob{newBlob([][]byte{p.Delta})})
	}
	if p.Blocking {
		o.at = o.position()
		if !o.at.playlist {
			o.at.next, o.at.parts = p.MSN, p.Part
		}
	}
	return o
}

// position is how far the playlist goes: of a session of hours, only what is
// new was read for it.
func (o *Object) position() position {
	var before *blob
	for _, b := range o.blobs {
		if b.before != before || b.at == nil {
			return positionOf(o.Full.Blocks)
		}
		before = b
	}
	return *before.at
}

// use notes that the object's blobs are its own, or also its own. Under the
// store's lock.
func (o *Object) use() {
	for _, b := range o.blobs {
		b.refs++
		if b.owner == nil {
			b.owner = o.owner
		}
	}
}

func (p Put) ttl() time.Duration {
	if p.TTL == 0 {
		return DefaultTTL
	}
	return p.TTL
}

func (p Put) check() error {
	switch {
	case !validPath(p.Path):
		return fmt.Errorf("path %q: %w", p.Path, ErrInvalid)
	case p.Hint != "" && !validPath(p.Hint):
		return fmt.Errorf("hint %q: %w", p.Hint, ErrInvalid)
	case len(p.Parts) > 0 && len(p.blocks) > 0:
		return fmt.Errorf("both a body and parts: %w", ErrInvalid)
	case p.Keep != 0 && p.After == "":
		return fmt.Errorf("nothing to keep bytes of: %w", ErrInvalid)
	case p.TTL < 0 || p.MSN < 0 || p.Part < 0:
		return fmt.Errorf("negative number: %w", ErrInvalid)
	case !validField(p.ContentType) || !validField(p.CacheControl):
		return fmt.Errorf("control character in a header: %w", ErrInvalid)
	}
	return nil
}

// blob makes a piece of the body, which stands behind another first, nil for
// none.
func (p Put) blob(blocks [][]byte, before *blob) *blob {
	b := newBlob(blocks)
	b.before = before
	if p.Blocking {
		b.at = positionBehind(before, blocks)
	}
	return b
}

func newBlob(blocks [][]byte) *blob {
	b := &blob{blocks: blocks, size: blocksSize(blocks)}
	sum := sha256.New()
	for _, block := range blocks {
		sum.Write(block)
	}
	sum.Sum(b.sum[:0])
	return b
}

// contentOf joins blobs; their sums, not their bytes, make the ETag.
func contentOf(blobs []*blob) *Content {
	c := &Content{}
	sum := sha256.New()
	for _, b := range blobs {
		for _, block := range b.blocks {
			if len(block) > 0 {
				c.Blocks = append(c.Blocks, block)
			}
		}
		c.Size += b.size
		sum.Write(b.sum[:])
	}
	c.ETag = `"` + hex.EncodeToString(sum.Sum(nil)[:12]) + `"`
	return c
}

func blocksSize(blocks [][]byte) (n int64) {
	for _, b := range blocks {
		n += int64(len(b))
	}
	return n
}

// validPath tells paths that an object may have: at least a folder and a
// name, clean, nothing hidden, printable.
func validPath(p string) bool {
	if len(p) > maxPath || !fs.ValidPath(p) || !utf8.ValidString(p) || !validField(p) {
		return false
	}
	for segment := range strings.SplitSeq(p, "/") {
		if strings.HasPrefix(segment, ".") {
			return false
		}
	}
	return true
}

// validField tells what may stand in a header field.
func validField(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7F })
}

// TypeOf is the media type of a file by its name: for the formats of
// streaming those that players expect, whatever the system says.
func TypeOf(name string) string {
	switch ext := strings.ToLower(path.Ext(name)); ext {
	case ".m3u8":
		return "application/vnd.apple.mpegurl" // RFC 8216 section 4
	case ".ts":
		return "video/mp2t" // RFC 3555
	case ".mp4":
		return "video/mp4"
	case ".m4s", ".cmfv":
		return "video/iso.segment"
	case ".m4a":
		return "audio/mp4"
	case ".flv":
		return "video/x-flv"
	case ".json":
		return "application/json"
	case ".vtt":
		return "text/vtt; charset=utf-8"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	default:
		if t := mime.TypeByExtension(ext); t != "" {
			return t
		}
		return "application/octet-stream"
	}
}
