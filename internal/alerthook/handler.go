package alerthook

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/remedy/docket"
)

// Prefix is the path that sources live below.
const Prefix = "/webhooks/alerts/"

// Receiver takes alerts that were checked. Receive returns nil only when the alert is stored
// durably; after an error the sender is asked to send it again.
type Receiver interface {
	Receive(ctx context.Context, a docket.Alert) error
}

// Outcome is what became of a request.
type Outcome string

// The outcomes.
const (
	Accepted     Outcome = "accepted"     // stored
	Ignored      Outcome = "ignored"      // in order, and about no incident
	Misdirected  Outcome = "misdirected"  // not a POST
	Unauthorized Outcome = "unauthorized" // no such source, or not its credentials
	Limited      Outcome = "limited"
	Oversized    Outcome = "oversized"
	Slow         Outcome = "slow"
	Malformed    Outcome = "malformed"
	Unavailable  Outcome = "unavailable" // could not be stored, or no room to read it
)

// Request is what there is to measure about one request.
type Request struct {
	Source  string // "" unless it is a configured one
	Format  string
	Outcome Outcome
	Bytes   int // of the body as it was sent
	Took    time.Duration
}

// Options are what a Handler needs besides its sources. The zero value is for production.
type Options struct {
	Now     func() time.Time
	Log     *slog.Logger
	Observe func(Request) // of every request, for metrics
	Random  io.Reader
	// ReadSecret reads the files of the sources' credentials.
	ReadSecret func(path string) (config.Secret, error)
	// Patience is how long the body of a request may take; StoreTimeout how long the Receiver.
	Patience     time.Duration
	StoreTimeout time.Duration
	// MaxHeld bounds the bytes of bodies held at one time.
	MaxHeld int64
}

// Handler answers the webhooks of alert senders. It is safe for concurrent use.
type Handler struct {
	to     Receiver
	o      Options
	table  atomic.Pointer[table]
	budget budget
	// refusals bounds the lines that strangers can write into the log; metrics count them all.
	refusals *rate.Limiter
}

// New makes a handler and reads the credentials of its sources, which come from a configuration
// with its defaults filled in.
func New(sources map[string]config.AlertSource, to Receiver, o Options) (*Handler, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(Request) {}
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.ReadSecret == nil {
		o.ReadSecret = config.ReadSecret
	}
	o.Patience = cmp.Or(o.Patience, 10*time.Second)
	// Datadog waits 15 s for an answer and Alertmanager 10 s by default where it says nothing: the
	// answer "not now" has to come before that.
	o.StoreTimeout = cmp.Or(o.StoreTimeout, 5*time.Second)
	o.MaxHeld = cmp.Or(o.MaxHeld, 128<<20)
	h := &Handler{to: to, o: o, budget: budget{most: o.MaxHeld}, refusals: rate.NewLimiter(10, 100)}
	return h, h.Reload(sources)
}

// Reload replaces all sources at once and reads their credentials again. After an error the
// former ones stay.
func (h *Handler) Reload(sources map[string]config.AlertSource) error {
	t, warnings, err := newTable(sources, h.table.Load(), h.o.ReadSecret, h.o.Random)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		h.o.Log.Warn("a secret is badly kept", "why", w)
	}
	h.table.Store(t)
	return nil
}

// ServeHTTP answers POST /webhooks/alerts/SOURCE.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := h.o.Now()
	t := h.table.Load()
	s := t.find(strings.TrimPrefix(r.URL.Path, Prefix))
	a := h.answer(w, r, t, s, began)
	h.o.Observe(Request{Source: s.name, Format: s.format, Outcome: a.outcome, Bytes: a.bytes, Took: h.o.Now().Sub(began)})
	a.write(w)
	if a.outcome != Accepted && a.outcome != Ignored && h.refusals.AllowN(began, 1) {
		name := s.name
		if name == "" {
			name = "(none)" // what a stranger asked for is no text for a log
		}
		h.o.Log.Warn("alert refused", "source", name, "outcome", string(a.outcome), "status", a.status, "bytes", a.bytes, "why", a.why)
	}
}

// answer is what a request gets.
type answer struct {
	status  int
	outcome Outcome
	body    reply
	why     string // for the log, where it differs from what is said
	retry   time.Duration
	bytes   int
}

// reply is the JSON body of an answer.
type reply struct {
	Case    string `json:"case,omitempty"` // fingerprint
	Status  string `json:"status,omitempty"`
	Ignored string `json:"ignored,omitempty"`
	Error   string `json:"error,omitempty"`
}

func refuse(status int, outcome Outcome, format string, args ...any) answer {
	text := fmt.Sprintf(format, args...)
	return answer{status: status, outcome: outcome, body: reply{Error: text}, why: text}
}

func (a answer) write(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	switch a.status {
	case http.StatusMethodNotAllowed:
		header.Set("Allow", http.MethodPost)
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", "Bearer")
	case http.StatusRequestTimeout:
		header.Set("Connection", "close")
	}
	if a.retry > 0 {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(a.retry.Seconds()))))
	}
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body) // a sender that is gone does not read it
}

// comeAgain is when a sender is asked to try again after something failed here.
const comeAgain = 5 * time.Second

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, t *table, s *source, now time.Time) answer {
	if r.Method != http.MethodPost {
		return refuse(http.StatusMethodNotAllowed, Misdirected, "alerts are sent with POST")
	}
	sent, release, err := readBody(w, r, t.maxBody, h.o.Patience, &h.budget)
	defer release()
	switch {
	case errors.Is(err, errTooLarge):
		return refuse(http.StatusRequestEntityTooLarge, Oversized, "the body is larger than %d KiB: send fewer alerts a notification", t.maxBody>>10)
	case errors.Is(err, errSlow):
		return refuse(http.StatusRequestTimeout, Slow, "the body did not come within %v", h.o.Patience)
	case errors.Is(err, errCrowded):
		a := refuse(http.StatusServiceUnavailable, Unavailable, "too many notifications at once: send it again")
		a.retry = comeAgain
		return a
	case err != nil:
		return refuse(http.StatusBadRequest, Malformed, "the body broke off")
	}
	a := h.judge(r, s, sent, now)
	a.bytes = len(sent)
	return a
}

// judge answers a request whose body is there.
func (h *Handler) judge(r *http.Request, s *source, sent []byte, now time.Time) answer {
	if ok, why := s.credentials.check(r.Header, sent, now); !ok || s.name == "" {
		a := refuse(http.StatusUnauthorized, Unauthorized, "no such source, or not its credentials: compare URL, token or secret with the configuration")
		if a.why = why; s.name == "" {
			a.why = "no such source"
		}
		return a
	}
	if reservation := s.limit.ReserveN(now, 1); reservation.DelayFrom(now) > 0 {
		a := refuse(http.StatusTooManyRequests, Limited, "more than %d notifications a minute: group alerts, or raise per_minute", s.perMinute)
		a.retry = max(reservation.DelayFrom(now), time.Second)
		reservation.CancelAt(now)
		return a
	}
	body, err := unpack(r.Header.Get("Content-Encoding"), sent, s.maxBody)
	if errors.Is(err, errTooLarge) {
		return refuse(http.StatusRequestEntityTooLarge, Oversized, "the body is larger than %d KiB: send fewer alerts a notification, or raise max_body", s.maxBody>>10)
	} else if err != nil {
		return refuse(http.StatusBadRequest, Malformed, "%v", err)
	}
	in, err := incident.ParseAs(s.format, body, s.mapping)
	switch {
	case errors.Is(err, incident.ErrNoIncident):
		return answer{status: http.StatusOK, outcome: Ignored, body: reply{Ignored: err.Error()}}
	case err != nil:
		return refuse(http.StatusBadRequest, Malformed, "%v", err)
	}
	// The sender may be gone before the alert is stored; storing it is right all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), h.o.StoreTimeout)
	defer cancel()
	err = h.to.Receive(ctx, docket.Alert{ID: notificationID(s.name, body), Source: s.name, Format: s.format, At: now.UTC(),
		Body: incident.Enclose(s.format, body, s.mapping), Mapping: s.mappingJSON})
	if err != nil {
		a := refuse(http.StatusServiceUnavailable, Unavailable, "the alert could not be stored: send it again")
		a.retry, a.why = comeAgain, "store: "+err.Error()
		return a
	}
	return answer{status: http.StatusAccepted, outcome: Accepted, body: reply{Case: in.Fingerprint, Status: string(in.Status)}}
}

// notificationID is the same for a sender's retry: the source and the body decide. The queue remembers it for
// a short time, so that the same words later are a new notification.
func notificationID(source string, body []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d:%s,", len(source), source)
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil)[:16])
}
