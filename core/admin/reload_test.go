package admin

import (
	"errors"
	"fmt"
	"testing"
)

type fileError []string

func (e fileError) Error() string      { return fmt.Sprintf("%d problems", len(e)) }
func (e fileError) Problems() []string { return e }

func TestReload(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		changed []Change
		err     error
		status  int
		want    string
	}{
		{"nothing changed", nil, nil, 200, `{"changed":[]}`},
		{"changed", []Change{{"stream.max_lag", "5s", "3s", true}, {"rtmp.listen", "[:1935]", "[:1936]", false}}, nil, 200,
			`{"changed":[{"key":"stream.max_lag","old":"5s","new":"3s","live":true},
			{"key":"rtmp.listen","old":"[:1935]","new":"[:1936]","live":false}]}`},
		{"bad file", nil, fmt.Errorf("read configuration: %w", fileError{"line 3: log.level", "line 9: unknown key"}), 422,
			`{"error":"read configuration: 2 problems","problems":["line 3: log.level","line 9: unknown key"]}`},
		{"no problem named", nil, fileError(nil), 422, `{"error":"0 problems","problems":[]}`},
		{"no file", nil, errors.New("open millrace.toml: no such file"), 500, `{"error":"open millrace.toml: no such file"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHandlerFor(&fakeServer{changed: tc.changed, reloadErr: tc.err})
			wantJSON(t, request{method: "POST", target: "/api/v1/config/reload"}.do(h), tc.status, tc.want)
		})
	}
}
