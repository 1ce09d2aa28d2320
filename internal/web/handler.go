package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/remedy/docket"
)

// Letters are the tasks that were given up; docket.Queue has them.
type Letters interface {
	DeadLetters(ctx context.Context) ([]docket.DeadLetter, error)
	Revive(ctx context.Context, id string) error
	Bury(ctx context.Context, id string) error
}

// Options are what a Handler needs.
type Options struct {
	Store docket.Store
	Blobs docket.Blobs
	// Act does what a person asked for and returns the answer to show. docket.ErrNotFound and
	// docket.ErrConflict are told to the caller as such; a refusal is an answer, not an error.
	Act     func(ctx context.Context, a docket.Action) (string, error)
	Letters Letters
	Breaker func(ctx context.Context) (docket.Breaker, error)
	// ResetBreaker closes the breaker; by and reason are for the history.
	ResetBreaker func(ctx context.Context, by, reason string) error
	// Tokens returns those that are valid now; it is called for every request.
	Tokens func() []config.Token
	// Loopback says that only this machine reaches the service, so that nobody has to log in unless URL
	// says that it is reached from elsewhere, too.
	Loopback bool
	URL      string // how people reach the service; "" means by the address it is bound to
	// Key signs sessions; all processes of one service have the same. Random when empty.
	Key     []byte
	Version string
	Now     func() time.Time
	Log     *slog.Logger
}

// maxReads is how many files of cases are read at a time.
const maxReads = 4

// Handler serves the API and the pages.
type Handler struct {
	store        docket.Store
	blobs        docket.Blobs
	act          func(context.Context, docket.Action) (string, error)
	letters      Letters
	breaker      func(context.Context) (docket.Breaker, error)
	resetBreaker func(context.Context, string, string) error
	tokens       func() []config.Token
	url          string // without a slash at its end
	hostname     string // of url
	https        bool
	loopback     bool
	open         bool // nobody has to log in
	key          []byte
	version      string
	now          func() time.Time
	log          *slog.Logger

	mux       *http.ServeMux
	origins   *http.CrossOriginProtection
	failures  attempts
	loggedOut endedSessions
	hub       *hub
	beats     func() (<-chan time.Time, func())
	reads     chan struct{} // one value for every file being read
	openapi   []byte
	pages     *template.Template
	assets    map[string]asset
	done      chan struct{}
	stop      sync.Once
}

// New prepares a handler for everything below /; it serves /api/v1, the pages and their assets.
func New(o Options) (*Handler, error) {
	switch {
	case o.Store == nil || o.Blobs == nil || o.Act == nil || o.Letters == nil || o.Breaker == nil || o.ResetBreaker == nil:
		return nil, errors.New("web: store, blobs, act, letters and breaker are all needed")
	case o.Tokens == nil || o.Now == nil || o.Log == nil:
		return nil, errors.New("web: tokens, clock and log are all needed")
	}
	h := &Handler{
		store: o.Store, blobs: o.Blobs, act: o.Act, letters: o.Letters, breaker: o.Breaker, resetBreaker: o.ResetBreaker,
		tokens: o.Tokens, loopback: o.Loopback, key: o.Key, version: o.Version, now: o.Now, log: o.Log,
		reads: make(chan struct{}, maxReads), done: make(chan struct{}), origins: http.NewCrossOriginProtection(),
	}
	var public *url.URL
	if o.URL != "" {
		u, err := url.Parse(o.URL)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return nil, fmt.Errorf("web: url %q is not an http or https URL such as https://remediator.example.com", o.URL)
		}
		if strings.Trim(u.Path, "/") != "" {
			return nil, fmt.Errorf("web: url %q has a path: give the service a host name of its own", o.URL)
		}
		public = u
		h.url, h.hostname, h.https = u.Scheme+"://"+u.Host, u.Hostname(), u.Scheme == "https"
		if err := h.origins.AddTrustedOrigin(h.url); err != nil {
			return nil, fmt.Errorf("web: url %q: %w", o.URL, err)
		}
	}
	h.open = openWithoutLogin(o.Loopback, public)
	if len(h.key) == 0 {
		h.key = make([]byte, sha256.Size)
		_, _ = rand.Read(h.key) // never fails, says its documentation
	}
	h.hub, h.beats = &hub{watch: o.Store.Watch}, beats
	var err error
	if h.openapi, err = describe(o.Version); err != nil {
		return nil, err
	}
	if err := h.loadPages(); err != nil {
		return nil, err
	}
	h.routes()
	return h, nil
}

// Close ends the streams of events, which a graceful stop of a server would wait for.
func (h *Handler) Close() { h.stop.Do(func() { close(h.done) }) }

func (h *Handler) routes() {
	h.mux = http.NewServeMux()
	for _, e := range endpoints {
		h.mux.HandleFunc(e.method+" "+apiPrefix+e.path, h.serveAPI(e))
	}
	h.mux.HandleFunc(apiPrefix+"/", func(w http.ResponseWriter, r *http.Request) {
		problem(http.StatusNotFound, "there is no %s; %s/openapi.json describes what there is", clip(r.URL.Path, 100), apiPrefix).write(w)
	})
	h.pageRoutes()
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range map[string]string{
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		// Pages and artifacts set their own, wider one.
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
	} {
		w.Header().Set(name, value)
	}
	if h.https {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
	}
	switch {
	case !h.hostAllowed(r):
		problem(http.StatusForbidden, "the service is bound to this machine and was asked for by the name %q: use localhost or 127.0.0.1, or configure url", clip(r.Host, 100)).write(w)
	case h.origins.Check(r) != nil:
		problem(http.StatusForbidden, "a page of another site sent this request; it was not looked at").write(w)
	default:
		h.mux.ServeHTTP(w, r)
	}
}

// maxBody bounds what is read of a request; a reason is the longest thing that somebody sends.
const maxBody = 64 << 10

// serveAPI checks the caller and writes problems.
func (h *Handler) serveAPI(e endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		who, p := h.identify(r)
		if p == nil {
			p = e.admits(who, r)
		}
		if p == nil && r.Method == http.MethodPost {
			p = asksJSON(r)
		}
		if p != nil {
			p.write(w)
			return
		}
		who.via = "api"
		if err := e.serve(h, w, r, who); err != nil {
			h.asProblem(r, err).write(w)
		}
	}
}

// admits says whether the caller may use an endpoint.
func (e endpoint) admits(who caller, r *http.Request) *Problem {
	switch {
	case e.role == Nobody:
		return nil
	case who.role == Nobody:
		p := problem(http.StatusUnauthorized, "a token is needed: send it as Authorization: Bearer TOKEN")
		p.challenge = true
		return p
	case r.Method == http.MethodPost && who.session != "":
		// What changes something takes a token that no other page can make the browser send.
		p := problem(http.StatusUnauthorized, "a session is for the pages: send a token as Authorization: Bearer TOKEN")
		p.challenge = true
		return p
	case who.role < e.role:
		return problem(http.StatusForbidden, "the token %q has the role %s, and this takes %s", who.name, who.role, e.role)
	}
	return nil
}

// asksJSON refuses what an HTML form of another site could send.
func asksJSON(r *http.Request) *Problem {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return problem(http.StatusUnsupportedMediaType, "send Content-Type: application/json, with {} for an empty body")
	}
	return nil
}

// readJSON reads a small JSON object; nothing at all is an empty one.
func readJSON(r *http.Request, v any) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return problem(http.StatusBadRequest, "the body is not what this takes: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return problem(http.StatusBadRequest, "the body goes on after its JSON object")
	}
	return nil
}

// writeJSON answers with a value and its tag, or that it has not changed since the caller read it.
func writeJSON(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "private, no-cache")
	return writeTagged(w, r, append(body, '\n'))
}

func writeTagged(w http.ResponseWriter, r *http.Request, body []byte) error {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	w.Header().Set("ETag", tag)
	if r.Method == http.MethodGet && tagMatches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	_, _ = w.Write(body)
	return nil
}

func tagMatches(header, tag string) bool {
	for _, one := range strings.Split(header, ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == tag || one == "*" {
			return true
		}
	}
	return false
}
