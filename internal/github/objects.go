package github

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"unicode/utf8"

	gh "github.com/google/go-github/v66/github"

	"github.com/remediator/remediator/remedy/docket"
)

const (
	// maxFiles and maxFile bound one commit; GitHub takes blobs of up to 100 MB.
	maxFiles = 3000
	maxFile  = 32 << 20
	// Small text goes into the call that makes the tree, which saves one call a file.
	maxInline    = 64 << 10
	maxInlineSum = 1 << 20

	needContents = "contents: write"
)

// checkFile accepts paths that name a file inside the repository and nothing that git itself reads.
func checkFile(path, mode string) error {
	if !fs.ValidPath(path) || path == "." || strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("github: %q is not a path inside the repository", cutRunes(oneLine(path), 100))
	}
	for part := range strings.SplitSeq(path, "/") {
		if strings.EqualFold(part, ".git") {
			return fmt.Errorf("github: %q reaches into git's own directory", cutRunes(oneLine(path), 100))
		}
	}
	if strings.HasPrefix(strings.ToLower(path), ".github/workflows/") {
		return fmt.Errorf("%w: %q is a workflow, and workflows are never changed", docket.ErrForbidden, cutRunes(oneLine(path), 100))
	}
	if mode != "100644" && mode != "100755" {
		return fmt.Errorf("github: %q has mode %q; files and executables are all that is written", cutRunes(oneLine(path), 100), cutRunes(oneLine(mode), 20))
	}
	return nil
}

// ensureCommit makes the change's commit at GitHub, where it may be already, without pointing anything to it.
func (t *target) ensureCommit(ctx context.Context, c docket.Change) error {
	object, err := checkChange(c)
	if err != nil {
		return err
	}
	if _, _, err := t.Git.GetCommit(ctx, t.owner, t.name, c.SHA); err == nil {
		return nil
	} else if s := statusOf(err); s != http.StatusNotFound && s != http.StatusUnprocessableEntity && s != http.StatusConflict {
		return explain(err, "looking for commit "+c.SHA[:12], "contents: read")
	}
	base, _, err := t.Git.GetCommit(ctx, t.owner, t.name, c.Base)
	switch statusOf(err) {
	case http.StatusNotFound, http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: its commit %s is not in %s (any more); work the case out again", docket.ErrBaseMoved, c.Base[:12], t.full)
	}
	if err != nil {
		return explain(err, "looking for the base commit", "contents: read")
	}
	tree, err := t.writeTree(ctx, base.GetTree().GetSHA(), c.Files, true)
	if err != nil {
		return err
	}
	if tree != c.Tree {
		return fmt.Errorf("github: GitHub made tree %s from the files instead of %s; the change does not hold all that the commit changes, so nothing was proposed", tree, c.Tree)
	}
	// An armored signature ends in a line break where it was made and not where git keeps it. Which of the two GitHub
	// expects shows in the hash; a commit that nothing points to does no harm.
	signatures := []string{object.signature}
	if object.signature != "" {
		signatures = append(signatures, object.signature+"\n")
	}
	made, refused := "", error(nil)
	for _, signature := range signatures {
		sha, err := t.writeCommit(ctx, object, signature)
		switch {
		case refusesCommit(err):
			refused = err
		case err != nil:
			return explain(err, "making the commit in "+t.full, needContents)
		case sha == c.SHA:
			return nil
		default:
			made = sha
		}
	}
	if made == "" {
		return fmt.Errorf("%w: github: GitHub refuses %s: %s", errOtherCommit, c.SHA, words(refused))
	}
	return fmt.Errorf("%w: github: GitHub makes it %s and not %s, to which the evidence is bound: it changed the message, a name, a time or the signature",
		errOtherCommit, cutRunes(oneLine(made), 64), c.SHA)
}

func (t *target) writeCommit(ctx context.Context, o *commitObject, signature string) (string, error) {
	commit := &gh.Commit{
		Message: gh.String(o.message), Tree: &gh.Tree{SHA: gh.String(o.tree)},
		Author: author(o.author), Committer: author(o.committer),
	}
	for _, p := range o.parents {
		commit.Parents = append(commit.Parents, &gh.Commit{SHA: gh.String(p)})
	}
	if signature != "" {
		commit.Verification = &gh.SignatureVerification{Signature: gh.String(signature)}
	}
	made, _, err := t.Git.CreateCommit(ctx, t.owner, t.name, commit, nil)
	return made.GetSHA(), err
}

func author(p person) *gh.CommitAuthor {
	return &gh.CommitAuthor{Name: gh.String(p.name), Email: gh.String(p.email), Date: &gh.Timestamp{Time: p.when}}
}

// writeTree makes a tree from files on top of another one, "" for none, and returns its hash.
func (t *target) writeTree(ctx context.Context, base string, files []docket.FileChange, blobs bool) (string, error) {
	if len(files) > maxFiles {
		return "", fmt.Errorf("github: %d files are more than the %d that one commit may hold", len(files), maxFiles)
	}
	var entries []*gh.TreeEntry
	inlined := 0
	for _, f := range files {
		if f.Deleted {
			f.Mode = "100644"
		}
		if err := checkFile(f.Path, f.Mode); err != nil {
			return "", err
		}
		e := &gh.TreeEntry{Path: gh.String(f.Path), Mode: gh.String(f.Mode), Type: gh.String("blob")}
		switch {
		case f.Deleted:
		case len(f.Content) > maxFile:
			return "", fmt.Errorf("github: %s is larger than %d MiB", f.Path, maxFile>>20)
		case !blobs && utf8.Valid(f.Content) && len(f.Content) <= maxInline && inlined+len(f.Content) <= maxInlineSum:
			inlined += len(f.Content)
			e.Content = gh.String(string(f.Content))
		default:
			blob, _, err := t.Git.CreateBlob(ctx, t.owner, t.name, &gh.Blob{
				Content: gh.String(base64.StdEncoding.EncodeToString(f.Content)), Encoding: gh.String("base64"),
			})
			if err != nil {
				return "", explain(err, "storing "+f.Path+" in "+t.full, needContents)
			}
			if want := objectHash("blob", f.Content); blob.GetSHA() != want {
				return "", fmt.Errorf("github: %s was stored as %s instead of %s", f.Path, cutRunes(oneLine(blob.GetSHA()), 64), want)
			}
			e.SHA = blob.SHA
		}
		entries = append(entries, e)
	}
	if len(entries) == 0 {
		return "", errors.New("github: there are no files to make a tree of")
	}
	tree, _, err := t.Git.CreateTree(ctx, t.owner, t.name, base, entries)
	if err != nil {
		return "", explain(err, "making the tree in "+t.full, needContents)
	}
	return tree.GetSHA(), nil
}
