package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/remediator/remediator/remedy/docket"
)

// LetterList are the tasks that were given up.
type LetterList struct {
	DeadLetters []docket.DeadLetter `json:"dead_letters"`
}

func listLetters(h *Handler, w http.ResponseWriter, r *http.Request, _ caller) error {
	letters, err := h.letters.DeadLetters(r.Context())
	if err != nil {
		return fmt.Errorf("listing dead letters: %w", err)
	}
	l := LetterList{DeadLetters: []docket.DeadLetter{}}
	l.DeadLetters = append(l.DeadLetters, letters...)
	return writeJSON(w, r, l)
}

func handleLetter(h *Handler, w http.ResponseWriter, r *http.Request, who caller) error {
	var ask Ask
	if err := readJSON(r, &ask); err != nil {
		return err
	}
	said, err := h.letter(r, r.PathValue("id"), r.PathValue("action"), who)
	if err != nil {
		return err
	}
	return writeJSON(w, r, Answer{Answer: said})
}

// letter revives or buries a dead letter.
func (h *Handler) letter(r *http.Request, id, action string, who caller) (said string, err error) {
	switch action {
	case "revive":
		said, err = "It is back at work.", h.letters.Revive(r.Context(), id)
	case "bury":
		said, err = "It is forgotten.", h.letters.Bury(r.Context(), id)
	default:
		return "", problem(http.StatusNotFound, "a dead letter can be revived or buried; there is no %q", clip(action, 40))
	}
	h.audit(r.Context(), who, action, "letter", id, err)
	if errors.Is(err, docket.ErrNotFound) {
		return "", problem(http.StatusNotFound, "there is no dead letter %q: somebody may have seen to it already", clip(id, 100))
	}
	return said, err
}

// Breaker is what holds everything for a person when too many cases open at once.
type Breaker struct {
	Open    bool      `json:"open"` // everything is held
	Why     string    `json:"why,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	Opened  int       `json:"opened"` // cases that count against its limit now
	Reset   time.Time `json:"reset,omitzero"`
	ResetBy string    `json:"reset_by,omitempty"`
}

func (h *Handler) breakerState(ctx context.Context) (Breaker, error) {
	b, err := h.breaker(ctx)
	if err != nil {
		return Breaker{}, fmt.Errorf("reading the breaker: %w", err)
	}
	return Breaker{Open: !b.Tripped.IsZero(), Why: b.Why, Since: b.Tripped, Opened: len(b.Openings), Reset: b.Reset, ResetBy: b.ResetBy}, nil
}

func showBreaker(h *Handler, w http.ResponseWriter, r *http.Request, _ caller) error {
	b, err := h.breakerState(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, r, b)
}

func resetBreaker(h *Handler, w http.ResponseWriter, r *http.Request, who caller) error {
	var ask Ask
	if err := readJSON(r, &ask); err != nil {
		return err
	}
	if err := h.reset(r, ask, who); err != nil {
		return err
	}
	return showBreaker(h, w, r, who)
}

func (h *Handler) reset(r *http.Request, ask Ask, who caller) error {
	if len([]rune(ask.Reason)) > maxReason {
		return problem(http.StatusBadRequest, "the reason is longer than %d characters", maxReason)
	}
	err := h.resetBreaker(r.Context(), who.name, ask.Reason)
	h.audit(r.Context(), who, "reset", "breaker", "breaker", err)
	return err
}

func showOpenAPI(h *Handler, w http.ResponseWriter, r *http.Request, _ caller) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, no-cache")
	return writeTagged(w, r, h.openapi)
}
