package gitrepo

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// ErrNotFollowed is returned for symbolic links and submodules, which a tree shows in listings
// and never follows: their targets are the repository's to choose.
var ErrNotFollowed = errors.New("symbolic links and submodules are not followed")

// FS returns the tree of a commit, read-only. It implements fs.ReadDirFS, fs.ReadFileFS and
// fs.StatFS; modification times are the commit's.
func (r *Repo) FS(commit string) (fs.FS, error) {
	c, err := r.commit(commit)
	if err != nil {
		return nil, err
	}
	return &treeFS{repo: r, root: c.TreeHash, when: c.Committer.When.UTC(), trees: map[plumbing.Hash]*object.Tree{}}, nil
}

type treeFS struct {
	repo *Repo
	root plumbing.Hash
	when time.Time

	mu    sync.Mutex
	trees map[plumbing.Hash]*object.Tree
}

func (f *treeFS) tree(hash plumbing.Hash) (*object.Tree, error) {
	f.mu.Lock()
	t, ok := f.trees[hash]
	f.mu.Unlock()
	if ok {
		return t, nil
	}
	t, err := f.repo.tree(hash)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trees[hash] = t
	return t, nil
}

// find walks from the root to a name. Links on the way are not followed.
func (f *treeFS) find(op, name string) (object.TreeEntry, error) {
	fail := func(err error) (object.TreeEntry, error) {
		return object.TreeEntry{}, &fs.PathError{Op: op, Path: name, Err: err}
	}
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	entry := object.TreeEntry{Name: ".", Mode: filemode.Dir, Hash: f.root}
	if name == "." {
		return entry, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if entry.Mode != filemode.Dir {
			return fail(fs.ErrNotExist)
		}
		t, err := f.tree(entry.Hash)
		if err != nil {
			return fail(err)
		}
		i := slices.IndexFunc(t.Entries, func(e object.TreeEntry) bool { return e.Name == part })
		if i < 0 {
			return fail(fs.ErrNotExist)
		}
		entry = t.Entries[i]
	}
	return entry, nil
}

func (f *treeFS) Open(name string) (fs.File, error) {
	entry, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	switch entry.Mode {
	case filemode.Dir:
		entries, err := f.ReadDir(name)
		if err != nil {
			return nil, err
		}
		return &openDir{treeInfo{f, entry, path.Base(name)}, entries}, nil
	case filemode.Symlink, filemode.Submodule:
		return nil, &fs.PathError{Op: "open", Path: name, Err: ErrNotFollowed}
	}
	data, err := f.repo.blob(entry.Hash)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &openFile{treeInfo{f, entry, path.Base(name)}, bytes.NewReader(data)}, nil
}

func (f *treeFS) ReadFile(name string) ([]byte, error) {
	entry, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	switch entry.Mode {
	case filemode.Dir:
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("is a directory")}
	case filemode.Symlink, filemode.Submodule:
		return nil, &fs.PathError{Op: "open", Path: name, Err: ErrNotFollowed}
	}
	data, err := f.repo.blob(entry.Hash)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return data, nil
}

func (f *treeFS) ReadDir(name string) ([]fs.DirEntry, error) {
	entry, err := f.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if entry.Mode != filemode.Dir {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a directory")}
	}
	t, err := f.tree(entry.Hash)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	var out []fs.DirEntry
	for _, e := range t.Entries {
		// A tree made by hand may hold names that no file system path can express.
		if fs.ValidPath(e.Name) && e.Name != "." && !strings.Contains(e.Name, "/") {
			out = append(out, fs.FileInfoToDirEntry(treeInfo{f, e, e.Name}))
		}
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, nil
}

// Stat does not follow symbolic links either.
func (f *treeFS) Stat(name string) (fs.FileInfo, error) {
	entry, err := f.find("stat", name)
	if err != nil {
		return nil, err
	}
	return treeInfo{f, entry, path.Base(name)}, nil
}

// treeInfo describes one entry.
type treeInfo struct {
	fs    *treeFS
	entry object.TreeEntry
	name  string
}

func (i treeInfo) Name() string       { return i.name }
func (i treeInfo) ModTime() time.Time { return i.fs.when }
func (i treeInfo) IsDir() bool        { return i.entry.Mode == filemode.Dir }
func (i treeInfo) Sys() any           { return nil }

func (i treeInfo) Size() int64 {
	if i.entry.Mode == filemode.Dir || i.entry.Mode == filemode.Submodule {
		return 0
	}
	i.fs.repo.mu.Lock()
	defer i.fs.repo.mu.Unlock()
	size, err := i.fs.repo.objects.Storer.EncodedObjectSize(i.entry.Hash)
	if err != nil {
		return 0
	}
	return size
}

func (i treeInfo) Mode() fs.FileMode {
	switch i.entry.Mode {
	case filemode.Dir:
		return fs.ModeDir | 0o755
	case filemode.Executable:
		return 0o755
	case filemode.Symlink:
		return fs.ModeSymlink | 0o777
	case filemode.Submodule:
		return fs.ModeIrregular
	}
	return 0o644
}

type openFile struct {
	treeInfo
	*bytes.Reader
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.treeInfo, nil }
func (f *openFile) Close() error               { return nil }
func (f *openFile) Size() int64                { return f.Reader.Size() }

type openDir struct {
	treeInfo
	rest []fs.DirEntry
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.treeInfo, nil }
func (d *openDir) Close() error               { return nil }
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errors.New("is a directory")}
}

func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		out := d.rest
		d.rest = nil
		return out, nil
	}
	if len(d.rest) == 0 {
		return nil, io.EOF
	}
	out := d.rest[:min(n, len(d.rest))]
	d.rest = d.rest[len(out):]
	return out, nil
}
