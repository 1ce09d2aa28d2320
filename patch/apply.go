package patch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
)

// Apply writes the edits of p into the directory dir. It looks at every file first: when one
// is not as the patch expects, or a symbolic link is in the way, nothing is written.
func Apply(dir string, p *Patch) error {
	return ApplyFiles(dir, p.Files)
}

// ApplyFiles is Apply for bare edits, such as those that turn a flag on.
func ApplyFiles(dir string, files []FileEdit) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("apply the patch: %w", err)
	}
	defer root.Close()
	for _, f := range files {
		if err := expect(root, f); err != nil {
			return fmt.Errorf("apply the patch: %w", err)
		}
	}
	for _, f := range files {
		if err := replace(root, f); err != nil {
			return fmt.Errorf("apply the patch to %s: %w", f.Path, err)
		}
	}
	return nil
}

// expect checks that f can be applied. os.Root follows links that stay inside; a patch
// must not follow any, since the file it names is the file that was reviewed.
func expect(root *os.Root, f FileEdit) error {
	if err := checkPath(f.Path); err != nil {
		return err
	}
	for i, c := range f.Path {
		if c != '/' {
			continue
		}
		info, err := root.Lstat(f.Path[:i])
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("%s is not a directory", f.Path[:i])
		}
	}
	info, err := root.Lstat(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if f.Old != nil {
			return fmt.Errorf("%s is missing; the directory is not at the base of the patch", f.Path)
		}
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", f.Path)
	case f.Old == nil:
		return fmt.Errorf("%s exists already", f.Path)
	}
	old, err := root.ReadFile(f.Path)
	if err != nil {
		return err
	}
	if !bytes.Equal(old, f.Old) {
		return fmt.Errorf("%s is not as the patch expects; the directory is not at its base", f.Path)
	}
	return nil
}

// replace writes a file as a whole: a reader sees the old content or the new, never a mixture.
func replace(root *os.Root, f FileEdit) error {
	if f.New == nil {
		return root.Remove(f.Path)
	}
	if dir := path.Dir(f.Path); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	perm := fs.FileMode(0o644)
	if f.Mode == 0o100755 {
		perm = 0o755
	}
	sum := sha256.Sum256([]byte(f.Path))
	tmp := path.Join(path.Dir(f.Path), ".remediator-"+hex.EncodeToString(sum[:8]))
	if err := root.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	_, err = file.Write(f.New)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, root.Remove(tmp))
	}
	return root.Rename(tmp, f.Path)
}

// Without returns a copy of p that leaves out the files of the given kinds, with its own
// diff: without SourceFile, ConfigFile and FlagFile only the tests remain, for the run on
// the base that has to fail.
func Without(p *Patch, kinds ...FileKind) *Patch {
	q := *p
	q.Files = slices.DeleteFunc(slices.Clone(p.Files), func(f FileEdit) bool { return slices.Contains(kinds, f.Kind) })
	q.Tests = slices.DeleteFunc(slices.Clone(p.Tests), func(t Test) bool {
		return !slices.ContainsFunc(q.Files, func(f FileEdit) bool { return f.Path == t.File })
	})
	q.Diff = Diff(q.Files)
	return &q
}
