package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/remedy/docket"
	"github.com/remediator/remediator/remedy/docket/dockettest"
)

// site is a service with everything in memory behind a real handler.
type site struct {
	t       *testing.T
	clock   *dockettest.Clock
	memory  *dockettest.View
	handler *Handler
	server  *httptest.Server
	log     *buffer

	mu      sync.Mutex
	asked   []docket.Action
	answer  func(docket.Action) (string, error)
	breaker docket.Breaker
	letters []docket.DeadLetter
	moved   []string // letters revived or buried
	tokens  []config.Token
}

// buffer is a log that may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (s *site) DeadLetters(context.Context) ([]docket.DeadLetter, error) { return s.letters, nil }
func (s *site) Revive(_ context.Context, id string) error                { return s.handle("revive", id) }
func (s *site) Bury(_ context.Context, id string) error                  { return s.handle("bury", id) }

func (s *site) handle(verb, id string) error {
	for _, l := range s.letters {
		if l.ID == id {
			s.moved = append(s.moved, verb+" "+id)
			return nil
		}
	}
	return docket.ErrNotFound
}

// The plain text of the tokens that every site knows.
const (
	readToken  = "token-that-may-read"
	writeToken = "token-that-may-approve"
	adminToken = "token-that-may-administer"
)

func tokenOf(name, role, plain string) config.Token {
	sum := sha256.Sum256([]byte(plain))
	return config.Token{Name: name, Role: role, SHA256: hex.EncodeToString(sum[:])}
}

// newSite starts a service that asks for tokens; change may alter that.
func newSite(t *testing.T, change ...func(*Options)) *site {
	t.Helper()
	clock := dockettest.NewClock()
	s := &site{t: t, clock: clock, memory: dockettest.NewMemory(clock).As(dockettest.NewProcess()), log: &buffer{}}
	s.tokens = []config.Token{tokenOf("dashboard", "read", readToken), tokenOf("jane", "approve", writeToken), tokenOf("root", "administer", adminToken)}
	s.answer = func(a docket.Action) (string, error) { return "Done: " + a.Name + ".", nil }
	o := Options{
		Store: s.memory, Blobs: s.memory, Letters: s, Version: "1.2.3", Now: clock.Now, Log: slog.New(slog.NewJSONHandler(s.log, nil)),
		Act: func(_ context.Context, a docket.Action) (string, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.asked = append(s.asked, a)
			return s.answer(a)
		},
		Breaker: func(context.Context) (docket.Breaker, error) { return s.breaker, nil },
		ResetBreaker: func(_ context.Context, by, reason string) error {
			s.breaker = docket.Breaker{Reset: clock.Now(), ResetBy: by}
			return nil
		},
		Tokens: func() []config.Token { s.mu.Lock(); defer s.mu.Unlock(); return s.tokens },
	}
	for _, f := range change {
		f(&o)
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.handler = h
	s.server = httptest.NewServer(h)
	t.Cleanup(func() { h.Close(); s.server.Close() })
	return s
}

func onLoopback(o *Options) { o.Loopback = true }

func (s *site) actions() []docket.Action {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]docket.Action(nil), s.asked...)
}

// fp makes a fingerprint that begins with what is given.
func fp(prefix string) string { return (prefix + strings.Repeat("0", 32))[:32] }

// record stores a case; change may alter it before.
func (s *site) record(fingerprint string, change ...func(*docket.Record)) *docket.Record {
	s.t.Helper()
	now := s.clock.Now()
	r := &docket.Record{
		Schema: docket.RecordSchema, Fingerprint: fingerprint, Stage: docket.Queued, Repository: "acme/shop",
		Incident: incident.Incident{Fingerprint: fingerprint, Source: "alertmanager", Name: "ErrorBudgetBurn", Severity: incident.Major, Status: incident.Firing, Service: "orders", StartsAt: now.Add(-time.Minute), Alerts: 1, Digest: "d"},
		Alerts:   1, FirstAlert: now, LastAlert: now, Updated: now,
	}
	for _, f := range change {
		f(r)
	}
	if err := s.memory.Put(s.t.Context(), r); err != nil {
		s.t.Fatal(err)
	}
	return r
}

func held(why string) func(*docket.Record) {
	return func(r *docket.Record) {
		r.Stage, r.Attempt = docket.Held, 1
		r.Hold = &docket.Hold{Code: "approval", Why: why, Since: r.Updated}
	}
}

func (s *site) blob(name, text string) {
	s.t.Helper()
	if err := s.memory.PutBlob(s.t.Context(), name, strings.NewReader(text)); err != nil {
		s.t.Fatal(err)
	}
}

// reply is an answer with its body read.
type reply struct {
	*http.Response
	body string
}

// into decodes the body.
func (r reply) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), v); err != nil {
		t.Fatalf("%s %s: %v in %s", r.Request.Method, r.Request.URL, err, r.body)
	}
}

// call uses the API with a token, or none, and checks the answer against the description.
func (s *site) call(method, path, token, body string, header ...string) reply {
	s.t.Helper()
	req, err := http.NewRequest(method, s.server.URL+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	r := s.send(&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, req)
	s.described(r)
	return r
}

func (s *site) send(client *http.Client, req *http.Request) reply {
	s.t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{resp, string(body)}
}

// description is the API's, read once by a library that does not know how it was made.
var description = sync.OnceValues(func() (routers.Router, error) {
	text, err := describe("1.2.3")
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	return legacy.NewRouter(doc)
})

// described fails the test when an answer is not what the description says.
func (s *site) described(r reply) {
	s.t.Helper()
	router, err := description()
	if err != nil {
		s.t.Fatal(err)
	}
	req := r.Request.Clone(s.t.Context())
	req.URL.Host, req.URL.Scheme = "", ""
	route, params, err := router.FindRoute(req)
	if err != nil {
		if r.StatusCode != http.StatusNotFound && r.StatusCode != http.StatusMethodNotAllowed {
			s.t.Errorf("%s %s answers %s and is not described: %v", req.Method, req.URL, r.Status, err)
		}
		return
	}
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route},
		Status:                 r.StatusCode, Header: r.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: !strings.Contains(r.Header.Get("Content-Type"), "json") || strings.Contains(req.URL.Path, "/artifacts/")},
	}
	in.SetBodyBytes([]byte(r.body))
	if err := openapi3filter.ValidateResponse(s.t.Context(), in); err != nil {
		s.t.Errorf("%s %s: the answer %s is not as described: %v", req.Method, req.URL, r.Status, err)
	}
}

// browser is a visitor that keeps cookies and follows no redirect by itself.
type browser struct {
	s      *site
	client *http.Client
	header http.Header
}

func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &browser{s: s, header: http.Header{"Sec-Fetch-Site": {"same-origin"}}, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (b *browser) get(path string) reply {
	b.s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, b.s.server.URL+path, nil)
	if err != nil {
		b.s.t.Fatal(err)
	}
	return b.s.send(b.client, req)
}

func (b *browser) post(path string, form url.Values) reply {
	b.s.t.Helper()
	req, err := http.NewRequest(http.MethodPost, b.s.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.s.t.Fatal(err)
	}
	req.Header = b.header.Clone()
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.s.send(b.client, req)
}

func (b *browser) login(token string) *browser {
	b.s.t.Helper()
	if r := b.post("/login", url.Values{"token": {token}, "next": {"/"}}); r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/" {
		b.s.t.Fatalf("login: %s, to %q", r.Status, r.Header.Get("Location"))
	}
	return b
}

// csrf takes the value of the first form on a page.
func (b *browser) csrf(page string) string {
	b.s.t.Helper()
	_, rest, ok := strings.Cut(page, `name="csrf" value="`)
	value, _, _ := strings.Cut(rest, `"`)
	if !ok || value == "" {
		b.s.t.Fatalf("no form with a token in\n%s", page)
	}
	return value
}
