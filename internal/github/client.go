package github

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	gh "github.com/google/go-github/v66/github"

	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
)

var _ docket.Forge = (*Client)(nil)

// defaultURL is the API of github.com.
const defaultURL = "https://api.github.com/"

// Options say which GitHub is spoken to, as whom, and how far the tool may go there.
type Options struct {
	// URL is the base of the API, as in https://ghe.example.com/api/v3/; empty means github.com.
	URL string
	// AppID and PrivateKey (PEM) are those of the GitHub App.
	AppID      int64
	PrivateKey []byte
	// Token is used in place of an App, as GITHUB_TOKEN in a workflow.
	Token string
	// Login is whom Token belongs to; empty asks GitHub.
	Login string
	// HTTP carries the requests; only its Transport is used. Default: a transport of its own.
	HTTP *http.Client
	// Autonomy is the most that may be written to a repository. Without it nothing is written at all.
	Autonomy func(repo string) remedy.Autonomy
	// MaxWait bounds how long one call waits for a rate limit or a failing server before it
	// gives up with an error that [RetryAfter] understands. Default two minutes.
	MaxWait time.Duration
	Version string // of the tool, for the User-Agent
	// Mirrors is the directory that Mirror is given, where there is one. A commit that the API does not store as it was signed is
	// pushed from there; without one the repository is fetched for that.
	Mirrors string

	Now     func() time.Time
	Sleep   func(ctx context.Context, d time.Duration) error
	Random  func() float64 // in [0, 1), for jitter
	Log     *slog.Logger
	Observe Observer
}

// Observer is told what metrics need. Both functions may be nil.
type Observer struct {
	// Rate is called with the primary rate limit as GitHub last stated it.
	Rate func(resource string, limit, remaining int)
	// Retry is called before a request is sent again or a step looked at again.
	Retry func(reason string)
}

// Client is one App, or one token, at one GitHub.
type Client struct {
	options Options
	base    *url.URL
	app     *gh.Client // as the App itself; nil with a token

	mu            sync.Mutex
	installations map[string]int64 // by repository
	clients       map[int64]*gh.Client
	narrow        map[string]*ghinstallation.Transport // by access and repository, tokens for its contents only
	login         string
	wrote         map[string]bool // other logins under which it turned out to write
	mirrors       map[string]chan struct{}
	redelivered   map[string]bool
}

// New makes a client. It sends nothing yet.
func New(o Options) (*Client, error) {
	if o.URL == "" {
		o.URL = defaultURL
	}
	base, err := url.Parse(o.URL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return nil, fmt.Errorf("github: %q is not the URL of an API; give one such as https://ghe.example.com/api/v3/", o.URL)
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("github: the URL of the API must be plain; put credentials into the key or token file")
	}
	if !strings.HasSuffix(base.Path, "/") {
		base.Path += "/"
	}
	switch {
	case o.Token != "" && o.AppID != 0:
		return nil, errors.New("github: both an App and a token are given; keep one of them")
	case o.Token == "" && o.AppID == 0:
		return nil, errors.New("github: neither an App (app_id and private_key_file) nor a token is given")
	case strings.ContainsAny(o.Token, " \t\r\n"):
		return nil, errors.New("github: the token holds white space; look at the file it comes from")
	}
	if o.Autonomy == nil {
		o.Autonomy = func(string) remedy.Autonomy { return remedy.Report }
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Transport: defaultTransport()}
	}
	if o.HTTP.Transport == nil {
		o.HTTP = &http.Client{Transport: defaultTransport()}
	}
	if o.MaxWait <= 0 {
		o.MaxWait = 2 * time.Minute
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
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Client{
		options: o, base: base, login: o.Login,
		installations: map[string]int64{}, clients: map[int64]*gh.Client{}, narrow: map[string]*ghinstallation.Transport{},
		mirrors: map[string]chan struct{}{}, redelivered: map[string]bool{}, wrote: map[string]bool{},
	}
	if o.Token != "" {
		c.clients[0] = c.sdk(&bearer{o.Token, c.wire()})
		return c, nil
	}
	apps, err := ghinstallation.NewAppsTransport(c.wire(), o.AppID, o.PrivateKey)
	if err != nil {
		return nil, errors.New("github: the App's private key cannot be read; give the PEM file that GitHub made for the App")
	}
	c.app = c.sdk(apps)
	return c, nil
}

// sdk is a client of the library over a transport that adds the credentials.
func (c *Client) sdk(t http.RoundTripper) *gh.Client {
	client := gh.NewClient(&http.Client{Transport: t, CheckRedirect: c.sameHost})
	client.BaseURL = c.base
	client.UploadURL = c.uploads()
	client.UserAgent = "remediator/" + c.options.Version
	return client
}

// uploads is where the API of the same installation takes files.
func (c *Client) uploads() *url.URL {
	if c.base.Host == "api.github.com" {
		return &url.URL{Scheme: "https", Host: "uploads.github.com", Path: "/"}
	}
	u := *c.base
	u.Path = strings.TrimSuffix(u.Path, "v3/") + "uploads/"
	return &u
}

// sameHost keeps credentials from following a redirect to somebody else.
func (c *Client) sameHost(r *http.Request, via []*http.Request) error {
	if r.URL.Host != c.base.Host || r.URL.Scheme != c.base.Scheme {
		return fmt.Errorf("github: the API redirects to %s, another host; not followed", r.URL.Host)
	}
	if len(via) > 5 {
		return errors.New("github: the API redirects in circles")
	}
	return nil
}

// bearer adds a token to every request.
type bearer struct {
	token string
	next  http.RoundTripper
}

func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(r)
}

// target is a repository and the client that may speak about it.
type target struct {
	owner, name string
	full        string
	*gh.Client
}

// target finds the client for a repository, by its installation.
func (c *Client) target(ctx context.Context, repo string) (*target, error) {
	owner, name, err := splitRepository(repo)
	if err != nil {
		return nil, err
	}
	t := &target{owner: owner, name: name, full: repo}
	if c.app == nil {
		t.Client = c.clients[0]
		return t, nil
	}
	id, err := c.installation(ctx, repo)
	if err != nil {
		return nil, err
	}
	t.Client, err = c.installed(id)
	return t, err
}

// installation is the App's installation that holds a repository.
func (c *Client) installation(ctx context.Context, repo string) (int64, error) {
	key := strings.ToLower(repo)
	c.mu.Lock()
	id := c.installations[key]
	c.mu.Unlock()
	if id != 0 {
		return id, nil
	}
	owner, name, err := splitRepository(repo)
	if err != nil {
		return 0, err
	}
	found, _, err := c.app.Apps.FindRepositoryInstallation(ctx, owner, name)
	if statusOf(err) == http.StatusNotFound {
		if listed, listErr := c.listedInstallation(ctx, owner, repo); listErr != nil || listed != nil {
			found, err = listed, listErr
		}
	}
	switch {
	case statusOf(err) == http.StatusNotFound:
		return 0, fmt.Errorf("%w: the GitHub App is not installed at %s; install it there or take the repository out of the configuration", docket.ErrForbidden, repo)
	case err != nil:
		return 0, explain(err, "looking up the installation at "+repo, "")
	case !found.GetSuspendedAt().IsZero():
		return 0, fmt.Errorf("%w: the App's installation at %s is suspended; its owner can resume it in the settings of installed Apps", docket.ErrForbidden, repo)
	}
	c.mu.Lock()
	c.installations[key] = found.GetID()
	c.mu.Unlock()
	return found.GetID(), nil
}

// listedInstallation finds a repository among those of its owner's installation; nil if it is not there.
func (c *Client) listedInstallation(ctx context.Context, owner, repo string) (*gh.Installation, error) {
	options := &gh.ListOptions{PerPage: 100}
	for range maxPages {
		list, res, err := c.app.Apps.ListInstallations(ctx, options)
		if err != nil {
			return nil, err
		}
		for _, one := range list {
			if !strings.EqualFold(one.GetAccount().GetLogin(), owner) {
				continue
			}
			if !one.GetSuspendedAt().IsZero() {
				return one, nil
			}
			var all []Repository
			if err := c.listInstallation(ctx, one.GetID(), &all); err != nil {
				return nil, err
			}
			if slices.ContainsFunc(all, func(r Repository) bool { return strings.EqualFold(r.Name, repo) }) {
				return one, nil
			}
		}
		if options.Page = following(res, options, len(list)); options.Page == 0 {
			break
		}
	}
	return nil, nil
}

// following is the number of the page after one that held so many, 0 for none. A server that sends no Link header may have
// more after a full page.
func following(res *gh.Response, options *gh.ListOptions, held int) int {
	if res.NextPage != 0 || res.Header.Get("Link") != "" || held != options.PerPage {
		return res.NextPage
	}
	return max(options.Page, 1) + 1
}

// installed is the client of an installation.
func (c *Client) installed(id int64) (*gh.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if client := c.clients[id]; client != nil {
		return client, nil
	}
	t, err := c.installationTransport(id)
	if err != nil {
		return nil, err
	}
	c.clients[id] = c.sdk(t)
	return c.clients[id], nil
}

func (c *Client) installationTransport(id int64) (*ghinstallation.Transport, error) {
	apps, err := ghinstallation.NewAppsTransport(c.wire(), c.options.AppID, c.options.PrivateKey)
	if err != nil {
		return nil, errors.New("github: the App's private key cannot be read")
	}
	apps.BaseURL = strings.TrimSuffix(c.base.String(), "/")
	t := ghinstallation.NewFromAppsTransport(apps, id)
	t.BaseURL = apps.BaseURL
	return t, nil
}

// Forget drops what is remembered of installations, as after a webhook said that they changed.
func (c *Client) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.installations)
	if c.app != nil {
		clear(c.clients)
		clear(c.narrow)
	}
}

// sleep waits, or returns the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
