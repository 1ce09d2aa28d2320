// Package casedir keeps the files of one case in one directory. A run that was killed leaves only
// its work directory behind, which the next run clears; a file of a case is there whole or
// not at all. It must not write anywhere else.
package casedir

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

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
	Repository      = "repository.git"
	work            = ".work"
)

var owned = []string{CaseFile, DiffFile, PullRequestFile, ReportFile, EvidenceFile, KeyFile, Repository, work}

// Dir is an open case directory. It is locked until Close.
type Dir struct {
	Path   string
	unlock func()
}

// Open takes a directory for a run, making it if need be and clearing what an earlier run of
// this tool left. A directory with anything else in it is refused.
func Open(path string) (*Dir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("output directory: %w", err)
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return nil, fmt.Errorf("output directory: %w", err)
	}
	entries, err := os.ReadDir(abs)
	if err != nil {
		return nil, fmt.Errorf("output directory: %w", err)
	}
	for _, e := range entries {
		if !slices.Contains(owned, e.Name()) {
			return nil, fmt.Errorf("output directory %s holds %q, which remediator did not make: choose an empty directory with --out", path, e.Name())
		}
	}
	if err := os.MkdirAll(filepath.Join(abs, work), 0o755); err != nil {
		return nil, fmt.Errorf("output directory: %w", err)
	}
	unlock, err := lockedfile.MutexAt(filepath.Join(abs, work, "lock")).Lock()
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	d := &Dir{Path: abs, unlock: unlock}
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

// Close removes the work directory and lets others in.
func (d *Dir) Close() error {
	err := d.clearWork()
	d.unlock()
	return errors.Join(err, removeAll(d.Work()))
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

// Digests lists every file of the case with its SHA-256, the evidence and the work
// directory left out.
func (d *Dir) Digests() ([]attest.Artifact, error) { return Digests(d.Path) }

// Digests lists the files of the case in dir.
func Digests(dir string) ([]attest.Artifact, error) {
	var out []attest.Artifact
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		switch {
		case rel == work:
			return fs.SkipDir
		case e.IsDir() || rel == EvidenceFile:
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
	if err != nil {
		return nil, fmt.Errorf("listing the files of the case: %w", err)
	}
	return out, nil
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
