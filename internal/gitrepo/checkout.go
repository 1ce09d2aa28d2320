package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// Note is one thing that a checkout left out, with the reason.
type Note struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// Bounds of one checkout. A repository beyond them is refused rather than filling the disk.
const (
	maxCheckoutFiles = 500_000
	maxCheckoutBytes = 8 << 30
)

// Checkout writes the tree of a commit into dir, which must be absent or empty. Files have the
// bytes of their blobs (no line-end conversion, no filters) and keep their executable bit.
// Symbolic links that lead out of dir, submodules and entries whose names no work tree may hold
// are left out, with a note for each.
func (r *Repo) Checkout(ctx context.Context, commit, dir string) ([]Note, error) {
	fsys, err := r.FS(commit)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("check out: %w", err)
	}
	if entries, err := os.ReadDir(dir); err != nil {
		return nil, fmt.Errorf("check out: %w", err)
	} else if len(entries) > 0 {
		return nil, fmt.Errorf("check out: %s is not empty; give an empty directory", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("check out: %w", err)
	}
	defer root.Close()
	e := export{ctx: ctx, repo: r, tree: fsys.(*treeFS), root: root}
	if err := e.dir(e.tree.root, "."); err != nil {
		return nil, fmt.Errorf("check out %s: %w", commit, err)
	}
	if err := e.link(); err != nil {
		return nil, fmt.Errorf("check out %s: %w", commit, err)
	}
	slices.SortFunc(e.notes, func(a, b Note) int { return strings.Compare(a.Path, b.Path) })
	return e.notes, nil
}

// export is one checkout under way.
type export struct {
	ctx   context.Context
	repo  *Repo
	tree  *treeFS
	root  *os.Root
	notes []Note
	links []link
	files int
	bytes int64
}

type link struct{ name, target string }

func (e *export) omit(name, why string) { e.notes = append(e.notes, Note{name, why}) }

func (e *export) dir(hash plumbing.Hash, at string) error {
	if strings.Count(at, "/") > 512 {
		return fmt.Errorf("%s: directories are nested too deeply", shorten(at))
	}
	t, err := e.repo.tree(hash)
	if err != nil {
		return err
	}
	for _, entry := range t.Entries {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		name := path.Join(at, entry.Name)
		if err := checkName(entry.Name); err != nil {
			e.omit(name, err.Error())
			continue
		}
		if e.files++; e.files > maxCheckoutFiles {
			return fmt.Errorf("more than %d files", maxCheckoutFiles)
		}
		switch entry.Mode {
		case filemode.Dir:
			if err := e.root.Mkdir(name, 0o755); err != nil {
				return err
			}
			if err := e.dir(entry.Hash, name); err != nil {
				return err
			}
		case filemode.Submodule:
			e.omit(name, "is a submodule, which is not fetched")
		case filemode.Symlink:
			target, err := e.repo.blob(entry.Hash)
			if err != nil {
				return err
			}
			e.links = append(e.links, link{name, string(target)})
		default:
			if err := e.file(entry.Hash, name, entry.Mode == filemode.Executable); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *export) file(hash plumbing.Hash, name string, executable bool) error {
	data, err := e.repo.blob(hash)
	if err != nil {
		return err
	}
	if e.bytes += int64(len(data)); e.bytes > maxCheckoutBytes {
		return fmt.Errorf("more than %d GiB", maxCheckoutBytes>>30)
	}
	mode := fs.FileMode(0o644)
	if executable {
		mode = 0o755
	}
	f, err := e.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		e.omit(name, "has the same name as another file on this file system")
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// link makes the symbolic links last, so that no file was written through one, and takes those
// away again that lead out of the directory, directly or by way of other links.
func (e *export) link() error {
	const escapes = "is a symbolic link out of the repository"
	made := e.links[:0:0]
	for _, l := range e.links {
		if l.target == "" || strings.ContainsRune(l.target, 0) || path.IsAbs(l.target) || !fs.ValidPath(path.Join(path.Dir(l.name), l.target)) {
			e.omit(l.name, escapes)
			continue
		}
		if err := e.root.Symlink(l.target, l.name); err != nil {
			e.omit(l.name, "is a symbolic link that cannot be made here: "+err.Error())
			continue
		}
		made = append(made, l)
	}
	for _, l := range made {
		// os.Root resolves every step and refuses to leave; a link to nothing is harmless.
		if _, err := e.root.Stat(l.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			if err := e.root.Remove(l.name); err != nil {
				return err
			}
			e.omit(l.name, escapes)
		}
	}
	return nil
}

// checkName refuses names that git itself would not check out: they reach into .git or out of
// the tree on some file system.
func checkName(name string) error {
	lower := strings.ToLower(strings.TrimRight(name, ". "))
	switch {
	case name == "" || name == "." || name == "..", strings.ContainsAny(name, "/\\\x00"):
		return fmt.Errorf("the name %q is not allowed in a work tree", shorten(name))
	case lower == ".git" || lower == "git~1" || strings.HasPrefix(lower, ".git:") || hfsName(lower) == ".git":
		return fmt.Errorf("the name %q stands for git's own directory on some file systems", name)
	}
	return nil
}

// hfsName drops the code points that HFS+ ignores when it compares names (git's utf8.c,
// next_hfs_char).
func hfsName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0x200c && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x206a && r <= 0x206f, r == 0xfeff:
			return -1
		}
		return r
	}, name)
}
