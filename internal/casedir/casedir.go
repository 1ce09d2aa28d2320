// Package casedir keeps the files of one case in one directory. A run that was killed leaves only
// its work directory behind, which the next run clears; a file of a case is there whole or
// not at all. It must not write anywhere else.
package casedir

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/remediator/remediator/attest"
)

// Names of what a case consists of.
const (
	CaseFile        = "case.json"
	DiffFile        = "patch.diff"
	PullRequestFile = "pull-request.md"
	ReportFile      = "report.html"
	EvidenceFile    = "evidence.sigstore.json"
	KeyFile         = "signing.pub"
	SignersFile     = "allowed_signers"
	RootFile        = "trusted_root.json" // lets cosign verify without the network
	ProposalFile    = "proposal.json"     // what became of it at GitHub; made after everything was signed
	telemetryFile   = "telemetry.tar.zst" // what a service's case drew
	Repository      = "repository.git"
	RepositorySums  = "repository.sha256" // of every file of the clone, as sha256sum writes it
	work            = ".work"
	partialClone    = Repository + ".partial" // of a run that goes on, or was killed
)

var owned = []string{CaseFile, DiffFile, PullRequestFile, ReportFile, EvidenceFile, KeyFile, SignersFile, RootFile, ProposalFile, telemetryFile, Repository, partialClone, RepositorySums, work}

// Dir is an open case directory. It is locked until Close.
type Dir struct {
	Path   string
	unlock func()
	undo   func() // removes the directory if Open made it and nothing is in it
}

// Open takes a directory for a run, making it if need be and clearing what an earlier run of
// this tool left. A directory with anything else in it is refused.
func Open(path string) (_ *Dir, err error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("output directory: %w", err)
	}
	undo, err := MakeAll(abs)
	if err != nil {
		return nil, fmt.Errorf("output directory: %w: choose a directory that can be written with --out", err)
	}
	defer func() {
		if err != nil {
			undo()
		}
	}()
	entries, err := os.ReadDir(abs)
	if err != nil {
		return nil, fmt.Errorf("output directory: %w", err)
	}
	for _, e := range entries {
		if !slices.Contains(owned, e.Name()) {
			return nil, fmt.Errorf("output directory %s holds %q, which remediator did not make: choose an empty directory with --out", path, e.Name())
		}
	}
	if err := ours(filepath.Join(abs, CaseFile)); err != nil {
		return nil, fmt.Errorf("output directory %s: %w: choose an empty directory with --out", path, err)
	}
	if err := os.MkdirAll(filepath.Join(abs, work), 0o755); err != nil {
		return nil, fmt.Errorf("output directory: %w", err)
	}
	unlock, err := lockedfile.MutexAt(filepath.Join(abs, work, "lock")).Lock()
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	d := &Dir{Path: abs, unlock: unlock, undo: undo}
	for _, name := range owned {
		if name == work {
			continue
		}
		if err := os.RemoveAll(filepath.Join(abs, name)); err != nil {
			unlock()
			return nil, fmt.Errorf("clearing %s: %w", name, err)
		}
	}
	if err := d.clearWork(); err != nil {
		unlock()
		return nil, err
	}
	return d, nil
}

// ours says whether a case.json, if there is one, was written by this tool.
func ours(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("its %s is not a regular file", CaseFile)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 200)
	n, _ := io.ReadFull(f, head)
	if !bytes.Contains(head[:n], []byte("remediator.case/")) {
		return fmt.Errorf("it holds a %s that remediator did not write", CaseFile)
	}
	return nil
}

// clearWork empties the work directory but for the lock.
func (d *Dir) clearWork() error {
	entries, err := os.ReadDir(d.Work())
	if err != nil {
		return fmt.Errorf("work directory: %w", err)
	}
	for _, e := range entries {
		if e.Name() == "lock" {
			continue
		}
		p := filepath.Join(d.Work(), e.Name())
		if err := removeAll(p); err != nil {
			return fmt.Errorf("clearing the work directory: %w", err)
		}
	}
	return nil
}

// removeAll also removes directories that a build made read-only, as Go's module cache does.
func removeAll(path string) error {
	if err := os.RemoveAll(path); err == nil {
		return nil
	}
	_ = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(path)
}

// Work is the scratch directory of the run; it is gone after Close.
func (d *Dir) Work() string { return filepath.Join(d.Path, work) }

// File is the path of a file of the case.
func (d *Dir) File(name string) string { return filepath.Join(d.Path, name) }

// Close removes the work directory and lets others in. A directory that Open made, and nothing was put into, goes too.
func (d *Dir) Close() error {
	err := d.clearWork()
	d.unlock()
	err = errors.Join(err, removeAll(d.Work()))
	d.undo()
	return err
}

// Put writes a file of the case, whole or not at all.
func (d *Dir) Put(name string, data []byte) error {
	tmp, err := os.CreateTemp(d.Work(), "put-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(data); err != nil {
		tmp.Close()
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if err := errors.Join(tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if err := os.Rename(tmp.Name(), d.File(name)); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// Seal finishes the clone: with a proposal in it, every file of it is listed with its digest;
// without one it is removed, since it holds nothing that the user's repository does not.
func (d *Dir) Seal(proposed bool) error {
	if !proposed {
		return os.RemoveAll(d.File(Repository))
	}
	sums, err := walkSums(d.File(Repository), nil)
	if err != nil {
		return fmt.Errorf("listing the clone: %w", err)
	}
	return d.Put(RepositorySums, manifest(sums))
}

func manifest(sums []attest.Artifact) []byte {
	var b bytes.Buffer
	for _, s := range sums {
		fmt.Fprintf(&b, "%s  %s/%s\n", s.SHA256, Repository, s.Name)
	}
	return b.Bytes()
}

// CheckRepository compares the clone with the list that Seal wrote.
func CheckRepository(dir string) attest.Claim {
	c := attest.Claim{Name: Repository}
	want, err := os.ReadFile(filepath.Join(dir, RepositorySums))
	if err != nil {
		c.Why = err.Error()
		return c
	}
	sums, err := walkSums(filepath.Join(dir, Repository), nil)
	if err != nil {
		c.Why = err.Error()
		return c
	}
	have := manifest(sums)
	if bytes.Equal(have, want) {
		c.Proved, c.Why = true, fmt.Sprintf("its %d files are those listed in %s", len(sums), RepositorySums)
		return c
	}
	c.Why = "it is not what was signed: " + firstDifference(want, have)
	return c
}

// firstDifference names the first file that was changed, added or removed.
func firstDifference(want, have []byte) string {
	listed := map[string]string{}
	for line := range strings.Lines(string(want)) {
		if sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  "); ok {
			listed[name] = sum
		}
	}
	for line := range strings.Lines(string(have)) {
		sum, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		switch signed, ok := listed[name]; {
		case !ok:
			return name + " was added"
		case signed != sum:
			return name + " was changed"
		}
		delete(listed, name)
	}
	for _, name := range slices.Sorted(maps.Keys(listed)) {
		return name + " is missing"
	}
	return "the list itself is malformed"
}

// Digests lists every file of the case with its SHA-256, in the order of names. Left out are the evidence, which
// will hold the list, the clone, which has a list of its own, and the work directory.
func (d *Dir) Digests() ([]attest.Artifact, error) {
	out, err := walkSums(d.Path, []string{work, EvidenceFile, Repository})
	if err != nil {
		return nil, fmt.Errorf("listing the files of the case: %w", err)
	}
	return out, nil
}

// walkSums lists the files below root, but for those names at its top.
func walkSums(root string, leave []string) ([]attest.Artifact, error) {
	var out []attest.Artifact
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		switch {
		case slices.Contains(leave, rel) && e.IsDir():
			return fs.SkipDir
		case slices.Contains(leave, rel) || e.IsDir():
			return nil
		case !e.Type().IsRegular():
			return fmt.Errorf("%s is not a regular file", rel)
		}
		sum, err := sumFile(p)
		if err != nil {
			return err
		}
		out = append(out, attest.Artifact{Name: filepath.ToSlash(rel), SHA256: sum})
		return nil
	})
	return out, err
}

func sumFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
