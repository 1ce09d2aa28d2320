package web

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/remediator/remediator/remedy/docket"
)

// Ask is the body of a request for an action.
type Ask struct {
	Reason string `json:"reason,omitempty"`
	// HoldSince, where given, is the since of the hold that the caller looked at. When the case is not held any
	// more, or held anew with another change, nothing is done.
	HoldSince time.Time `json:"hold_since,omitzero"`
}

// Answer is what came of an action.
type Answer struct {
	Answer string `json:"answer"` // for a person
	Case   *Item  `json:"case,omitempty"`
}

// actions are what may be asked for.
var actions = []string{"approve", "reject", "retry", "rebase", "stop", "explain", "replay"}

// maxReason bounds the reason that a person gives.
const maxReason = 2000

func actOnCase(h *Handler, w http.ResponseWriter, r *http.Request, who caller) error {
	var ask Ask
	if err := readJSON(r, &ask); err != nil {
		return err
	}
	rec, err := h.find(r, r.PathValue("fingerprint"))
	if err != nil {
		return err
	}
	said, err := h.perform(r.Context(), rec, r.PathValue("action"), ask, who)
	if err != nil {
		return err
	}
	a := Answer{Answer: said}
	if rec, err := h.store.Get(r.Context(), rec.Fingerprint); err == nil {
		i := h.item(rec)
		a.Case = &i
	}
	return writeJSON(w, r, a)
}

// perform checks and does what somebody asked for, and writes down who did.
func (h *Handler) perform(ctx context.Context, rec *docket.Record, name string, ask Ask, who caller) (string, error) {
	switch {
	case !slices.Contains(actions, name):
		return "", problem(http.StatusNotFound, "there is no action %q: choose from %s", clip(name, 40), strings.Join(actions, ", "))
	case len([]rune(ask.Reason)) > maxReason:
		return "", problem(http.StatusBadRequest, "the reason is longer than %d characters", maxReason)
	case !ask.HoldSince.IsZero() && (rec.Hold == nil || !rec.Hold.Since.Equal(ask.HoldSince)):
		return "", problem(http.StatusConflict, "the case moved on since you looked at it: read it again and decide anew")
	}
	said, err := h.act(ctx, docket.Action{Case: rec.Fingerprint, Name: name, By: who.name, Via: who.via, Reason: strings.TrimSpace(ask.Reason)})
	h.audit(ctx, who, name, "case", rec.Fingerprint, err)
	return said, err
}

// audit writes down that somebody changed something, whether or not it worked.
func (h *Handler) audit(ctx context.Context, who caller, action, kind, id string, err error) {
	attrs := []any{"audit", true, "action", action, kind, id, "by", who.name, "role", who.role.String(), "via", who.via}
	if err != nil {
		h.log.WarnContext(ctx, "an action failed", append(attrs, "error", err)...)
		return
	}
	h.log.InfoContext(ctx, "action", attrs...)
}
