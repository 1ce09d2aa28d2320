package workbench

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/hairyhenderson/go-codeowners"

	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/gitrepo"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/remedy"
)

// Author is who the commits of this tool are by.
var author = gitrepo.Identity{Name: "remediator", Email: "remediator@users.noreply.github.com"}

// Repository is a private bare clone in which a case is worked out; it implements
// remedy.Repository.
type Repository struct {
	clone  *gitrepo.Repo
	base   remedy.Revision
	config config.Config
	signer gitrepo.Signer
	tree   fs.FS
}

// OpenRepository clones the repository at src into dst and finds the base: the given branch or revision, else
// the branch that a pull request would target.
func OpenRepository(ctx context.Context, src, dst, branch string, signer gitrepo.Signer) (*Repository, error) {
	source, err := gitrepo.Open(src)
	if err != nil {
		return nil, err
	}
	base := remedy.Revision{Branch: branch}
	if base.Branch == "" {
		if base.Branch, err = source.DefaultBranch(); err != nil {
			return nil, err
		}
	}
	rev := base.Branch
	if rev == "" {
		rev = "HEAD"
	}
	if base.Commit, err = source.Resolve(rev); err != nil {
		return nil, fmt.Errorf("target branch: %w", err)
	}
	clone, err := gitrepo.Clone(ctx, source.Path(), dst)
	if err != nil {
		return nil, err
	}
	r := &Repository{clone: clone, base: base, signer: signer}
	if r.tree, err = clone.FS(base.Commit); err != nil {
		return nil, err
	}
	return r, nil
}

// Base implements remedy.Repository.
func (r *Repository) Base() remedy.Revision { return r.base }

// Clone is the private clone.
func (r *Repository) Clone() *gitrepo.Repo { return r.clone }

// BaseTree is the tree at the base.
func (r *Repository) BaseTree() fs.FS { return r.tree }

// Resolve implements remedy.Repository.
func (r *Repository) Resolve(rev string) (string, error) { return r.clone.Resolve(rev) }

// Tree implements remedy.Repository.
func (r *Repository) Tree(commit string) (fs.FS, error) { return r.clone.FS(commit) }

// Changes implements remedy.Repository.
func (r *Repository) Changes(ctx context.Context, until time.Time, limit int) ([]localize.Change, []string, error) {
	h, err := r.clone.History(ctx, gitrepo.HistoryRange{From: r.base.Commit, Until: until, Max: limit, Owner: r.config.Owner})
	if err != nil {
		return nil, nil, err
	}
	slices.Reverse(h.Changes)
	return h.Changes, h.Notes, nil
}

// Commit implements remedy.Repository.
func (r *Repository) Commit(ctx context.Context, c remedy.NewCommit) (sha, tree string, err error) {
	made, err := r.clone.Commit(ctx, gitrepo.Draft{Base: c.Base, Edits: c.Edits, Message: c.Message, Case: c.Case, Author: author, When: c.When, Signer: r.signer})
	if err != nil {
		return "", "", err
	}
	if err := r.clone.CreateBranch(ctx, c.Branch, made.SHA); err != nil {
		return "", "", err
	}
	return made.SHA, made.Tree, nil
}

// Reviewers implements remedy.Repository: the code owners of the paths.
func (r *Repository) Reviewers(paths []string) []string {
	for _, place := range []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"} {
		f, err := r.tree.Open(place)
		if err != nil {
			continue
		}
		owners, err := codeowners.FromReader(f, "")
		f.Close()
		if err != nil {
			continue
		}
		var out []string
		for _, p := range paths {
			for _, o := range owners.Owners(p) {
				if !slices.Contains(out, o) {
					out = append(out, o)
				}
			}
		}
		slices.Sort(out)
		return out
	}
	return nil
}

// Propose copies the branch into the repository of the user.
func (r *Repository) Propose(ctx context.Context, into, branch, sha string) error {
	target, err := gitrepo.Open(into)
	if err != nil {
		return err
	}
	return r.clone.Propose(ctx, target, branch, sha)
}
