package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/gitrepo"
	"github.com/remediator/remediator/localize"
)

// errNoRepository means that none of the repositories owns what the alert is about.
var errNoRepository = errors.New("no repository owns what the alert is about")

// repositories are those that serve may propose to.
type repositories struct {
	// list names them: those of the configuration, or those the App is installed on.
	list func(context.Context) ([]config.ServedRepository, error)
	// mirror brings a repository of GitHub up to date and returns where its clone lies.
	mirror func(ctx context.Context, name string) (string, error)
	// source says which repository the alerts of a source are about, "" if that depends.
	source func(name string) string

	mu    sync.Mutex
	known map[string]servedConfig // by name
}

// servedConfig is a repository's configuration at one commit of its target branch.
type servedConfig struct {
	tip  string
	conf config.Config
}

// chosen is the repository of one case.
type chosen struct {
	config.ServedRepository
	clone string // path of a clone that is up to date
}

// choose finds the repository of an incident: the one the alert's source names, else the one
// whose configuration has the alert's service, else the one that has the first suspect's, else the
// only one there is. Telemetry decides only among repositories that an operator listed.
func (r *repositories) choose(ctx context.Context, in incident.Incident, ev localize.Evidence, named string) (chosen, error) {
	all, err := r.list(ctx)
	if err != nil {
		return chosen{}, err
	}
	if named != "" {
		i := slices.IndexFunc(all, func(s config.ServedRepository) bool { return s.Name == named })
		if i < 0 {
			return chosen{}, fmt.Errorf("%w: the source's repository %q is not among those served", errNoRepository, named)
		}
		return r.open(ctx, all[i])
	}
	services := []string{}
	if in.Service != "" {
		services = append(services, in.Service)
	}
	for _, s := range localize.Rank(in, ev, localize.Options{}).Suspects {
		if s.Service != "" && !slices.Contains(services, s.Service) {
			services = append(services, s.Service)
		}
	}
	var failed error
	owned := make([]map[string]bool, len(all))
	for i, s := range all {
		names, err := r.services(ctx, s)
		failed = errors.Join(failed, err)
		owned[i] = map[string]bool{}
		for _, n := range names {
			owned[i][n] = true
		}
	}
	for _, service := range services {
		for i, s := range all {
			if owned[i][service] {
				return r.open(ctx, s)
			}
		}
	}
	switch {
	case len(all) == 1 && failed == nil:
		return r.open(ctx, all[0])
	case failed != nil:
		return chosen{}, failed // it may be the one that could not be read
	}
	return chosen{}, fmt.Errorf("%w: none of %d repositories has a service named %v in its %s", errNoRepository, len(all), services, config.File)
}

// checkClones refuses clones on this machine that are none, at the start rather than at the first alert.
func checkClones(all []config.ServedRepository, log *slog.Logger) error {
	for _, s := range all {
		if s.Path == "" {
			continue
		}
		repo, err := gitrepo.Open(s.Path)
		if err != nil {
			return fmt.Errorf("repository %s: %w", s.Name, err)
		}
		branch := s.Branch
		if branch == "" {
			if branch, err = repo.DefaultBranch(); err != nil {
				return fmt.Errorf("repository %s: %w", s.Name, err)
			}
		}
		tip, err := repo.Resolve(branch)
		if err != nil {
			return fmt.Errorf("repository %s: %w", s.Name, err)
		}
		tree, err := repo.FS(tip)
		if err != nil {
			return fmt.Errorf("repository %s: %w", s.Name, err)
		}
		if _, err := config.Load(tree); err != nil { // it may be mended while the service runs
			log.Warn("nothing is worked out in a repository without a valid configuration", "repository", s.Name, "branch", branch, "error", err)
		}
	}
	return nil
}

func (r *repositories) open(ctx context.Context, s config.ServedRepository) (chosen, error) {
	if s.Path != "" {
		return chosen{s, s.Path}, nil
	}
	clone, err := r.mirror(ctx, s.Name)
	if err != nil {
		return chosen{}, fmt.Errorf("repository %s: %w", s.Name, err)
	}
	return chosen{s, clone}, nil
}

// services are the names that a repository's configuration, or the operator's, gives its services.
func (r *repositories) services(ctx context.Context, s config.ServedRepository) ([]string, error) {
	if len(s.Services) > 0 {
		return s.Services, nil
	}
	c, err := r.open(ctx, s)
	if err != nil {
		return nil, err
	}
	repo, err := gitrepo.Open(c.clone)
	if err != nil {
		return nil, fmt.Errorf("repository %s: %w", s.Name, err)
	}
	branch := s.Branch
	if branch == "" {
		if branch, err = repo.DefaultBranch(); err != nil {
			return nil, fmt.Errorf("repository %s: %w", s.Name, err)
		}
	}
	tip, err := repo.Resolve(branch)
	if err != nil {
		return nil, fmt.Errorf("repository %s: %w", s.Name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if k, ok := r.known[s.Name]; ok && k.tip == tip {
		return k.conf.ServiceNames(), nil
	}
	tree, err := repo.FS(tip)
	if err != nil {
		return nil, fmt.Errorf("repository %s: %w", s.Name, err)
	}
	conf, err := config.Load(tree)
	if err != nil {
		// A repository without a valid configuration owns nothing by name.
		conf = config.Config{}
	}
	if r.known == nil {
		r.known = map[string]servedConfig{}
	}
	r.known[s.Name] = servedConfig{tip, conf}
	return conf.ServiceNames(), nil
}
