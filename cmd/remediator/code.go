package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/remediator/remediator/codeindex"
	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/internal/workbench"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/remedy"
)

// code is a repository whose history and places are shown beside a ranking. Nothing in it is built or run.
type code struct {
	repo  *workbench.Repository
	notes []string
	close func() error
}

// openCode clones the repository into a temporary directory, as run does into that of its case.
func openCode(ctx context.Context, path, branch string) (*code, error) {
	dir, err := os.MkdirTemp("", "remediator-code-")
	if err != nil {
		return nil, machineError(err)
	}
	c := &code{close: func() error { return os.RemoveAll(dir) }}
	if c.repo, err = workbench.OpenRepository(ctx, path, filepath.Join(dir, "repository.git"), branch, nil); err == nil {
		c.notes, err = c.repo.LoadConfig()
	}
	if err != nil {
		_ = c.close()
		return nil, inputError(fmt.Errorf("--repo %s: %w", path, err))
	}
	return c, nil
}

// changes fills in what landed before the incident where the bundle does not say.
func (c *code) changes(ctx context.Context, in incident.Incident, ev *localize.Evidence) error {
	if len(ev.Changes) > 0 {
		return nil
	}
	changes, notes, err := c.repo.Changes(ctx, in.StartsAt, 200)
	ev.Changes, c.notes = changes, append(c.notes, notes...)
	return err
}

// locate finds the suspects in the code at the branch.
func (c *code) locate(ctx context.Context, suspects []localize.Suspect, changes []localize.Change) ([]remedy.Suspect, error) {
	ix, err := codeindex.Build(ctx, c.repo.BaseTree(), codeindex.Options{})
	if err != nil {
		return nil, fmt.Errorf("indexing the code at %s: %w", c.repo.Base().Commit, err)
	}
	return remedy.LocateCode(ix, suspects, workbench.Settings(c.repo.Config(), version(), nil).Services, changes), nil
}
