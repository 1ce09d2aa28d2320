package codeindex

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/remediator/remediator/codeindex/extract"
)

// skippedDirs are directories whose content is not the repository's own code: dependencies, build
// results, test data. Directories that begin with a dot (.git, .venv, .next) are skipped as well.
var skippedDirs = map[string]string{
	"vendor":           "Go and PHP dependencies",
	"node_modules":     "JavaScript dependencies",
	"bower_components": "JavaScript dependencies",
	"third_party":      "copies of other projects",
	"site-packages":    "Python dependencies",
	"venv":             "a Python environment",
	"__pycache__":      "compiled Python",
	"testdata":         "ignored by the go tool too",
	"dist":             "build results",
	"target":           "build results of Maven and Cargo",
}

// skippedSuffixes are files that a tool wrote.
var skippedSuffixes = []string{
	".min.js", ".bundle.js", ".d.ts", ".pb.go", ".pb.gw.go", "_pb2.py", "_pb2_grpc.py", "_pb.js", "_pb.d.ts",
	"_grpc_pb.js", ".generated.ts", ".generated.js", "_generated.go", "_gen.go",
}

// Skipped says whether Build leaves a path out, and why.
func Skipped(name string) (reason string, skipped bool) {
	dir, base := path.Split(name)
	for _, part := range strings.Split(strings.TrimSuffix(dir, "/"), "/") {
		if reason, ok := skippedDir(part); ok {
			return reason, true
		}
	}
	if extract.Language(base) == "" {
		return "no supported language", true
	}
	for _, suffix := range skippedSuffixes {
		if strings.HasSuffix(base, suffix) {
			return "generated", true
		}
	}
	if strings.HasPrefix(base, "zz_generated") {
		return "generated", true
	}
	return "", false
}

func skippedDir(base string) (reason string, skipped bool) {
	if len(base) > 1 && base[0] == '.' && base != ".." {
		return "hidden", true
	}
	reason, skipped = skippedDirs[base]
	return reason, skipped
}

// found is one file of the tree.
type found struct {
	path  string
	size  int64
	mtime time.Time
	hash  string // blob hash, when the file system knows it
}

// BlobHasher is a file system that knows the hash of its files' contents without reading them,
// as a git tree does.
type BlobHasher interface {
	// BlobHash is the hex hash of the file's blob, false when it is not known.
	BlobHash(name string) (string, bool)
}

// errTooMany means that a tree is larger than the bound.
var errTooMany = errors.New("too many files")

// walk lists the files to index, sorted by path. Only regular files are taken: symbolic links are
// not followed, whatever they point to.
func walk(ctx context.Context, fsys fs.FS, o Options, want func(name string) bool) ([]found, error) {
	w := &walker{ctx: ctx, fsys: fsys, o: o, want: want, slots: make(chan struct{}, o.Workers)}
	w.hasher, _ = fsys.(BlobHasher)
	w.wait.Add(1)
	w.dir(".", 0)
	w.wait.Wait()
	if w.err != nil {
		return nil, w.err
	}
	slices.SortFunc(w.files, func(a, b found) int { return strings.Compare(a.path, b.path) })
	return w.files, nil
}

type walker struct {
	ctx    context.Context
	fsys   fs.FS
	hasher BlobHasher
	o      Options
	want   func(string) bool
	slots  chan struct{}
	wait   sync.WaitGroup

	mu    sync.Mutex
	files []found
	err   error
}

// maxNesting bounds how deep directories are followed.
const maxNesting = 100

func (w *walker) dir(name string, depth int) {
	defer w.wait.Done()
	if depth > maxNesting {
		return
	}
	if err := w.ctx.Err(); err != nil {
		w.fail(err)
		return
	}
	entries, err := fs.ReadDir(w.fsys, name)
	if err != nil {
		if name == "." {
			w.fail(fmt.Errorf("read the repository's root: %w: check the path and the commit", err))
		}
		return // a directory that cannot be read holds nothing that can be located
	}
	var files []found
	for _, e := range entries {
		full := e.Name()
		if name != "." {
			full = name + "/" + full
		}
		if e.IsDir() {
			if _, skip := skippedDir(e.Name()); skip {
				continue
			}
			w.wait.Add(1)
			select {
			case w.slots <- struct{}{}:
				go func() {
					defer func() { <-w.slots }()
					w.dir(full, depth+1)
				}()
			default:
				w.dir(full, depth+1)
			}
			continue
		}
		if !e.Type().IsRegular() {
			continue
		}
		if _, skip := Skipped(e.Name()); skip || w.want != nil && !w.want(full) {
			continue
		}
		f := found{path: full}
		if w.hasher != nil {
			f.hash, _ = w.hasher.BlobHash(full)
		}
		if f.hash == "" && !w.o.noStat {
			info, err := e.Info()
			if err != nil || info.Size() > w.o.MaxFileSize {
				continue
			}
			f.size, f.mtime = info.Size(), info.ModTime()
		}
		files = append(files, f)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files = append(w.files, files...)
	if len(w.files) > w.o.MaxFiles && w.err == nil {
		w.err = fmt.Errorf("%w: more than %d source files: name the services' paths or raise the limit", errTooMany, w.o.MaxFiles)
	}
}

func (w *walker) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}
