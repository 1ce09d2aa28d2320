package github

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	gh "github.com/google/go-github/v66/github"

	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
)

// maxEvidence bounds the files of one case.
const maxEvidence = 64 << 20

// EnsureEvidence implements [docket.Forge]. The files become a commit without a parent under a reference
// of their own, which is on no branch, so that nobody merges it by accident. The reference is the tool's
// alone; it is moved whenever the files changed.
func (c *Client) EnsureEvidence(ctx context.Context, repo, fingerprint string, files map[string][]byte) error {
	if !fingerprintHex.MatchString(fingerprint) {
		return fmt.Errorf("github: %q is not a fingerprint", cutRunes(oneLine(fingerprint), 80))
	}
	if len(files) == 0 {
		return errors.New("github: there is no evidence to keep")
	}
	var list []docket.FileChange
	size := 0
	for path, content := range files {
		if err := checkFile(path, "100644"); err != nil {
			return err
		}
		size += len(content)
		list = append(list, docket.FileChange{Path: path, Mode: "100644", Content: content})
	}
	if size > maxEvidence {
		return fmt.Errorf("github: the evidence is %d MiB, more than the %d that are kept", size>>20, maxEvidence>>20)
	}
	slices.SortFunc(list, func(a, b docket.FileChange) int { return strings.Compare(a.Path, b.Path) })
	tree, err := treeHash(list)
	if err != nil {
		return err
	}
	if err := c.allow(repo, remedy.Branch, "keeping the evidence"); err != nil {
		return err
	}
	ref := "refs/remediator/" + fingerprint
	return c.settle(ctx, func(ctx context.Context) error {
		t, err := c.target(ctx, repo)
		if err != nil {
			return err
		}
		head, err := t.head(ctx, ref)
		if err != nil {
			return err
		}
		if head != "" {
			now, _, err := t.Git.GetCommit(ctx, t.owner, t.name, head)
			if err != nil {
				return explain(err, "reading "+ref+" of "+repo, "contents: read")
			}
			if now.GetTree().GetSHA() == tree {
				return nil
			}
		}
		made, err := t.writeTree(ctx, "", list, false)
		if err != nil {
			return err
		}
		if made != tree {
			return fmt.Errorf("github: GitHub made tree %s of the evidence instead of %s", made, tree)
		}
		who := person{name: "remediator", email: committerEmail, when: c.options.Now().UTC()}
		commit, err := t.writeCommit(ctx, &commitObject{
			tree: tree, author: who, committer: who,
			message: "Evidence of case " + fingerprint + "\n\n" + caseTrailer + fingerprint + "\n",
		}, "")
		if err != nil {
			return explain(err, "making the evidence's commit in "+repo, needContents)
		}
		if head == "" {
			return t.createRef(ctx, ref, commit)
		}
		_, _, err = t.Git.UpdateRef(ctx, t.owner, t.name, &gh.Reference{Ref: gh.String(ref), Object: &gh.GitObject{SHA: gh.String(commit)}}, true)
		return explain(err, "moving "+ref+" of "+repo, needContents)
	})
}

// treeHash is the hash of the tree that the files make, sorted by path.
func treeHash(files []docket.FileChange) (string, error) {
	type entry struct{ name, mode, hash string }
	var entries []entry
	for i := 0; i < len(files); {
		name, rest, nested := strings.Cut(files[i].Path, "/")
		if !nested {
			if len(entries) > 0 && entries[len(entries)-1].name == name {
				return "", fmt.Errorf("github: %q is both a file and a directory", cutRunes(oneLine(name), 100))
			}
			entries = append(entries, entry{name, files[i].Mode, objectHash("blob", files[i].Content)})
			i++
			continue
		}
		var inside []docket.FileChange
		for ; i < len(files) && strings.HasPrefix(files[i].Path, name+"/"); i++ {
			f := files[i]
			f.Path = strings.TrimPrefix(f.Path, name+"/")
			inside = append(inside, f)
		}
		if rest == "" {
			return "", errors.New("github: a path ends in a slash")
		}
		hash, err := treeHash(inside)
		if err != nil {
			return "", err
		}
		for _, e := range entries {
			if e.name == name {
				return "", fmt.Errorf("github: %q is both a file and a directory, or is listed out of order", cutRunes(oneLine(name), 100))
			}
		}
		entries = append(entries, entry{name, "40000", hash})
	}
	// Git sorts directories as if their names ended in a slash.
	key := func(e entry) string {
		if e.mode == "40000" {
			return e.name + "/"
		}
		return e.name
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(key(a), key(b)) })
	var b bytes.Buffer
	for _, e := range entries {
		raw, err := hex.DecodeString(e.hash)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s %s\x00", e.mode, e.name)
		b.Write(raw)
	}
	return objectHash("tree", b.Bytes()), nil
}
