package hooks

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// scriptSet is everything that one version of the scripts is: compiled files,
// and the states made from them. It never changes after it is in force; a
// reload makes another one.
type scriptSet struct {
	scripts []*script
	sources []*source
	files   []string // as errors name them, longest first
	hooks   uint32   // bit i: a script has the hook hooksInOrder[i]
	svc     *services
	timeout time.Duration // of loading
	limit   uint64        // bytes of a call
	digest  [sha256.Size]byte
	names   [][]string // hooks of each script

	mu      sync.Mutex
	free    []*state // under mu; the last one is used first
	retired bool     // under mu
	used    int      // under mu: states that run a call
	peak    int      // under mu: the most of them since the last trim
	created atomic.Uint64
	lost    atomic.Uint64 // after a call that was stopped
}

// loadTimeout bounds the main parts and the self-checks of all scripts.
const loadTimeout = 5 * time.Second

// newSet reads, compiles, loads and checks scripts; what it returns is ready.
func newSet(paths []string, svc *services, limit uint64) (*scriptSet, error) {
	scripts, sources, err := readScripts(paths)
	if err != nil {
		return nil, err
	}
	return loadSet(scripts, sources, svc, limit)
}

// loadSet makes a set of compiled scripts.
func loadSet(scripts []*script, sources []*source, svc *services, limit uint64) (*scriptSet, error) {
	set := &scriptSet{scripts: scripts, sources: sources, svc: svc, timeout: loadTimeout, limit: limit}
	set.digest = digestOf(sources)
	set.files = filesOf(sources)
	st, err := set.newState()
	if err != nil {
		return nil, err
	}
	if err := set.selfCheck(st); err != nil {
		return nil, err
	}
	set.noteHooks(st)
	set.free = append(set.free, st)
	return set, nil
}

// noteHooks reads from the first state which hooks the scripts have.
func (set *scriptSet) noteHooks(st *state) {
	for _, s := range st.scripts {
		var names []string
		for i, name := range hooksInOrder {
			if s.hooks[name] != nil {
				set.hooks |= 1 << i
				names = append(names, name)
			}
		}
		set.names = append(set.names, names)
	}
}

// shown are the scripts' files.
func (set *scriptSet) shown() []string {
	var files []string
	for _, s := range set.scripts {
		files = append(files, s.chunk.file)
	}
	return files
}

// newState makes a state with the set's scripts loaded.
func (set *scriptSet) newState() (*state, error) {
	set.created.Add(1)
	return newState(set, set.svc, set.timeout, set.limit)
}

// selfCheck runs the function self_check of each script; it fails by an error,
// or by returning false and a reason.
func (set *scriptSet) selfCheck(st *state) error {
	for i, s := range st.scripts {
		if s.hooks[selfCheck] == nil {
			continue
		}
		st.begin(selfCheck, set.timeout, set.limit, nil)
		ok, reason, err := st.callHook(i, selfCheck, nil)
		if err != nil {
			return err
		}
		if ok == lua.LFalse {
			text := "returned false"
			if s, ok := reason.(lua.LString); ok {
				text = string(s)
			}
			return &ScriptError{File: s.chunk.file, Line: lineOf(s.hooks[selfCheck]), Hook: selfCheck, Text: text}
		}
		if !st.end() {
			return errors.New("self_check left its state unusable")
		}
	}
	return nil
}

// has tells whether a script of the set has the hook with this index.
func (set *scriptSet) has(index int) bool { return index >= 0 && set.hooks&(1<<index) != 0 }

// get returns a state, a new one when none is free. It goes back by put or by
// lose.
func (set *scriptSet) get() (*state, error) {
	set.mu.Lock()
	set.used++
	set.peak = max(set.peak, set.used)
	var st *state
	if n := len(set.free); n > 0 {
		st = set.free[n-1]
		set.free[n-1] = nil
		set.free = set.free[:n-1]
	}
	set.mu.Unlock()
	if st != nil {
		return st, nil
	}
	st, err := set.newState()
	if err != nil {
		set.lose()
	}
	return st, err
}

// put takes a state back. One that may hold a lot of what its calls left is
// dropped: scripts keep things in locals of their file, on purpose or not.
func (set *scriptSet) put(st *state) {
	set.mu.Lock()
	defer set.mu.Unlock()
	set.used--
	if st.carried < set.limit/4 && !set.retired {
		set.free = append(set.free, st)
	}
}

// lose forgets a state that get returned.
func (set *scriptSet) lose() {
	set.lost.Add(1)
	set.mu.Lock()
	defer set.mu.Unlock()
	set.used--
}

// trim keeps as many free states as were in use at once since the last time,
// and drops the others.
func (set *scriptSet) trim() {
	set.mu.Lock()
	defer set.mu.Unlock()
	if extra := len(set.free) - set.peak; extra > 0 {
		set.free = append([]*state(nil), set.free[extra:]...)
	}
	set.peak = set.used
}

func (set *scriptSet) idle() int {
	set.mu.Lock()
	defer set.mu.Unlock()
	return len(set.free)
}

// retire drops the free states; those in use are dropped as they come back.
func (set *scriptSet) retire() {
	set.mu.Lock()
	defer set.mu.Unlock()
	set.retired = true
	set.free = nil
}

func digestOf(sources []*source) [sha256.Size]byte {
	h := sha256.New()
	for _, s := range sources {
		d := s.digest()
		h.Write([]byte(s.dir))
		h.Write(d[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// filesOf lists all files as errors name them, longest first, so that one name
// that begins like another is not taken for it.
func filesOf(sources []*source) []string {
	var files []string
	for _, s := range sources {
		for name := range s.texts {
			files = append(files, s.shown(name))
		}
	}
	slices.SortFunc(files, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return files
}

// lineOf is where a function begins.
func lineOf(fn *lua.LFunction) int {
	if fn == nil || fn.Proto == nil {
		return 0
	}
	return fn.Proto.LineDefined
}
