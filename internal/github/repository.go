package github

import (
	"context"
	"errors"
	"slices"
	"strings"

	gh "github.com/google/go-github/v66/github"

	"github.com/remediator/remediator/remedy/docket"
)

// Repository is what is known of a repository.
type Repository struct {
	Name          string // owner/name, as GitHub writes it now
	CloneURL      string
	DefaultBranch string
	Archived      bool // takes no changes; disabled ones count as archived
	Private       bool
	Size          int64 // bytes, roughly
}

// Repository looks one up.
func (c *Client) Repository(ctx context.Context, repo string) (*Repository, error) {
	var found *Repository
	err := c.settle(ctx, func(ctx context.Context) error {
		t, err := c.target(ctx, repo)
		if err != nil {
			return err
		}
		r, _, err := t.Repositories.Get(ctx, t.owner, t.name)
		if err != nil {
			return explain(err, "looking up "+repo, "metadata: read")
		}
		found = known(r)
		return nil
	})
	return found, err
}

func known(r *gh.Repository) *Repository {
	return &Repository{
		Name: r.GetFullName(), CloneURL: r.GetCloneURL(), DefaultBranch: r.GetDefaultBranch(),
		Archived: r.GetArchived() || r.GetDisabled(), Private: r.GetPrivate(), Size: int64(r.GetSize()) << 10,
	}
}

// Repositories lists what the App is installed at, or what the token was given, sorted by name.
func (c *Client) Repositories(ctx context.Context) ([]Repository, error) {
	var all []Repository
	err := c.settle(ctx, func(ctx context.Context) error {
		all = nil
		if c.app == nil {
			return c.listToken(ctx, &all)
		}
		options := &gh.ListOptions{PerPage: 100}
		for range maxPages {
			list, res, err := c.app.Apps.ListInstallations(ctx, options)
			if err != nil {
				return explain(err, "listing the App's installations", "")
			}
			for _, one := range list {
				if !one.GetSuspendedAt().IsZero() {
					continue
				}
				if err := c.listInstallation(ctx, one.GetID(), &all); err != nil {
					return err
				}
			}
			if options.Page = following(res, options, len(list)); options.Page == 0 {
				break
			}
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Repository) int { return strings.Compare(a.Name, b.Name) })
	all = slices.CompactFunc(all, func(a, b Repository) bool { return a.Name == b.Name })
	return all, err
}

func (c *Client) listInstallation(ctx context.Context, id int64, all *[]Repository) error {
	client, err := c.installed(id)
	if err != nil {
		return err
	}
	return c.listInstalled(ctx, client, id, all)
}

func (c *Client) listInstalled(ctx context.Context, client *gh.Client, id int64, all *[]Repository) error {
	options := &gh.ListOptions{PerPage: 100}
	for range maxPages {
		list, res, err := client.Apps.ListRepos(ctx, options)
		if err != nil {
			return explain(err, "listing an installation's repositories", "metadata: read")
		}
		for _, r := range list.Repositories {
			*all = append(*all, *known(r))
			if id != 0 {
				c.mu.Lock()
				c.installations[strings.ToLower(r.GetFullName())] = id
				c.mu.Unlock()
			}
		}
		if options.Page = following(res, options, len(list.Repositories)); options.Page == 0 {
			return nil
		}
	}
	return nil
}

// listToken asks as an installation, which a workflow's token is, and then as a person.
func (c *Client) listToken(ctx context.Context, all *[]Repository) error {
	if err := c.listInstalled(ctx, c.clients[0], 0, all); !errors.Is(err, docket.ErrForbidden) {
		return err
	}
	options := &gh.RepositoryListByAuthenticatedUserOptions{ListOptions: gh.ListOptions{PerPage: 100}}
	for range maxPages {
		list, res, err := c.clients[0].Repositories.ListByAuthenticatedUser(ctx, options)
		if err != nil {
			return explain(err, "listing the token's repositories", "metadata: read")
		}
		for _, r := range list {
			*all = append(*all, *known(r))
		}
		if options.Page = following(res, &options.ListOptions, len(list)); options.Page == 0 {
			return nil
		}
	}
	return nil
}
