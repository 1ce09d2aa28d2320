package github

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	gh "github.com/google/go-github/v66/github"
)

// maxMirror is the largest repository that is mirrored, by the size that GitHub states.
const maxMirror = 20 << 30

// Mirror keeps a bare mirror of a repository's branches below dir, brings it up to date and returns its path. It is
// for reading: nothing in it is checked out or run, and the token that fetched it is neither in its configuration nor
// on a command line. Any number of goroutines and processes may ask for the same one.
func (c *Client) Mirror(ctx context.Context, repo, dir string) (string, error) {
	meta, err := c.Repository(ctx, repo)
	if err != nil {
		return "", err
	}
	if meta.Size > maxMirror {
		return "", fmt.Errorf("github: %s has %d GiB, more than the %d that are mirrored; name a clone on this machine in the configuration (path)", repo, meta.Size>>30, maxMirror>>30)
	}
	from, trusted, err := c.origin(meta)
	if err != nil {
		return "", err
	}
	git, err := newProgram()
	if err != nil {
		return "", err
	}
	owner, name, err := splitRepository(repo)
	if err != nil {
		return "", err
	}
	path, err := filepath.Abs(filepath.Join(dir, strings.ToLower(owner), strings.ToLower(name)+".git"))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("github: mirror of %s: %w", repo, err)
	}
	release, err := c.lockMirror(ctx, path)
	if err != nil {
		return "", fmt.Errorf("github: mirror of %s: %w", repo, err)
	}
	defer release()
	if err := prepareMirror(ctx, git, path, from.Scheme); err != nil {
		return "", fmt.Errorf("github: mirror of %s: %w", repo, err)
	}
	err = c.settle(ctx, func(ctx context.Context) error {
		settings, err := c.credentials(ctx, repo, from, trusted, "read")
		if err != nil {
			return err
		}
		_, err = git.run(ctx, path, from.Scheme, settings, "fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance",
			from.String(), "+refs/heads/*:refs/heads/*")
		return explain(err, "fetching "+repo, "contents: read")
	})
	if err != nil {
		return "", err
	}
	if _, err := git.run(ctx, path, from.Scheme, nil, "symbolic-ref", "HEAD", "refs/heads/"+meta.DefaultBranch); err != nil {
		return "", fmt.Errorf("github: mirror of %s: %w", repo, err)
	}
	return path, nil
}

// origin is where a repository is fetched from and pushed to, and whether the token may go there: only to where the API is.
// Another host is spoken to as anybody would. A directory is taken from an API on this machine only.
func (c *Client) origin(r *Repository) (u *url.URL, trusted bool, err error) {
	at := r.CloneURL
	if at == "" {
		at = c.base.Scheme + "://" + strings.TrimPrefix(c.base.Host, "api.") + "/" + r.Name + ".git"
	}
	u, err = url.Parse(at)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path == "" || u.Opaque != "" {
		return nil, false, fmt.Errorf("github: %s is at %q, which is not a URL to fetch from", r.Name, cutRunes(oneLine(at), 200))
	}
	switch {
	case checkRef(r.DefaultBranch) != nil:
		return nil, false, fmt.Errorf("github: %s has no usable default branch; push a first commit", r.Name)
	case u.Scheme == c.base.Scheme && (u.Host == c.base.Host || c.base.Host == "api."+u.Host):
		return u, true, nil
	case u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && c.base.Scheme == "http"):
		return u, false, nil
	case u.Scheme == "file" && u.Host == "" && onThisMachine(c.base.Hostname()):
		return u, false, nil
	}
	return nil, false, fmt.Errorf("github: %s is at %q, where nothing is fetched from for an API at %s; name a clone on this machine in the configuration (path)",
		r.Name, cutRunes(oneLine(at), 200), c.base.Host)
}

// onThisMachine says whether a host is the machine itself.
func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// credentials are what git sends to an origin: a token that can do nothing but read or write this repository's contents, or nothing.
func (c *Client) credentials(ctx context.Context, repo string, to *url.URL, trusted bool, access string) ([]setting, error) {
	if !trusted {
		return nil, nil
	}
	token, err := c.contentsToken(ctx, repo, access)
	if err != nil {
		return nil, err
	}
	header := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("x-access-token:"+token))
	return []setting{{"http." + to.Scheme + "://" + to.Host + "/.extraHeader", header}}, nil
}

// contentsToken is a token that can do nothing but read, or write, this repository's contents.
func (c *Client) contentsToken(ctx context.Context, repo, access string) (string, error) {
	if c.app == nil {
		return c.options.Token, nil
	}
	_, name, err := splitRepository(repo)
	if err != nil {
		return "", err
	}
	id, err := c.installation(ctx, repo)
	if err != nil {
		return "", err
	}
	key := access + " " + strings.ToLower(repo)
	c.mu.Lock()
	t := c.narrow[key]
	c.mu.Unlock()
	if t == nil {
		if t, err = c.installationTransport(id); err != nil {
			return "", err
		}
		t.InstallationTokenOptions = &gh.InstallationTokenOptions{
			Repositories: []string{name},
			Permissions:  &gh.InstallationPermissions{Contents: gh.String(access), Metadata: gh.String("read")},
		}
		c.mu.Lock()
		c.narrow[key] = t
		c.mu.Unlock()
	}
	token, err := t.Token(ctx)
	return token, explain(err, "getting a token to "+access+" "+repo, "contents: "+access)
}

// prepareMirror makes an empty bare repository where there is none. It is made beside and renamed, so that
// a process killed half-way leaves nothing that looks like a repository.
func prepareMirror(ctx context.Context, git *program, path, protocol string) error {
	if _, err := os.Stat(filepath.Join(path, "HEAD")); err == nil {
		return nil
	}
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	if _, err := git.run(ctx, filepath.Dir(path), protocol, nil, "init", "--quiet", "--bare", "--template=", fresh); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

// lockMirror keeps one fetch at a time for a path, in this process and across processes.
func (c *Client) lockMirror(ctx context.Context, path string) (release func(), err error) {
	c.mu.Lock()
	turn := c.mirrors[path]
	if turn == nil {
		turn = make(chan struct{}, 1)
		c.mirrors[path] = turn
	}
	c.mu.Unlock()
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	unlock, err := c.lockFile(ctx, path+".lock")
	if err != nil {
		<-turn
		return nil, err
	}
	return func() { unlock(); <-turn }, nil
}
