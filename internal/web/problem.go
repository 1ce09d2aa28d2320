package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/remediator/remediator/remedy/docket"
)

// Problem is an error as the API tells it (RFC 9457).
type Problem struct {
	Type   string `json:"type"` // always "about:blank": the status says what kind it is
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"` // what is wrong and what to do about it

	retryAfter time.Duration
	challenge  bool // tell how to authenticate
}

func (p *Problem) Error() string { return p.Detail }

func problem(status int, format string, args ...any) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// asProblem says what the caller may know of an error. The text of an unexpected one is logged and
// kept from the caller, since it may name files and hosts.
func (h *Handler) asProblem(r *http.Request, err error) *Problem {
	var p *Problem
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &tooLarge):
		return problem(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", tooLarge.Limit)
	case errors.Is(err, docket.ErrNotFound):
		return problem(http.StatusNotFound, "there is no such case; it may have been erased when its time was over")
	case errors.Is(err, docket.ErrAction):
		return problem(http.StatusNotFound, "%s", plain(err.Error()))
	case errors.Is(err, docket.ErrStage), errors.Is(err, docket.ErrDecided):
		return problem(http.StatusConflict, "%s", plain(err.Error()))
	case errors.Is(err, docket.ErrConflict):
		return problem(http.StatusConflict, "the case changed meanwhile: read it again and decide anew")
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		return problem(499, "the client went away")
	}
	h.log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	return problem(http.StatusInternalServerError, "the request failed on the service's side; its log says why")
}

func (p *Problem) write(w http.ResponseWriter) {
	if p.challenge {
		w.Header().Set("WWW-Authenticate", `Bearer realm="remediator"`)
	}
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((p.retryAfter+time.Second-1)/time.Second)))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}
