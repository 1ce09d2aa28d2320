package gitrepo

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/remediator/remediator/attest"
)

// A Repo is what verification reads commits from.
var _ attest.CommitReader = (*Repo)(nil)

// maxChanges bounds how many paths of one commit are compared.
const maxChanges = 10_000

// CommitObject returns the bytes of a commit object, checked against its hash.
func (r *Repo) CommitObject(sha string) ([]byte, error) {
	full, err := r.Resolve(sha)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.object(plumbing.CommitObject, plumbing.NewHash(full))
}

// Changes returns what a commit changes against its first parent, by path. Trees and contents
// are checked against their hashes.
func (r *Repo) Changes(sha string) ([]attest.FileChange, error) {
	c, err := r.commit(sha)
	if err != nil {
		return nil, err
	}
	parent := plumbing.ZeroHash
	if len(c.ParentHashes) > 0 {
		p, err := r.commit(c.ParentHashes[0].String())
		if err != nil {
			return nil, err
		}
		parent = p.TreeHash
	}
	var changes []attest.FileChange
	if err := r.compare(parent, c.TreeHash, "", &changes); err != nil {
		return nil, fmt.Errorf("changes of %s: %w", sha, err)
	}
	slices.SortFunc(changes, func(a, b attest.FileChange) int { return strings.Compare(a.Path, b.Path) })
	return changes, nil
}

// compare walks two trees and skips what has the same hash on both sides.
func (r *Repo) compare(before, after plumbing.Hash, at string, out *[]attest.FileChange) error {
	if before == after {
		return nil
	}
	if strings.Count(at, "/") > 512 {
		return errors.New("directories are nested too deeply")
	}
	old, err := r.entries(before)
	if err != nil {
		return err
	}
	now, err := r.entries(after)
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for name := range old {
		names[name] = true
	}
	for name := range now {
		names[name] = true
	}
	for name := range names {
		if err := r.compareEntry(old[name], now[name], at+name, out); err != nil {
			return err
		}
	}
	return nil
}

func (r *Repo) compareEntry(o, n object.TreeEntry, path string, out *[]attest.FileChange) error {
	if o.Hash == n.Hash && o.Mode == n.Mode {
		return nil
	}
	sub := [2]plumbing.Hash{}
	for i, e := range []object.TreeEntry{o, n} {
		if e.Mode == filemode.Dir {
			sub[i] = e.Hash
		}
	}
	if err := r.compare(sub[0], sub[1], path+"/", out); err != nil {
		return err
	}
	change := attest.FileChange{Path: path}
	var err error
	if change.OldMode, change.Old, err = r.side(o); err != nil {
		return err
	}
	if change.NewMode, change.New, err = r.side(n); err != nil {
		return err
	}
	if change.OldMode == 0 && change.NewMode == 0 {
		return nil // directories on both sides
	}
	if *out = append(*out, change); len(*out) > maxChanges {
		return fmt.Errorf("more than %d paths change", maxChanges)
	}
	return nil
}

// side reads one side of a change; directories count as absent. The content of a submodule is
// the hash it points to.
func (r *Repo) side(e object.TreeEntry) (uint32, []byte, error) {
	switch e.Mode {
	case filemode.Empty, filemode.Dir:
		return 0, nil, nil
	case filemode.Submodule:
		return uint32(e.Mode), []byte(e.Hash.String()), nil
	}
	data, err := r.blob(e.Hash)
	if data == nil {
		data = []byte{}
	}
	return uint32(e.Mode), data, err
}

func (r *Repo) entries(tree plumbing.Hash) (map[string]object.TreeEntry, error) {
	out := map[string]object.TreeEntry{}
	if tree == plumbing.ZeroHash {
		return out, nil
	}
	t, err := r.tree(tree)
	if err != nil {
		return nil, err
	}
	for _, e := range t.Entries {
		out[e.Name] = e
	}
	return out, nil
}
