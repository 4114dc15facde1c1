package admin

import (
	"errors"
	"net/http"
)

func (a *api) reload(w http.ResponseWriter, r *http.Request) {
	a.log.Info("configuration reload asked", "by", r.RemoteAddr)
	changed, err := a.server.Reload()
	var faults problems
	switch {
	case errors.As(err, &faults):
		writeJSON(w, http.StatusUnprocessableEntity, struct {
			Error    string   `json:"error"`
			Problems []string `json:"problems"`
		}{err.Error(), list(faults.Problems())})
	case err != nil:
		writeError(w, http.StatusInternalServerError, err.Error())
	default:
		writeJSON(w, http.StatusOK, struct {
			Changed []Change `json:"changed"`
		}{list(changed)})
	}
}
