package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/remediator/remediator/patch"
)

// CaseTrailer is the line of a commit's message that ties it to the incident. Together with the
// committer it marks the commits that may be replaced.
const CaseTrailer = "Remediator-Case"

// Identity is who a commit says made it.
type Identity struct{ Name, Email string }

// Signer makes the detached, armored signature of a commit, as git stores it.
type Signer interface {
	Sign(message io.Reader) ([]byte, error)
}

// Draft is a commit to be made. For the same draft, and a signer that is deterministic, the
// commit is the same down to its hash.
type Draft struct {
	Base    string // revision of the parent
	Edits   []patch.FileEdit
	Message string
	Case    string // the incident's fingerprint, put into the message as a trailer
	Author  Identity
	When    time.Time // written in UTC, whole seconds
	Signer  Signer    // nil leaves the commit unsigned
}

// Made is a commit that was made.
type Made struct {
	SHA    string
	Tree   string
	Parent string
}

// Commit writes the objects of one commit. No work tree, index or reference changes. The old
// content of every edit must be what the base holds.
func (r *Repo) Commit(ctx context.Context, d Draft) (Made, error) {
	base, err := r.commit(d.Base)
	if err != nil {
		return Made{}, err
	}
	if err := d.check(); err != nil {
		return Made{}, fmt.Errorf("commit: %w", err)
	}
	root := &node{hash: base.TreeHash, mode: filemode.Dir}
	for _, e := range d.Edits {
		if err := ctx.Err(); err != nil {
			return Made{}, err
		}
		if err := r.edit(root, e); err != nil {
			return Made{}, fmt.Errorf("commit: %s: %w", e.Path, err)
		}
	}
	tree, err := r.writeTree(root)
	if err != nil {
		return Made{}, fmt.Errorf("commit: %w", err)
	}
	if tree == base.TreeHash {
		return Made{}, errors.New("commit: the edits change nothing")
	}
	who := object.Signature{Name: d.Author.Name, Email: d.Author.Email, When: d.When.UTC().Truncate(time.Second)}
	c := &object.Commit{
		Author: who, Committer: who, TreeHash: tree,
		ParentHashes: []plumbing.Hash{base.Hash},
		Message:      withTrailer(d.Message, d.Case),
	}
	if d.Signer != nil {
		if err := sign(c, d.Signer); err != nil {
			return Made{}, err
		}
	}
	o := &plumbing.MemoryObject{}
	if err := c.Encode(o); err != nil {
		return Made{}, fmt.Errorf("commit: %w", err)
	}
	hash, err := r.write(o)
	if err != nil {
		return Made{}, fmt.Errorf("commit: %w", err)
	}
	return Made{SHA: hash.String(), Tree: tree.String(), Parent: base.Hash.String()}, nil
}

func sign(c *object.Commit, signer Signer) error {
	o := &plumbing.MemoryObject{}
	if err := c.EncodeWithoutSignature(o); err != nil {
		return fmt.Errorf("sign commit: %w", err)
	}
	reader, err := o.Reader()
	if err != nil {
		return fmt.Errorf("sign commit: %w", err)
	}
	signature, err := signer.Sign(reader)
	if err != nil {
		return fmt.Errorf("sign commit: %w", err)
	}
	c.PGPSignature = strings.TrimRight(string(signature), "\n") + "\n"
	return nil
}

func (d Draft) check() error {
	for _, text := range []string{d.Author.Name, d.Author.Email} {
		if strings.TrimSpace(text) == "" || strings.ContainsAny(text, "<>\n\r\x00") {
			return fmt.Errorf("%q cannot stand in a commit as author; give a name and an address without <, > and line breaks", text)
		}
	}
	if strings.TrimSpace(d.Message) == "" || strings.ContainsRune(d.Message, 0) {
		return errors.New("the message is empty or holds a zero byte")
	}
	if strings.ContainsAny(d.Case, "\n\r\x00") {
		return errors.New("the case's name holds a line break")
	}
	if d.When.IsZero() {
		return errors.New("the time is missing")
	}
	return nil
}

// withTrailer ends the message with the case's trailer, in the paragraph of trailers if it has one.
func withTrailer(message, caseName string) string {
	message = strings.TrimSpace(message)
	line := CaseTrailer + ": " + caseName
	if caseName == "" || slices.Contains(strings.Split(message, "\n"), line) {
		return message + "\n"
	}
	separator := "\n\n"
	if i := strings.LastIndex(message, "\n\n"); i >= 0 && allTrailers(message[i+2:]) {
		separator = "\n"
	}
	return message + separator + line + "\n"
}

func allTrailers(paragraph string) bool {
	for line := range strings.SplitSeq(paragraph, "\n") {
		key, _, ok := strings.Cut(line, ": ")
		if !ok || key == "" || strings.ContainsAny(key, " \t") {
			return false
		}
	}
	return true
}

// node is a tree under construction. Children are loaded when an edit reaches into it.
type node struct {
	hash     plumbing.Hash
	mode     filemode.FileMode
	children map[string]*node // nil while it is as stored
}

// load reads the entries of a stored tree.
func (r *Repo) load(n *node) error {
	if n.children != nil {
		return nil
	}
	n.children = map[string]*node{}
	if n.hash == plumbing.ZeroHash {
		return nil // a new directory
	}
	t, err := r.tree(n.hash)
	if err != nil {
		return err
	}
	for _, e := range t.Entries {
		n.children[e.Name] = &node{hash: e.Hash, mode: e.Mode}
	}
	return nil
}

// edit applies one edit below root.
func (r *Repo) edit(root *node, e patch.FileEdit) error {
	if !fs.ValidPath(e.Path) || e.Path == "." {
		return errors.New("is not a path inside the repository")
	}
	parts := strings.Split(e.Path, "/")
	for _, part := range parts {
		if err := checkName(part); err != nil {
			return err
		}
	}
	dir := root
	for _, part := range parts[:len(parts)-1] {
		if err := r.load(dir); err != nil {
			return err
		}
		child, ok := dir.children[part]
		switch {
		case !ok && e.Old != nil:
			return errors.New("does not exist in the base")
		case !ok:
			child = &node{mode: filemode.Dir}
			dir.children[part] = child
		case child.mode != filemode.Dir:
			return fmt.Errorf("%s is not a directory in the base; links are not followed", part)
		}
		dir = child
	}
	if err := r.load(dir); err != nil {
		return err
	}
	return r.replace(dir, parts[len(parts)-1], e)
}

// replace swaps one file for its new content, after a look at the old one.
func (r *Repo) replace(dir *node, name string, e patch.FileEdit) error {
	old, exists := dir.children[name]
	switch {
	case exists && e.Old == nil:
		return errors.New("exists in the base already")
	case !exists && e.Old != nil:
		return errors.New("does not exist in the base")
	case exists && old.mode != filemode.Regular && old.mode != filemode.Executable && old.mode != filemode.Deprecated:
		return errors.New("is not a regular file in the base")
	case !exists && e.New == nil:
		return errors.New("the edit neither adds nor removes anything")
	}
	if exists && plumbing.ComputeHash(plumbing.BlobObject, e.Old) != old.hash {
		return errors.New("has other content in the base than the edit was made for")
	}
	if e.New == nil {
		delete(dir.children, name)
		return nil
	}
	mode := filemode.Regular
	switch e.Mode {
	case 0:
		if exists {
			mode = old.mode
		}
	case 0o100644:
	case 0o100755:
		mode = filemode.Executable
	default:
		return fmt.Errorf("mode %o is neither 100644 nor 100755", e.Mode)
	}
	o := &plumbing.MemoryObject{}
	o.SetType(plumbing.BlobObject)
	if _, err := o.Write(e.New); err != nil {
		return err
	}
	hash, err := r.write(o)
	if err != nil {
		return err
	}
	dir.children[name] = &node{hash: hash, mode: mode}
	return nil
}

// writeTree stores the trees that changed. Directories that became empty disappear, as in git.
func (r *Repo) writeTree(n *node) (plumbing.Hash, error) {
	if n.children == nil {
		return n.hash, nil
	}
	t := &object.Tree{}
	for name, child := range n.children {
		hash := child.hash
		if child.mode == filemode.Dir {
			var err error
			if hash, err = r.writeTree(child); err != nil {
				return hash, err
			}
			if hash == plumbing.ZeroHash {
				continue
			}
		}
		t.Entries = append(t.Entries, object.TreeEntry{Name: name, Mode: child.mode, Hash: hash})
	}
	if len(t.Entries) == 0 {
		return plumbing.ZeroHash, nil
	}
	slices.SortFunc(t.Entries, func(a, b object.TreeEntry) int { return bytes.Compare(sortKey(a), sortKey(b)) })
	o := &plumbing.MemoryObject{}
	if err := t.Encode(o); err != nil {
		return plumbing.ZeroHash, err
	}
	return r.write(o)
}

// sortKey orders entries as git does: directories as if their name ended in a slash.
func sortKey(e object.TreeEntry) []byte {
	if e.Mode == filemode.Dir {
		return []byte(e.Name + "/")
	}
	return []byte(e.Name)
}

// write stores an object unless the repository has it.
func (r *Repo) write(o plumbing.EncodedObject) (plumbing.Hash, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.objects.Storer.HasEncodedObject(o.Hash()) == nil {
		return o.Hash(), nil
	}
	return r.objects.Storer.SetEncodedObject(o)
}
