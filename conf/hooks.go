package conf

import (
	"slices"
	"strconv"
	"strings"
)

// Hooks are the scripts that decide who may publish and play.
type Hooks struct {
	Scripts      []string // files, or folders of them
	Shadow       []string // whose verdicts are compared, not used
	Timeout      Duration // of a call's run
	QueueTimeout Duration // of its wait before
	OnError      string   // deny or allow
	OnErrorFor   []string // HOOK=deny or HOOK=allow
	Workers      int
	Queue        int
	Memory       Size // that one call may allocate
	HTTPAllow    []string
	Tick         Duration // between two calls of on_tick
	CallLog      string   // "": none
	Mask         []string
}

// decisions are the hooks that may refuse.
var decisions = []string{"on_connect", "on_publish", "on_play", "on_record", "on_request"}

func bindHooks(h *Hooks) []binding {
	return []binding{
		{"hooks.scripts", Live, texts(&h.Scripts, `a list of Lua files and folders such as ["hooks/auth.lua"]`)},
		{"hooks.shadow", Live, texts(&h.Shadow, `a list of Lua files and folders`)},
		{"hooks.timeout", Live, duration(&h.Timeout, Millisecond, Minute)},
		{"hooks.queue_timeout", Live, duration(&h.QueueTimeout, Millisecond, Minute)},
		{"hooks.on_error", Live, oneOf(&h.OnError, "deny", "allow")},
		{"hooks.on_error_for", Live, exceptions(&h.OnErrorFor)},
		{"hooks.workers", Live, integer(&h.Workers, 1, 65536)},
		{"hooks.queue", Live, integer(&h.Queue, 1, 10_000_000)},
		{"hooks.memory", Live, size(&h.Memory, 1*MiB, 64*GiB)},
		{"hooks.http_allow", Live, texts(&h.HTTPAllow, `a list of hosts such as ["auth.example.com", "127.0.0.1:8080", "*.example.com"], or ["*"]`)},
		{"hooks.tick", Live, duration(&h.Tick, 100*Millisecond, 24*Hour)},
		{"hooks.call_log", Restart, str(&h.CallLog, `the path of a file, or ""`, isText)},
		{"hooks.mask", Live, texts(&h.Mask, `a list of names such as ["token", "password"]`)},
	}
}

// texts is a list of texts that are not empty.
func texts(dst *[]string, want string) field {
	return listField[string]{
		dst:  dst,
		want: want,
		read: func(v any) (string, mismatches) {
			s, ok := v.(string)
			if !ok || s == "" {
				return "", wrong(v, want)
			}
			return s, nil
		},
		show: strconv.Quote,
	}
}

// exceptions are elements HOOK=deny and HOOK=allow.
func exceptions(dst *[]string) field {
	want := `a list of HOOK=deny and HOOK=allow, such as ["on_play=allow"], for ` + strings.Join(decisions, ", ")
	return listField[string]{
		dst:  dst,
		want: want,
		read: func(v any) (string, mismatches) {
			s, _ := v.(string)
			hook, word, _ := strings.Cut(s, "=")
			if !slices.Contains(decisions, hook) || word != "deny" && word != "allow" {
				return "", wrong(v, want)
			}
			return s, nil
		},
		show: strconv.Quote,
	}
}

// Exceptions are the values of on_error for single hooks.
func (h Hooks) Exceptions() map[string]string {
	all := make(map[string]string, len(h.OnErrorFor))
	for _, s := range h.OnErrorFor {
		hook, word, _ := strings.Cut(s, "=")
		all[hook] = word
	}
	return all
}
