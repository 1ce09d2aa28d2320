package github

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/remediator/remediator/remedy/docket"
)

// errOtherCommit means that the Git data API does not store a commit as it was signed. Its text says how.
var errOtherCommit = errors.New("the signed commit is not stored as it is")

// refusesCommit says whether the API refuses the content of a commit, and not the right to write it.
func refusesCommit(err error) bool {
	s := statusOf(err)
	return s == http.StatusUnprocessableEntity && !says(err, "protected", "rule violation") || s == http.StatusBadRequest
}

// pushCommit brings a commit that the API would not keep as it is to its branch by git's own protocol, which stores an
// object under the hash it has. The objects are made in a directory of their own beside the mirror, from which the base comes; they
// are looked at again there, since nothing but the bound commit may be pushed. The branch moves only if it
// still points to from; "" means that there is none.
func (c *Client) pushCommit(ctx context.Context, repo, ref, from string, change docket.Change) error {
	scratch, err := os.MkdirTemp("", "remediator-push-")
	if err != nil {
		return fmt.Errorf("github: pushing to %s: %w", repo, err)
	}
	defer os.RemoveAll(scratch)
	mirrors := c.options.Mirrors
	if mirrors == "" {
		mirrors = filepath.Join(scratch, "mirrors")
	}
	mirror, err := c.Mirror(ctx, repo, mirrors)
	if err != nil {
		return err
	}
	meta, err := c.Repository(ctx, repo)
	if err != nil {
		return err
	}
	to, trusted, err := c.origin(meta)
	if err != nil {
		return err
	}
	git, err := newProgram()
	if err != nil {
		return err
	}
	dir := filepath.Join(scratch, "objects.git")
	if err := buildCommit(ctx, git, dir, mirror, change); err != nil {
		return fmt.Errorf("github: pushing to %s: %w", repo, err)
	}
	settings, err := c.credentials(ctx, repo, to, trusted, "write")
	if err != nil {
		return err
	}
	_, err = git.run(ctx, dir, to.Scheme, settings, "push", "--quiet", "--no-verify", "--force-with-lease="+ref+":"+from, to.String(), change.SHA+":"+ref)
	if err == nil {
		return nil
	}
	switch said := strings.ToLower(err.Error()); {
	case strings.Contains(said, "stale info"), strings.Contains(said, "cannot lock ref"), strings.Contains(said, "failed to update ref"), strings.Contains(said, "already exists"):
		return errLookAgain
	case strings.Contains(said, "protected branch"), strings.Contains(said, "rule violation"), strings.Contains(said, "gh006"), strings.Contains(said, "gh013"):
		return fmt.Errorf("%w: pushing to %s: a branch protection or ruleset covers the branch; exempt the App from it for %s*: %w", docket.ErrForbidden, repo, branchPrefix, err)
	case strings.Contains(said, "error: 403"), strings.Contains(said, "error: 401"), strings.Contains(said, "authentication failed"), strings.Contains(said, "could not read username"):
		return fmt.Errorf("%w: pushing to %s: the permission %q is missing: %w", docket.ErrForbidden, repo, needContents, err)
	}
	return explain(err, "pushing "+ref+" to "+repo, needContents)
}

// buildCommit makes a bare repository that holds the change's commit and borrows all else from a mirror.
func buildCommit(ctx context.Context, git *program, dir, mirror string, change docket.Change) error {
	if strings.ContainsAny(mirror, "\n\"#") {
		return fmt.Errorf("the path of the mirror, %q, cannot be named to git", mirror)
	}
	if _, err := git.run(ctx, filepath.Dir(dir), "none", nil, "init", "--quiet", "--bare", "--template=", dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "objects", "info"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "objects", "info", "alternates"), []byte(filepath.Join(mirror, "objects")+"\n"), 0o600); err != nil {
		return err
	}
	if _, err := git.run(ctx, dir, "none", nil, "read-tree", change.Base); err != nil {
		return fmt.Errorf("%w: its commit %s is on no branch (any more); work the case out again: %w", docket.ErrBaseMoved, change.Base[:12], err)
	}
	var index bytes.Buffer
	for _, f := range change.Files {
		if f.Deleted {
			fmt.Fprintf(&index, "0 %s\t%s\x00", strings.Repeat("0", 40), f.Path)
			continue
		}
		if err := checkFile(f.Path, f.Mode); err != nil {
			return err
		}
		blob, err := git.feed(ctx, dir, "none", nil, bytes.NewReader(f.Content), "hash-object", "-w", "--no-filters", "--stdin")
		if err != nil {
			return err
		}
		fmt.Fprintf(&index, "%s %s\t%s\x00", f.Mode, blob, f.Path)
	}
	if _, err := git.feed(ctx, dir, "none", nil, &index, "update-index", "-z", "--index-info"); err != nil {
		return err
	}
	switch tree, err := git.run(ctx, dir, "none", nil, "write-tree"); {
	case err != nil:
		return err
	case tree != change.Tree:
		return fmt.Errorf("the files make tree %s and not %s, which the commit holds", tree, change.Tree)
	}
	switch sha, err := git.feed(ctx, dir, "none", nil, bytes.NewReader(change.Commit), "hash-object", "-t", "commit", "-w", "--stdin"); {
	case err != nil:
		return err
	case sha != change.SHA:
		return fmt.Errorf("the commit is %s and not %s, to which the evidence is bound", sha, change.SHA)
	}
	return nil
}
