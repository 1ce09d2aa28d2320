package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/object"
)

// BranchPrefix starts the names of all branches that are proposed.
const BranchPrefix = "remediator/"

// branchDigits of a fingerprint make a branch name: 48 bits tell more incidents apart than a
// repository will see.
const branchDigits = 12

var hexDigits = regexp.MustCompile(`^[0-9a-f]{12,64}$`)

// BranchName is the branch of an incident. It depends on nothing else, so that the branch itself
// says whether an incident was handled before.
func BranchName(fingerprint string) (string, error) {
	if !hexDigits.MatchString(fingerprint) {
		return "", fmt.Errorf("%q is not a fingerprint: at least %d lower-case hex digits are needed", shorten(fingerprint), branchDigits)
	}
	return BranchPrefix + fingerprint[:branchDigits], nil
}

// ErrForeignBranch is wrapped when a branch holds commits that a person made or changed.
var ErrForeignBranch = errors.New("the branch holds commits that were not made here")

// CreateBranch points a branch at a commit of this repository. A branch that exists is moved only
// if everything on it beyond the commit's parent was made here by the same committer for the same case;
// otherwise the error wraps ErrForeignBranch and nothing changes.
func (r *Repo) CreateBranch(ctx context.Context, name, sha string) error {
	if !strings.HasPrefix(name, BranchPrefix) {
		return fmt.Errorf("branch %q does not start with %s", shorten(name), BranchPrefix)
	}
	if _, err := r.git.run(ctx, r.path, nil, "check-ref-format", "--branch", name); err != nil {
		return fmt.Errorf("branch name: %w", err)
	}
	commit, err := r.commit(sha)
	if err != nil {
		return err
	}
	ref := "refs/heads/" + name
	old, err := r.git.text(ctx, r.path, "rev-parse", "--verify", "--quiet", ref+"^{commit}")
	switch {
	case exited(err, 1):
		old = strings.Repeat("0", 40)
	case err != nil:
		return err
	case old == commit.Hash.String():
		return nil
	default:
		if err := r.checkOurs(ctx, name, old, commit); err != nil {
			return err
		}
	}
	if err := r.checkNotCheckedOut(ctx, name); err != nil {
		return err
	}
	// The old value makes the update fail if somebody else moved the branch meanwhile.
	if _, err := r.git.run(ctx, r.path, nil, "update-ref", "-m", "remediator: propose", ref, commit.Hash.String(), old); err != nil {
		return fmt.Errorf("create branch %s in %s: %w", name, r.path, err)
	}
	return nil
}

// checkOurs looks at every commit that moving the branch would drop.
func (r *Repo) checkOurs(ctx context.Context, name, tip string, next *object.Commit) error {
	args := []string{"rev-list", "--max-count=100", tip, "--not", next.Hash.String()}
	for _, p := range next.ParentHashes {
		args = append(args, p.String())
	}
	out, err := r.git.run(ctx, r.path, nil, append(args, "--")...)
	if err != nil {
		return err
	}
	for sha := range strings.FieldsSeq(string(out)) {
		c, err := r.commit(sha)
		if err != nil {
			return err
		}
		if c.Committer.Email != next.Committer.Email || caseOf(c.Message) == "" || caseOf(c.Message) != caseOf(next.Message) {
			return fmt.Errorf("%w: %s in %s has %s by %s; merge or delete the branch first",
				ErrForeignBranch, name, r.path, sha[:12], shorten(c.Committer.Name))
		}
	}
	return nil
}

// caseOf finds the case's trailer in a message.
func caseOf(message string) string {
	found := ""
	for line := range strings.SplitSeq(message, "\n") {
		if rest, ok := strings.CutPrefix(line, CaseTrailer+": "); ok {
			found = strings.TrimSpace(rest)
		}
	}
	return found
}

// checkNotCheckedOut refuses a branch that a work tree shows: moving it would make that work
// tree look edited.
func (r *Repo) checkNotCheckedOut(ctx context.Context, name string) error {
	out, err := r.git.run(ctx, r.path, nil, "worktree", "list", "--porcelain")
	if err != nil {
		return err
	}
	tree, bare := "", false
	for line := range strings.SplitSeq(string(out), "\n") {
		if rest, ok := strings.CutPrefix(line, "worktree "); ok {
			tree, bare = rest, false
		}
		bare = bare || line == "bare"
		if line == "branch refs/heads/"+name && !bare {
			return fmt.Errorf("branch %s is checked out in %s; switch to another branch there first", name, tree)
		}
	}
	return nil
}

// Propose copies a commit of this repository into another one and points the branch at it there.
// Objects and one reference are all that changes: work trees, index, HEAD and configuration
// stay as they are, no hook runs. The commit's parents must be there already.
func (r *Repo) Propose(ctx context.Context, into *Repo, branch, sha string) error {
	commit, err := r.commit(sha)
	if err != nil {
		return err
	}
	var revisions bytes.Buffer
	fmt.Fprintln(&revisions, commit.Hash)
	for _, p := range commit.ParentHashes {
		if _, err := into.Resolve(p.String()); err != nil {
			return fmt.Errorf("propose %s: %w", branch, err)
		}
		fmt.Fprintln(&revisions, "^"+p.String())
	}
	pack, err := r.git.run(ctx, r.path, &revisions, "pack-objects", "--quiet", "--stdout", "--revs")
	if err != nil {
		return fmt.Errorf("propose %s: %w", branch, err)
	}
	// --strict refuses objects that are broken or point at missing ones.
	if _, err := into.git.run(ctx, into.path, bytes.NewReader(pack), "unpack-objects", "-q", "--strict"); err != nil {
		return fmt.Errorf("propose %s: %w", branch, err)
	}
	// go-git keeps a list of packs and objects; look again so that it sees the new ones.
	fresh, err := Open(into.path, WithGit(into.git.path))
	if err != nil {
		return err
	}
	return fresh.CreateBranch(ctx, branch, commit.Hash.String())
}
