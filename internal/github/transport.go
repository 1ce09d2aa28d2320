package github

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/remediator/remediator/remedy/docket"
)

const (
	// maxAnswer bounds one answer. The largest that is asked for, a page of 100 pull requests, is under 4 MiB.
	maxAnswer = 16 << 20
	// repeats bounds how often a harmless request is sent.
	repeats = 5
	// GitHub asks for a second between requests that write when there are many of them, and allows 80 a
	// minute; writesAtOnce and one a second stay below both.
	writesAtOnce = 10
	// patience is how long one request waits by itself. It is less than the life of the App's own
	// tokens, which are made before the wait.
	patience = time.Minute
)

func defaultTransport() http.RoundTripper {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          32,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 60 * time.Second, // GitHub itself ends requests after 10 seconds
	}
}

// wire sends requests: it repeats those that may be repeated without harm, spaces and serialises
// those that write, keeps to the rate limits, revalidates what it read before, and bounds answers. Where a
// request that writes fails in a way that leaves open whether it had its effect, it is
// not repeated here: the step that sent it looks again.
type wire struct {
	*Client
	writes *rate.Limiter
	cache  *etags

	mu        sync.Mutex
	repos     map[string]chan struct{}
	exhausted map[string]time.Time // rate limit's resource -> when it is filled again
}

func (c *Client) wire() *wire {
	return &wire{
		Client: c, writes: rate.NewLimiter(rate.Every(time.Second), writesAtOnce), cache: newETags(),
		repos: map[string]chan struct{}{}, exhausted: map[string]time.Time{},
	}
}

// passing is a failure that goes away: by itself, or after a time that GitHub stated.
type passing struct {
	what  string // method and path
	why   string
	after time.Duration // 0 if GitHub did not say
	err   error
}

func (e *passing) Error() string {
	text := fmt.Sprintf("github: %s: %s", e.what, e.why)
	if e.after > 0 {
		text += fmt.Sprintf("; try again in %s", e.after.Round(time.Second))
	}
	return text
}

func (e *passing) Unwrap() error { return e.err }

// Is tells that it is not the case's fault.
func (e *passing) Is(target error) bool { return target == docket.ErrAway }

// RetryAfter says whether a call failed for a reason that passes, and for how long to wait; 0
// means that GitHub did not say.
func RetryAfter(err error) (time.Duration, bool) {
	var p *passing
	if errors.As(err, &p) {
		return p.after, true
	}
	return 0, false
}

// objects are what git stores by content, and the tokens of an installation: making them twice is
// making them once.
var objects = regexp.MustCompile(`/(git/(blobs|trees|commits)|access_tokens|reactions)$`)

// repository finds the repository in a path of the API.
var repository = regexp.MustCompile(`/repos/([^/]+/[^/]+)`)

// RoundTrip implements [http.RoundTripper].
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	if r.URL.Host != w.base.Host || r.URL.Scheme != w.base.Scheme {
		return nil, fmt.Errorf("github: a request to %s instead of %s was not sent", r.URL.Host, w.base.Host)
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	harmless := reads || r.Method == http.MethodPost && objects.MatchString(r.URL.Path)
	if !reads {
		release, err := w.turn(ctx, r.URL.Path)
		if err != nil {
			return nil, err
		}
		defer release()
	}
	waited := time.Duration(0)
	for attempt := 1; ; attempt++ {
		res, err := w.once(r, body, reads)
		var p *passing
		if err == nil || !errors.As(err, &p) || ctx.Err() != nil {
			if ctx.Err() != nil && err != nil {
				err = ctx.Err()
			}
			return res, err
		}
		delay := max(p.after, w.backoff(attempt))
		if !harmless || attempt == repeats || waited+delay > min(patience, w.options.MaxWait) {
			return nil, err
		}
		waited += delay
		w.retrying(p)
		if err := w.options.Sleep(ctx, delay); err != nil {
			return nil, err
		}
	}
}

// retrying tells the observer and the log.
func (c *Client) retrying(p *passing) {
	if c.options.Observe.Retry != nil {
		c.options.Observe.Retry(p.why)
	}
	c.options.Log.Debug("github is asked again", "request", p.what, "because", p.why, "after", p.after)
}

// backoff grows from half a second, by two, with full jitter on its upper half.
func (c *Client) backoff(attempt int) time.Duration {
	d := min(500*time.Millisecond<<min(attempt-1, 6), 30*time.Second)
	return d/2 + time.Duration(c.options.Random()*float64(d/2))
}

// turn waits until a request that writes may be sent, and holds the repository until released.
func (w *wire) turn(ctx context.Context, path string) (release func(), err error) {
	found := repository.FindStringSubmatch(path)
	if found == nil {
		return func() {}, nil
	}
	now := w.options.Now()
	if delay := w.writes.ReserveN(now, 1).DelayFrom(now); delay > 0 {
		if err := w.options.Sleep(ctx, delay); err != nil {
			return nil, err
		}
	}
	w.mu.Lock()
	lock := w.repos[found[1]]
	if lock == nil {
		lock = make(chan struct{}, 1)
		w.repos[found[1]] = lock
	}
	w.mu.Unlock()
	select {
	case lock <- struct{}{}:
		return func() { <-lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// once sends a request one time. What passes comes back as *passing, everything else as GitHub said it.
func (w *wire) once(r *http.Request, body []byte, reads bool) (*http.Response, error) {
	what := r.Method + " " + r.URL.Path
	if err := w.closed(what); err != nil {
		return nil, err
	}
	send := r.Clone(r.Context())
	if r.Body != nil {
		send.Body = io.NopCloser(bytes.NewReader(body))
		send.ContentLength = int64(len(body))
	}
	kept := w.cache.get(r)
	if kept != nil {
		send.Header.Set("If-None-Match", kept.etag)
	}
	res, err := w.options.HTTP.Transport.RoundTrip(send)
	if err != nil {
		return nil, &passing{what: what, why: "the connection failed", err: err}
	}
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	res.Body.Close()
	if err != nil {
		return nil, &passing{what: what, why: "the connection broke off", err: err}
	}
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("github: %s answers more than %d MiB", what, maxAnswer>>20)
	}
	w.note(res)
	if p := w.judge(what, res, answer); p != nil {
		return nil, p
	}
	if res.StatusCode == http.StatusNotModified && kept != nil {
		return kept.response(r), nil
	}
	if reads && res.StatusCode == http.StatusOK {
		w.cache.put(r, res.Header, answer)
	}
	// The library would stop asking by itself, on its own clock; waiting is done here.
	for _, name := range []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Used", "Retry-After"} {
		res.Header.Del(name)
	}
	res.Body = io.NopCloser(bytes.NewReader(answer))
	res.ContentLength = int64(len(answer))
	return res, nil
}

// closed says how long the primary rate limit is known to be used up.
func (w *wire) closed(what string) error {
	if strings.HasSuffix(what, "/access_tokens") {
		return nil
	}
	w.mu.Lock()
	reset := w.exhausted["core"]
	w.mu.Unlock()
	if left := reset.Sub(w.options.Now()); left > 0 {
		return &passing{what: what, why: "the rate limit is used up", after: left}
	}
	return nil
}

// note keeps what an answer says about the primary rate limit.
func (w *wire) note(res *http.Response) {
	remaining, err := strconv.Atoi(res.Header.Get("X-RateLimit-Remaining"))
	if err != nil {
		return
	}
	resource := res.Header.Get("X-RateLimit-Resource")
	if resource == "" {
		resource = "core"
	}
	limit, _ := strconv.Atoi(res.Header.Get("X-RateLimit-Limit"))
	if w.options.Observe.Rate != nil {
		w.options.Observe.Rate(resource, limit, remaining)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.exhausted, resource)
	if at, err := strconv.ParseInt(res.Header.Get("X-RateLimit-Reset"), 10, 64); err == nil && remaining <= 0 {
		w.exhausted[resource] = time.Unix(at, 0)
	}
}

// judge tells failures that pass from answers. See "Rate limits for the REST API" and "Best practices
// for using the REST API" in GitHub's documentation.
func (w *wire) judge(what string, res *http.Response, answer []byte) *passing {
	switch res.StatusCode {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &passing{what: what, why: "GitHub answers " + strconv.Itoa(res.StatusCode), after: w.asked(res)}
	case http.StatusTooManyRequests, http.StatusForbidden:
	default:
		return nil
	}
	if after := w.asked(res); after > 0 {
		return &passing{what: what, why: "a secondary rate limit was reached", after: after}
	}
	if res.Header.Get("X-RateLimit-Remaining") == "0" {
		after := time.Minute
		if at, err := strconv.ParseInt(res.Header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			after = max(time.Unix(at, 0).Sub(w.options.Now()), time.Second)
		}
		return &passing{what: what, why: "the rate limit is used up", after: after}
	}
	text := strings.ToLower(string(answer[:min(len(answer), 4096)]))
	if res.StatusCode == http.StatusTooManyRequests || strings.Contains(text, "secondary rate limit") || strings.Contains(text, "abuse detection") {
		// Without a stated time GitHub asks for at least a minute.
		return &passing{what: what, why: "a secondary rate limit was reached", after: time.Minute}
	}
	return nil
}

// asked is the time in Retry-After, 0 without one.
func (w *wire) asked(res *http.Response) time.Duration {
	value := strings.TrimSpace(res.Header.Get("Retry-After"))
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		return max(time.Duration(min(seconds, 24*3600))*time.Second, time.Millisecond)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(w.options.Now()), time.Millisecond)
	}
	return 0
}
