package githubtest

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options say how the stand-in behaves. The zero value is a github.com with an App of every permission
// that remediator asks for.
type Options struct {
	// Listen is the address to bind, for programs that are started by hand. Default 127.0.0.1:0.
	Listen string
	// Dir holds the repositories. Default: a temporary directory of the test.
	Dir string
	Now func() time.Time
	// Enterprise serves the API below /api/v3 as a GitHub Enterprise Server does, and nowhere else.
	Enterprise bool
	// AppKey is the App's private key; one is made when it is nil.
	AppKey *rsa.PrivateKey
	// Permissions of the App's installations, "contents" -> "write". Default [DefaultPermissions].
	Permissions map[string]string
	// TokenLifetime of installation tokens; default one hour.
	TokenLifetime time.Duration
	// RateLimit is the number of calls an hour and token. Default 5000.
	RateLimit int
	// WebhookURL receives every event, signed with WebhookSecret.
	WebhookURL, WebhookSecret string
	// Undescribed switches off the comparison with GitHub's description.
	Undescribed bool
	// Report is told of every request or answer that does not fit the description. Default: the test fails.
	Report func(format string, args ...any)
}

// DefaultPermissions are those of an installation unless Options say otherwise.
func DefaultPermissions() map[string]string {
	return map[string]string{
		"metadata": "read", "contents": "write", "pull_requests": "write", "issues": "write",
		"checks": "write", "statuses": "write", "members": "read",
	}
}

// Server is one stand-in.
type Server struct {
	opt    Options
	base   string // scheme://host
	routes []route
	api    string // where the API begins, without a slash at the end
	http   *http.Server

	mu        sync.Mutex // guards everything below, and the repositories on disk
	key       *rsa.PrivateKey
	app       app
	ids       int64
	accounts  map[string]*account
	tokens    map[string]*actor
	repos     map[string]*Repository
	rates     map[string]*rate
	conversed map[string]bool // App manifest codes used

	hookMu  sync.Mutex
	hook    hooks
	watch   watchers
	logMu   sync.Mutex
	entries []Entry

	describe *Description
	examples *Examples
}

// New starts a stand-in that ends with the test.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Report == nil {
		o.Report = t.Errorf
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if !o.Undescribed && (s.describe == nil || s.examples == nil) {
		t.Log("NOT VALIDATED: GitHub's OpenAPI description and webhook examples are not in the cache; fetch them with `go run ./internal/githubtest/githubstandin fetch`")
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the stand-in: %v", err)
		}
	})
	return s
}

// Open starts a stand-in outside a test; the caller closes it.
func Open(o Options) (*Server, error) {
	for _, program := range []string{"git"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("the stand-in keeps real repositories: %w", err)
		}
	}
	if o.Dir == "" {
		return nil, errors.New("the stand-in needs a directory for its repositories: set Dir")
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Permissions == nil {
		o.Permissions = DefaultPermissions()
	}
	if o.TokenLifetime == 0 {
		o.TokenLifetime = time.Hour
	}
	if o.RateLimit == 0 {
		o.RateLimit = 5000
	}
	if o.Report == nil {
		o.Report = func(string, ...any) {}
	}
	s := &Server{
		opt: o, accounts: map[string]*account{}, tokens: map[string]*actor{},
		repos: map[string]*Repository{}, rates: map[string]*rate{}, conversed: map[string]bool{}, ids: 1000,
	}
	if err := s.makeApp(); err != nil {
		return nil, err
	}
	if !o.Undescribed {
		var err error
		if s.describe, err = LoadDescription(); err != nil && !errors.Is(err, ErrNotFetched) {
			return nil, err
		}
		if s.examples, err = LoadExamples(); err != nil && !errors.Is(err, ErrNotFetched) {
			return nil, err
		}
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, err
	}
	s.base = "http://" + l.Addr().String()
	s.api = s.base
	if o.Enterprise {
		s.api += "/api/v3"
	}
	s.routes = routes()
	s.startDeliveries()
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.http.Serve(l) }()
	return s, nil
}

// Close ends the server and its deliveries.
func (s *Server) Close() error {
	s.stopDeliveries()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		return s.http.Close()
	}
	return nil
}

// URL is where git and people find the stand-in.
func (s *Server) URL() string { return s.base }

// APIURL is the root of the REST API, with a slash at the end as go-github wants it.
func (s *Server) APIURL() string { return s.api + "/" }

// Described says whether requests and answers are held against GitHub's description.
func (s *Server) Described() bool { return s.describe != nil }

func (s *Server) now() time.Time { return s.opt.Now().UTC().Truncate(time.Second) }

// id returns a number that nothing else has.
func (s *Server) id() int64 {
	s.ids++
	return s.ids
}

// apiPath cuts what the API is mounted on from a path; ok is false for paths outside the API.
func (s *Server) apiPath(path string) (string, bool) {
	rest, below := strings.CutPrefix(path, "/api/v3")
	if below && (rest == "" || rest[0] == '/') {
		return rest, true
	}
	return path, !s.opt.Enterprise
}
