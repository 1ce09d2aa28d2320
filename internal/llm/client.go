package llm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/remediator/remediator/patch/modelrecipe"
)

// Bounds on what a server may send.
const (
	maxBody    = 4 << 20  // of an answer that is no stream, and of a list of models
	maxAnswer  = 1 << 20  // text of one answer
	maxKey     = 16 << 10 // a key file
	maxError   = 300      // bytes of a server's message that are shown
	maxHeaders = 64 << 10
)

// Options are what a client needs to know.
type Options struct {
	// URL is the server's address, with or without /v1.
	URL string
	// Model is the name to ask for; "" takes the one model that the server has.
	Model string
	// Context fixes the length of the context in tokens; 0 finds it out.
	Context int
	// Timeout bounds one request; 0 means two minutes.
	Timeout time.Duration
	// KeyFile holds a bearer token. Nothing else is ever sent as a credential.
	KeyFile string
}

// Client asks one model of one server. It is safe for concurrent use.
type Client struct {
	base    *url.URL // without /v1
	opt     Options
	key     string
	http    *http.Client
	mu      sync.Mutex // held while finding out
	known   *modelrecipe.Description
	dialect dialect
	counter counter
}

var _ modelrecipe.Model = (*Client)(nil)

// New checks the options; it sends nothing.
func New(o Options) (*Client, error) {
	u, err := url.Parse(strings.TrimSpace(o.URL))
	switch {
	case err != nil:
		return nil, errors.New("the model server's URL cannot be read; write it as http://127.0.0.1:11434")
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, fmt.Errorf("the model server's URL %q needs http or https and a host, such as http://127.0.0.1:11434", u.Redacted())
	case u.User != nil:
		return nil, errors.New("the model server's URL holds a user or password; put a key into a file and name that")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the model server's URL %q has a query or fragment; leave it out", u.Redacted())
	}
	u.Path = strings.TrimSuffix(strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/v1"), "/")
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.Context < 0 {
		return nil, fmt.Errorf("a context of %d tokens is none; leave it out to have it found", o.Context)
	}
	c := &Client{base: u, opt: o}
	if o.KeyFile != "" {
		if c.key, err = readKey(o.KeyFile); err != nil {
			return nil, err
		}
		if u.Scheme == "http" && !loopback(u.Hostname()) {
			return nil, fmt.Errorf("the key would go to %s unencrypted; use https", u.Host)
		}
	}
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConns:           2,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: maxHeaders,
		ForceAttemptHTTP2:      true,
	}
	if loopback(u.Hostname()) {
		transport.Proxy = nil
	}
	c.http = &http.Client{Transport: transport, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if req.URL.Host != u.Host || req.URL.Scheme != u.Scheme {
			return fmt.Errorf("the server redirects to %s, which is another one; name that if it is meant", req.URL.Host)
		}
		if len(via) > 3 {
			return errors.New("the server redirects in a circle")
		}
		return nil
	}}
	return c, nil
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// URL is the server's address, without /v1.
func (c *Client) URL() string { return c.base.String() }

func readKey(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("key of the model server: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxKey+1))
	key := strings.TrimSpace(string(b))
	switch {
	case err != nil:
		return "", fmt.Errorf("key of the model server: %w", err)
	case len(b) > maxKey || key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("%s does not hold one key on one line", name)
	}
	return key, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// statusError is an answer that is no success.
type statusError struct {
	path    string
	code    int
	message string
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("the model server answers %s with %d", e.path, e.code)
	if e.message != "" {
		text += ": " + e.message
	}
	return text
}

// refused says that the server understood the request and did not want it, so that another form may do.
func refused(err error) bool {
	var s *statusError
	return errors.As(err, &s) && s.code >= 400 && s.code < 500 && s.code != http.StatusUnauthorized && s.code != http.StatusForbidden &&
		s.code != http.StatusTooManyRequests && s.code != http.StatusRequestTimeout
}

// send makes one request, once. The caller closes the body, which ends the request.
func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("writing the request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base.JoinPath(path).String(), body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what was read explains, what was not does not matter
		return nil, &statusError{path: path, code: resp.StatusCode, message: c.clean(message(b))}
	}
	return resp, nil
}

// unreachable words an error of the connection for a report.
func (c *Client) unreachable(ctx context.Context, err error) error {
	var netErr net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return fmt.Errorf("the model server at %s did not answer in time: %w", c.base.Host, context.DeadlineExceeded)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("the model server at %s does not answer: %w", c.base.Host, err)
}

// call makes a request and decodes its JSON answer.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return c.unreachable(ctx, err)
	}
	if len(b) > maxBody {
		return fmt.Errorf("the model server's answer to %s is longer than %d MiB", path, maxBody>>20)
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("the model server's answer to %s is not the JSON that was expected", path)
	}
	return nil
}

// message finds the text of an error in the forms servers have: {"error":{"message"}}, {"error":"..."},
// {"message"}, {"detail"}.
func message(b []byte) string {
	var doc struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Detail  json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(b, &doc) != nil {
		return string(b)
	}
	var inner struct {
		Message string `json:"message"`
	}
	var text string
	switch {
	case json.Unmarshal(doc.Error, &inner) == nil && inner.Message != "":
		return inner.Message
	case json.Unmarshal(doc.Error, &text) == nil && text != "":
		return text
	case doc.Message != "":
		return doc.Message
	case len(doc.Detail) > 0:
		return string(doc.Detail)
	}
	return string(b)
}

// clean bounds a server's words to one line without control characters and without the key.
func (c *Client) clean(s string) string {
	if c.key != "" {
		s = strings.ReplaceAll(s, c.key, "[key]")
	}
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	if len(s) > maxError {
		s = strings.ToValidUTF8(s[:maxError], "") + "..."
	}
	return s
}
