package sources

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/remediator/remediator/telemetry/nesting"
)

// ClientOptions say how a server is reached. The zero value of each limit means its default.
type ClientOptions struct {
	// Kind is what the server is, "prometheus", for messages.
	Kind string
	// URL is the server's base; a path in it is kept in front of every request's.
	URL string
	// Token is sent as a bearer token, Username and Password as basic authentication, Headers as they are.
	Token, Username, Password string
	Headers                   map[string]string
	// Tenant is sent as X-Scope-OrgID, which Loki, Tempo and Mimir tell tenants apart by.
	Tenant string
	// CA holds certificates in PEM that are trusted in place of the system's; nil means the system's.
	CA []byte
	// Timeout bounds one request with its answer. Default 30 s. The context bounds all.
	Timeout time.Duration
	// Attempts is how often a request is made at most. Default 4.
	Attempts int
	// MaxBody bounds one answer after decompression. Default 64 MiB.
	MaxBody int64

	// Transport, Now, Sleep and Random are the real ones where they are nil; tests bring their own.
	Transport http.RoundTripper
	Now       func() time.Time
	Sleep     func(ctx context.Context, d time.Duration) error
	Random    func() float64 // in [0,1)
}

const (
	defaultTimeout  = 30 * time.Second
	defaultAttempts = 4
	defaultMaxBody  = 64 << 20
	// Waits between attempts double from firstWait to lastWait, with full jitter (Brooker, "Exponential Backoff and
	// Jitter", AWS Architecture Blog, 2015), so that many clients do not come back at once.
	firstWait = 500 * time.Millisecond
	lastWait  = 15 * time.Second
	// longestWait is how much of Retry-After is honoured: who asks for more is asked again in another run.
	longestWait  = 2 * time.Minute
	maxRedirects = 5
	// excerpt is how much of a refusal is shown.
	excerpt = 300
)

// Client speaks HTTP with one server. It repeats what failed for a passing reason, never reads more than it was
// allowed to, and never takes credentials to another host. All requests made with it must be safe to repeat.
type Client struct {
	o    ClientOptions
	base *url.URL
	http *http.Client
}

// NewClient checks the options; nothing is asked yet.
func NewClient(o ClientOptions) (*Client, error) {
	base, err := url.Parse(o.URL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("%s: %q is not the URL of a server; write http://host:port or https://host", o.Kind, clip(o.URL, 100))
	}
	if base.User != nil {
		return nil, fmt.Errorf("%s: the URL carries a user name or password; name environment variables in the configuration instead", o.Kind)
	}
	base.RawQuery, base.Fragment = "", ""
	base.Path = strings.TrimSuffix(base.Path, "/")
	base.RawPath = ""
	o.Timeout = positive(o.Timeout, defaultTimeout)
	o.Attempts = positive(o.Attempts, defaultAttempts)
	o.MaxBody = positive(o.MaxBody, defaultMaxBody)
	if o.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxResponseHeaderBytes = 256 << 10
		if o.CA != nil {
			pool := x509.NewCertPool()
			if !pool.AppendCertsFromPEM(o.CA) {
				return nil, fmt.Errorf("%s at %s: the CA file holds no certificate in PEM", o.Kind, base)
			}
			t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		}
		o.Transport = t
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	c := &Client{o: o, base: base}
	c.http = &http.Client{Transport: o.Transport, CheckRedirect: c.checkRedirect}
	return c, nil
}

func positive[T ~int | ~int64](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Name is the server for people: "prometheus at http://host:9090".
func (c *Client) Name() string { return c.o.Kind + " at " + c.base.String() }

// Now is the client's clock.
func (c *Client) Now() time.Time { return c.o.Now() }

// Request is one question to the server.
type Request struct {
	Path  string     // below the base, "/api/v1/query_range"
	Query url.Values // in the URL
	Form  url.Values // where set, posted as a form
	JSON  any        // where set, posted as JSON
	// Accept is the media type asked for. Default application/json.
	Accept string
	Header map[string]string // further headers
	// MaxBody bounds the answer; 0 means the client's bound.
	MaxBody int64
}

// ErrTooLarge is wrapped by the error about an answer beyond its bound: ask for less.
var ErrTooLarge = errors.New("the answer is too large")

// GetJSON asks by GET and decodes the answer.
func (c *Client) GetJSON(ctx context.Context, path string, query url.Values, into any) error {
	return c.DecodeJSON(ctx, Request{Path: path, Query: query}, into)
}

// DecodeJSON asks and decodes the answer, which must be one JSON value.
func (c *Client) DecodeJSON(ctx context.Context, r Request, into any) error {
	body, err := c.Do(ctx, r)
	if err != nil {
		return err
	}
	return c.decode(r.Path, body, into)
}

func (c *Client) decode(path string, body []byte, into any) error {
	if err := nesting.JSON(body); err != nil {
		return fmt.Errorf("%s answered %s with what cannot be read: the JSON is nested too deeply or made of empty objects", c.Name(), path)
	}
	if err := json.Unmarshal(body, into); err != nil {
		trimmed := bytes.TrimSpace(body)
		switch {
		case len(trimmed) == 0:
			return fmt.Errorf("%s answered %s with nothing; check that the URL is that of a %s server", c.Name(), path, c.o.Kind)
		case trimmed[0] == '<':
			return fmt.Errorf("%s answered %s with a page instead of JSON, as a login page or a proxy does; check the URL and the credentials", c.Name(), path)
		}
		return fmt.Errorf("%s answered %s with what is not the expected JSON (%s); check that the URL is that of a %s server", c.Name(), path, clip(err.Error(), 120), c.o.Kind)
	}
	return nil
}

// Do asks and returns the body of a 2xx answer. Connection errors, time-outs and the statuses 429, 502, 503 and 504
// are tried again; everything else is final. The error is a *StatusError where the server answered.
func (c *Client) Do(ctx context.Context, r Request) ([]byte, error) {
	var last error
	for attempt := range c.o.Attempts {
		if attempt > 0 {
			if err := c.wait(ctx, attempt, last); err != nil {
				return nil, err
			}
		}
		body, err := c.once(ctx, r)
		if err == nil {
			return body, nil
		}
		last = err
		if ctx.Err() != nil || !passing(err) {
			return nil, err
		}
		if attempt > 0 && errors.Is(err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("%w (tried %d times)", err, attempt+1) // each costs a whole time-out
		}
	}
	return nil, fmt.Errorf("%w (tried %d times)", last, c.o.Attempts)
}

// wait sleeps before a further attempt, as long as the server asked for or as backoff says.
func (c *Client) wait(ctx context.Context, attempt int, last error) error {
	d := time.Duration(c.o.Random() * float64(min(lastWait, firstWait<<(attempt-1))))
	var status *StatusError
	if errors.As(last, &status) && status.RetryAfter > 0 {
		if status.RetryAfter > longestWait {
			return fmt.Errorf("%w; it asks to wait %v, which is too long: try again then", last, status.RetryAfter)
		}
		d = status.RetryAfter
	}
	if deadline, ok := ctx.Deadline(); ok && c.o.Now().Add(d).After(deadline) {
		return fmt.Errorf("%w; no time is left to try again", last)
	}
	if err := c.o.Sleep(ctx, d); err != nil {
		return fmt.Errorf("%w; stopped while waiting to try again", last)
	}
	return nil
}

func (c *Client) once(ctx context.Context, r Request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	req, err := c.request(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.failed(err, r.Path)
	}
	defer resp.Body.Close()
	limit := positive(r.MaxBody, c.o.MaxBody)
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // an explanation that is cut off is one still
		return nil, c.refused(resp, r.Path, text)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, c.failed(err, r.Path)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("%s: the answer to %s is larger than %d MiB: %w", c.Name(), r.Path, limit>>20, ErrTooLarge)
	}
	return body, nil
}

func (c *Client) request(ctx context.Context, r Request) (*http.Request, error) {
	u := *c.base
	u.Path += "/" + strings.TrimPrefix(r.Path, "/")
	u.RawQuery = r.Query.Encode()
	method, media := http.MethodGet, ""
	var body io.Reader
	switch {
	case r.Form != nil:
		method, media, body = http.MethodPost, "application/x-www-form-urlencoded", strings.NewReader(r.Form.Encode())
	case r.JSON != nil:
		data, err := json.Marshal(r.JSON)
		if err != nil {
			return nil, fmt.Errorf("%s: encode the request: %w", c.Name(), err)
		}
		method, media, body = http.MethodPost, "application/json", bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Name(), err)
	}
	for _, headers := range []map[string]string{r.Header, c.o.Headers} {
		for name, value := range headers {
			req.Header.Set(name, value)
		}
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	accept := r.Accept
	if accept == "" {
		accept = "application/json"
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", "remediator")
	if c.o.Tenant != "" {
		req.Header.Set("X-Scope-OrgID", c.o.Tenant)
	}
	switch {
	case c.o.Token != "":
		req.Header.Set("Authorization", "Bearer "+c.o.Token)
	case c.o.Username != "" || c.o.Password != "":
		req.SetBasicAuth(c.o.Username, c.o.Password)
	}
	return req, nil
}

// errElsewhere ends a redirect that leaves the server.
var errElsewhere = errors.New("redirects to another host")

// checkRedirect follows redirects within the server alone: credentials and headers go along with them.
func (c *Client) checkRedirect(req *http.Request, via []*http.Request) error {
	if req.URL.Scheme != c.base.Scheme || req.URL.Host != c.base.Host {
		return fmt.Errorf("%w, %s: set the URL to the one that serves the API", errElsewhere, clip(req.URL.Scheme+"://"+req.URL.Host, 100))
	}
	if len(via) >= maxRedirects {
		return fmt.Errorf("redirects more than %d times: check the URL and the credentials", maxRedirects)
	}
	return nil
}

// clip bounds text from outside and takes control characters and line breaks out of it.
func clip(s string, n int) string {
	cut := len(s) > n
	if cut {
		s = s[:n]
	}
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	s = strings.Join(strings.Fields(s), " ")
	if cut {
		s += "..."
	}
	return s
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
