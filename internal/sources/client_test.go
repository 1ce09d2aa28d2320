package sources

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remediator/remediator/internal/config"
)

// patient is a client whose waits are noted and not waited.
func patient(t *testing.T, url string, waits *[]time.Duration, change func(*ClientOptions)) *Client {
	t.Helper()
	o := ClientOptions{Kind: "prometheus", URL: url, Random: func() float64 { return 0.5 },
		Sleep: func(_ context.Context, d time.Duration) error {
			if waits != nil {
				*waits = append(*waits, d)
			}
			return nil
		}}
	if change != nil {
		change(&o)
	}
	c, err := NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestClientFaults is one fault after the other: what the client makes of it, and how often it asks.
func TestClientFaults(t *testing.T) {
	good := func(w http.ResponseWriter) { fmt.Fprint(w, `{"status":"success"}`) }
	cases := []struct {
		name  string
		serve func(n int, w http.ResponseWriter, r *http.Request)
		asked int
		wait  time.Duration // the first
		want  string        // of the error; "" for none
	}{
		{"500 is final", func(_ int, w http.ResponseWriter, _ *http.Request) { http.Error(w, "broken", 500) }, 1, 0, "answered /x with 500 Internal Server Error: broken"},
		{"400 carries the message", func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\""}`)
		}, 1, 0, `: invalid parameter "query"`},
		{"503 passes", func(n int, w http.ResponseWriter, _ *http.Request) {
			if n < 3 {
				http.Error(w, "starting", http.StatusServiceUnavailable)
				return
			}
			good(w)
		}, 3, 250 * time.Millisecond, ""},
		{"503 stays", func(_ int, w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "starting", http.StatusServiceUnavailable)
		}, 4, 250 * time.Millisecond, "starting (tried 4 times)"},
		{"429 with Retry-After in seconds", func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				w.Header().Set("Retry-After", "7")
				http.Error(w, "slower", http.StatusTooManyRequests)
				return
			}
			good(w)
		}, 2, 7 * time.Second, ""},
		{"429 that asks for an hour", func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			http.Error(w, "slower", http.StatusTooManyRequests)
		}, 1, 0, "asks to wait 1h0m0s, which is too long"},
		{"cut connection", func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				w.Header().Set("Content-Length", "1000")
				fmt.Fprint(w, `{"sta`)
				return
			}
			good(w)
		}, 2, 250 * time.Millisecond, ""},
		{"aborted connection", func(_ int, _ http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, 4, 250 * time.Millisecond, "check that it runs and can be reached"},
		{"huge answer", func(_ int, w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, io.LimitReader(strings.NewReader(strings.Repeat("x", 3<<20)), 3<<20))
		}, 1, 0, "larger than 1 MiB"},
		{"wrong JSON", func(_ int, w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"status":`) }, 1, 0, "not the expected JSON"},
		{"login page", func(_ int, w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "<!doctype html><title>Sign in</title>")
		}, 1, 0, "a page instead of JSON"},
		{"empty", func(_ int, _ http.ResponseWriter, _ *http.Request) {}, 1, 0, "with nothing"},
		{"deep nesting", func(_ int, w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000))
		}, 1, 0, "nested too deeply"},
		{"redirect loop", func(_ int, w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) }, 5, 0, "redirects more than 5 times"},
		{"redirect to another host", func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://evil.example/", http.StatusFound)
		}, 1, 0, "redirects to another host, http://evil.example"},
		{"redirect within", func(_ int, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/x" {
				http.Redirect(w, r, "/y", http.StatusTemporaryRedirect)
				return
			}
			good(w)
		}, 2, 0, ""},
		{"401", func(_ int, w http.ResponseWriter, _ *http.Request) { http.Error(w, "who?", http.StatusUnauthorized) }, 1, 0, "set the variable of its credentials"},
		{"403", func(_ int, w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }, 1, 0, "docs/sources.md lists what is needed"},
		{"error echoes the token", func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Error(w, "unknown "+r.Header.Get("Authorization"), http.StatusUnauthorized)
		}, 1, 0, "unknown Bearer (secret)"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var n atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c.serve(int(n.Add(1)), w, r)
			}))
			defer srv.Close()
			srv.Config.ErrorLog = nil
			var waits []time.Duration
			client := patient(t, srv.URL, &waits, func(o *ClientOptions) { o.MaxBody, o.Token = 1<<20, "t0ps3cret" })
			var into struct{ Status string }
			err := client.GetJSON(context.Background(), "/x", nil, &into)
			switch {
			case c.want == "" && (err != nil || into.Status != "success"):
				t.Errorf("got %+v, %v", into, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "prometheus at "+srv.URL)):
				t.Errorf("the error is %v, want the server and %q", err, c.want)
			case err != nil && strings.Contains(err.Error(), "t0ps3cret"):
				t.Errorf("the error tells the token: %v", err)
			}
			if int(n.Load()) != c.asked {
				t.Errorf("asked %d times, want %d", n.Load(), c.asked)
			}
			if first := append(waits, 0)[0]; first != c.wait {
				t.Errorf("waited %v first, want %v", first, c.wait)
			}
		})
	}
}

func TestClientGivesUpWhenAServerDoesNotAnswer(t *testing.T) {
	release := make(chan struct{})
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n.Add(1)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer srv.Close()
	defer close(release)
	client := patient(t, srv.URL, nil, func(o *ClientOptions) { o.Timeout = 30 * time.Millisecond })
	_, err := client.Do(context.Background(), Request{Path: "/slow"})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer to /slow within 30ms") {
		t.Errorf("the error is %v", err)
	}
	if n.Load() != 2 {
		t.Errorf("asked %d times: every time costs a whole time-out", n.Load())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := client.Do(ctx, Request{Path: "/slow"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a request that was called off: %v", err)
	}
}

// The waits double and are cut, whatever the server does.
func TestBackoffDoublesUpToABound(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }))
	defer srv.Close()
	var waits []time.Duration
	client := patient(t, srv.URL, &waits, func(o *ClientOptions) { o.Attempts = 9; o.Random = func() float64 { return 1 } })
	_, _ = client.Do(context.Background(), Request{Path: "/"})
	want := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 15 * time.Second, 15 * time.Second, 15 * time.Second}
	if fmt.Sprint(waits) != fmt.Sprint(want) {
		t.Errorf("waited %v, want %v", waits, want)
	}
	ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(100*time.Millisecond))
	defer cancel()
	waits = nil
	if _, err := client.Do(ctx, Request{Path: "/"}); err == nil || !strings.Contains(err.Error(), "no time is left") || len(waits) != 0 {
		t.Errorf("beyond the deadline: %v after %v", err, waits)
	}
}

func TestClientSendsWhatTheConfigurationNames(t *testing.T) {
	var got http.Header
	var path string
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, path = r.Header, r.URL.Path
		fmt.Fprint(w, "{}")
	}))
	defer srv.Close()
	dir := t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"T": "token", "U": "user", "P": "pass", "H": "value"}
	s := Surroundings{Dir: dir, Getenv: func(n string) string { return env[n] }}
	conn := config.Connection{URL: srv.URL + "/prefix/", CAFile: "ca.pem", Tenant: "team-a", TokenEnv: "T", HeadersEnv: map[string]string{"X-Scope": "H"}}
	c, err := s.Connect("loki", conn)
	if err != nil {
		t.Fatal(err)
	}
	var into map[string]any
	if err := c.GetJSON(context.Background(), "/loki/api/v1/labels", nil, &into); err != nil {
		t.Fatal(err)
	}
	if path != "/prefix/loki/api/v1/labels" || got.Get("Authorization") != "Bearer token" || got.Get("X-Scope-OrgID") != "team-a" || got.Get("X-Scope") != "value" {
		t.Errorf("%s was asked with %v", path, got)
	}
	conn.TokenEnv, conn.UsernameEnv, conn.PasswordEnv = "", "U", "P"
	if c, err = s.Connect("loki", conn); err != nil {
		t.Fatal(err)
	}
	if err := c.GetJSON(context.Background(), "/", nil, &into); err != nil || got.Get("Authorization") != "Basic dXNlcjpwYXNz" {
		t.Errorf("basic authentication is %q (%v)", got.Get("Authorization"), err)
	}
	conn.CAFile = ""
	if c, err = s.Connect("loki", conn); err != nil {
		t.Fatal(err)
	}
	if err := c.GetJSON(context.Background(), "/", nil, &into); err == nil || !strings.Contains(err.Error(), "name the CA's certificate in ca_file") {
		t.Errorf("an unknown certificate: %v", err)
	}
	for name, broken := range map[string]config.Connection{
		"is empty; set it":              {URL: srv.URL, TokenEnv: "GONE"},
		"no such file":                  {URL: srv.URL, CAFile: "gone.pem"},
		"is not a regular file":         {URL: srv.URL, CAFile: "."},
		"is not the URL of a server":    {URL: "ftp://host"},
		"carries a user name":           {URL: "http://a:b@host"},
		`"host:9090" is not the URL of`: {URL: "host:9090"},
	} {
		if _, err := s.Connect("loki", broken); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: %v, want %q", broken, err, name)
		}
	}
}

func TestRetryAfterReadsBothForms(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{"": 0, "0": 0, "12": 12 * time.Second, "-1": 0, "1.5": 0, "1h": 0, "99999999999999999999": 0, "soon": 0,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:00:00 GMT": 0} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}
