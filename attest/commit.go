package attest

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
	"github.com/hiddeco/sshsig"
)

// CommitReader reads commits of the repository that a proposal was made in.
type CommitReader interface {
	// CommitObject returns the bytes of a commit object, without git's header.
	CommitObject(sha string) ([]byte, error)
	// Changes returns what a commit changes against its first parent, by path, without
	// looking for renames. Contents must have been checked against their hashes.
	Changes(sha string) ([]FileChange, error)
}

// FileChange is one path that differs between two trees.
type FileChange struct {
	Path             string
	OldMode, NewMode uint32 // git's; 0 where the file is absent
	Old, New         []byte // nil where the file is absent
}

// maxDiff bounds the diff that is compared with the commit.
const maxDiff = 16 << 20

// commit checks everything that the statement says about the commit.
func (v *verification) commit(s Statement) {
	if s.Subject.Commit == "" {
		return
	}
	if v.check.Commits == nil {
		v.claim("commit", errors.New("no repository was given, so the commit was not looked at"), "")
		return
	}
	raw, err := v.check.Commits.CommitObject(s.Subject.Commit)
	var c commitObject
	if err == nil {
		c, err = parseCommit(raw)
	}
	if err == nil && c.sha != s.Subject.Commit {
		err = fmt.Errorf("the object's hash is %s, signed was %s", c.sha, s.Subject.Commit)
	}
	if !v.claim("commit", err, s.Subject.Commit+" is in the repository and has the hash that was signed") {
		return
	}
	if c.tree != s.Subject.Tree {
		err = fmt.Errorf("the commit's tree is %s, signed was %s", c.tree, s.Subject.Tree)
	}
	v.claim("commit.tree", err, "the commit's tree is "+c.tree+" as signed")
	err = nil
	if base := s.Predicate.Base; len(c.parents) != 1 || base != "" && c.parents[0] != base {
		err = fmt.Errorf("the commit's parents are %s, signed was %q alone", strings.Join(c.parents, ", "), base)
	}
	v.claim("commit.parent", err, "the commit stands on the base that was signed")
	v.commitSignature(s, c)
	v.claim("commit.diff", v.diff(s), DiffFile+" applied to the commit's parent gives the commit's files, all of them and no others")
}

func (v *verification) commitSignature(s Statement, c commitObject) {
	const name = "commit.signature"
	switch by := s.Predicate.Commit.By; {
	case by == ByEvidenceKey:
		v.claim(name, v.check.Key.verifyCommit(c), "the commit is signed by the given key, as git verify-commit checks it")
	case by == ByUserKey && c.signature != nil:
		v.claim(name, nil, "the commit is signed by the user's own key, which is not known here; check it with git verify-commit")
	case by == "" && c.signature == nil:
		v.claim(name, nil, "the commit is not signed itself, as the statement says; the statement binds it")
	default:
		v.claim(name, fmt.Errorf("the statement says the commit is signed by %q; that is not what the commit shows", by), "")
	}
}

// verifyCommit checks an SSH signature over a commit.
func (p *PublicKey) verifyCommit(c commitObject) error {
	if c.signature == nil {
		return errors.New("the commit is not signed")
	}
	sig, err := sshsig.Unarmor(c.signature)
	if err != nil {
		return fmt.Errorf("the commit's signature is not OpenSSH's: %w", err)
	}
	if err := sshsig.Verify(bytes.NewReader(c.signed), sig, p.ssh, sig.HashAlgorithm, gitNamespace); err != nil {
		return fmt.Errorf("the commit's signature is not the given key's: %w", err)
	}
	return nil
}

// commitObject is a commit as far as it is checked.
type commitObject struct {
	sha, tree string
	parents   []string
	signature []byte // armored; nil when there is none
	signed    []byte // what the signature covers: the object without it
}

// parseCommit reads a commit object. Header lines that continue start with a blank (gitformat-signature).
func parseCommit(raw []byte) (commitObject, error) {
	h := sha1.New() // git's own hash; what binds it is the signed statement
	fmt.Fprintf(h, "commit %d\x00", len(raw))
	h.Write(raw)
	c := commitObject{sha: hex.EncodeToString(h.Sum(nil))}
	header, _, ok := bytes.Cut(raw, []byte("\n\n"))
	if !ok {
		return c, errors.New("not a commit object")
	}
	signed := make([]byte, 0, len(raw))
	key := ""
	for line := range bytes.Lines(raw[:len(header)+1]) {
		if line[0] == ' ' && key == "gpgsig" {
			c.signature = append(c.signature, line[1:]...)
			continue
		}
		if line[0] != ' ' {
			name, value, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
			key = name
			switch name {
			case "tree":
				c.tree = value
			case "parent":
				c.parents = append(c.parents, value)
			case "gpgsig":
				if c.signature != nil {
					return c, errors.New("the commit has two signatures")
				}
				c.signature = []byte(value + "\n")
				continue
			}
		}
		signed = append(signed, line...)
	}
	c.signed = append(signed, raw[len(header)+1:]...)
	return c, nil
}

// diff applies the case's diff to what the commit started from and compares the outcome. Texts
// of diffs may differ and mean the same; what they make of the files may not.
func (v *verification) diff(s Statement) error {
	if v.check.Dir == nil {
		return errors.New("no directory was given, so there is no diff to compare")
	}
	text, err := readFile(v.check.Dir, DiffFile, maxDiff)
	if err != nil {
		return fmt.Errorf("%s: %w", DiffFile, err)
	}
	if sum := sha256Hex(text); sum != s.Predicate.Diff.SHA256 {
		return fmt.Errorf("%s has SHA-256 %s, signed was %s", DiffFile, sum, s.Predicate.Diff.SHA256)
	}
	files, _, err := gitdiff.Parse(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("%s: %w", DiffFile, err)
	}
	changes, err := v.check.Commits.Changes(s.Subject.Commit)
	if err != nil {
		return err
	}
	left := map[string]FileChange{}
	for _, c := range changes {
		left[c.Path] = c
	}
	for _, f := range files {
		if err := applied(f, left); err != nil {
			return err
		}
	}
	if len(left) > 0 {
		var names []string
		for name := range left {
			names = append(names, name)
		}
		slices.Sort(names)
		return fmt.Errorf("the commit changes %s, the diff does not", strings.Join(names[:min(len(names), 10)], ", "))
	}
	return nil
}

// applied checks one file of the diff and takes its paths off the list.
func applied(f *gitdiff.File, left map[string]FileChange) error {
	oldName, newName := f.OldName, f.NewName
	if f.IsNew {
		oldName = newName
	}
	if f.IsDelete {
		newName = oldName
	}
	to, ok := left[newName]
	if !ok {
		return fmt.Errorf("the diff changes %s, the commit does not", newName)
	}
	from := to
	if f.IsRename {
		if from, ok = left[oldName]; !ok || from.New != nil || to.Old != nil {
			return fmt.Errorf("the diff renames %s, the commit does not", oldName)
		}
		delete(left, oldName)
	}
	delete(left, newName)
	if f.IsBinary {
		return fmt.Errorf("%s is binary; its change cannot be compared", newName)
	}
	if (from.Old == nil) != f.IsNew || (to.New == nil) != f.IsDelete {
		return fmt.Errorf("%s is added or deleted by only one of diff and commit", newName)
	}
	if err := sameModes(f, from, to); err != nil {
		return fmt.Errorf("%s: %w", newName, err)
	}
	var out bytes.Buffer
	if err := gitdiff.Apply(&out, bytes.NewReader(from.Old), f); err != nil {
		return fmt.Errorf("the diff does not apply to %s of the parent: %w", oldName, err)
	}
	if !bytes.Equal(out.Bytes(), to.New) {
		return fmt.Errorf("the diff makes another %s than the commit holds", newName)
	}
	return nil
}

// sameModes compares the modes the diff asks for with those in the trees.
func sameModes(f *gitdiff.File, from, to FileChange) error {
	if f.IsDelete {
		return nil
	}
	want := from.OldMode
	if f.NewMode != 0 {
		want = gitMode(f.NewMode)
	}
	if to.NewMode != want {
		return fmt.Errorf("the mode is %o, by the diff it is %o", to.NewMode, want)
	}
	return nil
}

// gitMode undoes go-gitdiff's reading of a mode line, which keeps git's octal number.
func gitMode(m fs.FileMode) uint32 {
	if uint32(m)&0o170000 != 0 {
		return uint32(m)
	}
	return 0o100000 | uint32(m.Perm())
}
