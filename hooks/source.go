package hooks

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

const (
	maxFiles  = 1000 // Lua files of one folder and its folders
	maxLevels = 6    // of folders
)

// source is a folder of scripts as it was when it was read. States that are
// made later load from here, so that a set never mixes two versions of a file.
type source struct {
	dir     string // as the operator named it
	texts   map[string]string
	folders []string // that were read, to be watched
	mu      sync.Mutex
	modules map[string]*chunk // under mu
}

// readFolder reads all Lua files below dir.
func readFolder(dir string) (*source, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the folder of scripts: %w", err)
	}
	defer root.Close()
	s := &source{dir: dir, texts: map[string]string{}, modules: map[string]*chunk{}}
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return s.folder(name)
		}
		if path.Ext(name) != ".lua" {
			return nil
		}
		return s.read(root, name)
	})
	if err != nil {
		return nil, fmt.Errorf("read the scripts in %s: %w", dir, err)
	}
	return s, nil
}

func (s *source) folder(name string) error {
	hidden := name != "." && strings.HasPrefix(path.Base(name), ".")
	if hidden || strings.Count(name, "/") >= maxLevels {
		return fs.SkipDir
	}
	s.folders = append(s.folders, filepath.Join(s.dir, filepath.FromSlash(name)))
	return nil
}

// read keeps the text of a file; links that lead out of the folder are refused
// by the root.
func (s *source) read(root *os.Root, name string) error {
	if len(s.texts) >= maxFiles {
		return fmt.Errorf("more than %d Lua files", maxFiles)
	}
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSource+1))
	if err != nil {
		return err
	}
	s.texts[name] = string(text)
	return nil
}

// shown is how errors name a file of the folder.
func (s *source) shown(name string) string {
	return filepath.ToSlash(filepath.Join(s.dir, name))
}

// compile compiles a file of the folder once.
func (s *source) compile(name string) (*chunk, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.modules[name]; c != nil {
		return c, nil
	}
	text, ok := s.texts[name]
	if !ok {
		return nil, &ScriptError{File: s.shown(name), Text: "there is no such file"}
	}
	if text == "" {
		// Writing a file often begins with emptying it. Without its hooks it
		// would refuse nobody.
		return nil, &ScriptError{File: s.shown(name), Text: "the file is empty"}
	}
	c, err := compile(s.shown(name), text)
	if err != nil {
		return nil, err
	}
	s.modules[name] = c
	return c, nil
}

// module finds what require("a.b") names: a/b.lua or a/b/init.lua.
func (s *source) module(name string) (*chunk, error) {
	file := strings.ReplaceAll(name, ".", "/")
	if !fs.ValidPath(file) || strings.Contains(name, "..") {
		return nil, fmt.Errorf("module %q: only files in the folder of the scripts can be required", name)
	}
	for _, candidate := range []string{file + ".lua", file + "/init.lua"} {
		if _, ok := s.texts[candidate]; ok {
			return s.compile(candidate)
		}
	}
	return nil, fmt.Errorf("module %q not found: no %s.lua in %s", name, file, s.dir)
}

// needed compiles what c requires by name, and what that requires, so that a
// broken module is found before the scripts are in force.
func (s *source) needed(c *chunk, seen map[*chunk]bool) error {
	if seen[c] {
		return nil
	}
	seen[c] = true
	for _, n := range c.needs {
		m, err := s.module(n.module)
		if err == nil {
			err = s.needed(m, seen)
		} else if _, ok := errors.AsType[*ScriptError](err); !ok {
			err = &ScriptError{File: c.file, Line: n.line, Text: err.Error()}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// scripts are the files at the top of the folder, by name.
func (s *source) scripts() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.texts)) {
		if !strings.Contains(name, "/") {
			names = append(names, name)
		}
	}
	return names
}

// digest tells whether two readings are the same.
func (s *source) digest() [sha256.Size]byte {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(s.texts)) {
		fmt.Fprintf(h, "%q %q\n", name, s.texts[name])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// script is one file of a chain.
type script struct {
	chunk  *chunk
	source *source
	name   string // below the source's folder
}

// readScripts reads files and folders, in the order given. Every file's folder
// is read, for what it requires.
func readScripts(paths []string) ([]*script, []*source, error) {
	var scripts []*script
	byDir := map[string]*source{}
	var sources []*source
	open := func(dir string) (*source, error) {
		if s := byDir[dir]; s != nil {
			return s, nil
		}
		s, err := readFolder(dir)
		if err == nil {
			byDir[dir] = s
			sources = append(sources, s)
		}
		return s, err
	}
	var broken []error
	for _, p := range paths {
		dir, names, err := splitPath(p)
		if err != nil {
			return nil, nil, err
		}
		src, err := open(dir)
		if err != nil {
			return nil, nil, err
		}
		if names == nil {
			names = src.scripts()
		}
		for _, name := range names {
			if slices.ContainsFunc(scripts, func(s *script) bool { return s.source == src && s.name == name }) {
				continue // named twice
			}
			c, err := src.compile(name)
			if err == nil {
				err = src.needed(c, map[*chunk]bool{})
			}
			if err != nil {
				broken = append(broken, err)
				continue
			}
			scripts = append(scripts, &script{chunk: c, source: src, name: name})
		}
	}
	return scripts, sources, errors.Join(broken...)
}

// splitPath returns the folder that p is, or that its file is in.
func splitPath(p string) (dir string, names []string, err error) {
	info, err := os.Stat(p)
	if err != nil {
		return "", nil, fmt.Errorf("find the script: %w", err)
	}
	if info.IsDir() {
		return filepath.Clean(p), nil, nil
	}
	return filepath.Dir(p), []string{filepath.Base(p)}, nil
}
