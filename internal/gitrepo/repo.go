package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
)

// Repo is a git repository on disk. Its methods may be called from several goroutines.
type Repo struct {
	path string // as given, absolute
	git  *program

	mu      sync.Mutex // go-git's object storage is not safe for concurrent use
	objects *git.Repository
}

// Option changes how a repository is opened.
type Option func(*options)

type options struct{ program string }

// WithGit uses the git program at the path instead of the one on PATH.
func WithGit(path string) Option { return func(o *options) { o.program = path } }

// ErrNotRepository is wrapped by Open's error when there is no repository at the path.
var ErrNotRepository = errors.New("not a git repository")

// ErrNoCommit is wrapped by errors about a commit that the repository does not hold.
var ErrNoCommit = errors.New("commit not found")

// Open opens the repository that a directory belongs to: a work tree or any directory in it, a
// linked work tree, a bare repository.
func Open(dir string, opts ...Option) (*Repo, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(abs); err != nil {
		return nil, fmt.Errorf("open repository: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("open repository: %s is not a directory", abs)
	}
	if d, err := os.Open(abs); err != nil {
		return nil, fmt.Errorf("open repository: %w; let this user read it", err)
	} else {
		_ = d.Close()
	}
	p, err := newProgram(context.Background(), o.program)
	if err != nil {
		return nil, err
	}
	r := &Repo{path: abs, git: p}
	gitDir, err := p.text(context.Background(), abs, "rev-parse", "--absolute-git-dir")
	if err != nil {
		var failed *gitError
		if errors.As(err, &failed) && strings.Contains(failed.message, "not a git repository") {
			return nil, fmt.Errorf("%s: %w; name the root of a clone, or run git init and commit", abs, ErrNotRepository)
		}
		return nil, fmt.Errorf("open repository %s: %w", abs, err)
	}
	common, err := r.commonDir(context.Background())
	if err != nil {
		return nil, err
	}
	r.objects, err = openObjects(gitDir, common)
	if err != nil {
		return nil, fmt.Errorf("open repository %s: %w (its storage format is not supported; give a fresh clone made by git clone)", abs, err)
	}
	return r, nil
}

// openObjects reads the object store with go-git. The options that git.PlainOpen takes do not
// cover stores that borrow objects from elsewhere on disk, hence the parts.
func openObjects(gitDir, common string) (*git.Repository, error) {
	files := dotgit.NewRepositoryFilesystem(osfs.New(gitDir), osfs.New(common))
	storage := filesystem.NewStorageWithOptions(files, cache.NewObjectLRUDefault(),
		filesystem.Options{AlternatesFS: osfs.New(string(filepath.Separator), osfs.WithBoundOS())})
	return git.Open(storage, nil)
}

// Clone makes a bare clone of a local repository at dst, which must not exist. Objects are hard
// links where the file system allows; all references come along. The source's work tree, index,
// references and configuration are only read. A clone that was interrupted leaves nothing at dst.
func Clone(ctx context.Context, src, dst string, opts ...Option) (*Repo, error) {
	source, err := Open(src, opts...)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(dst); err == nil {
		return nil, fmt.Errorf("clone: %s exists; remove it or choose another directory", dst)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("clone: %w", err)
	}
	if _, err := source.Head(); err != nil {
		return nil, fmt.Errorf("clone: %w", err)
	}
	common, err := source.commonDir(ctx)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		return nil, fmt.Errorf("clone: %w", err)
	}
	// The name is fixed so that what a killed run left behind is found and removed here.
	target := filepath.Clean(dst) + ".partial"
	if err := os.RemoveAll(target); err != nil {
		return nil, fmt.Errorf("clone: %w", err)
	}
	defer os.RemoveAll(target)
	// --mirror takes the remote-tracking branches along: a deployed commit is often reachable
	// from nowhere else. --template= leaves sample hooks out.
	if _, err := source.git.run(ctx, filepath.Dir(target), nil, "clone", "--quiet", "--mirror", "--template=", "--", common, filepath.Base(target)); err != nil {
		return nil, fmt.Errorf("clone %s: %w", source.path, err)
	}
	// The clone is ours alone from here on: it must not point back at the user's repository.
	if _, err := source.git.run(ctx, target, nil, "config", "--remove-section", "remote.origin"); err != nil {
		return nil, fmt.Errorf("clone %s: %w", source.path, err)
	}
	if err := source.copyHead(ctx, target); err != nil {
		return nil, err
	}
	if err := os.Rename(target, dst); err != nil {
		return nil, fmt.Errorf("clone: %w", err)
	}
	return Open(dst, opts...)
}

// commonDir is the directory that holds objects and references, which a linked work tree shares
// with its main one.
func (r *Repo) commonDir(ctx context.Context) (string, error) {
	dir, err := r.git.text(ctx, r.path, "rev-parse", "--git-common-dir")
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(r.path, dir)
	}
	return dir, nil
}

// copyHead gives the clone the HEAD of this work tree; cloning the common directory took that
// of the main work tree.
func (r *Repo) copyHead(ctx context.Context, target string) error {
	if branch, err := r.git.text(ctx, r.path, "symbolic-ref", "-q", "HEAD"); err == nil {
		_, err = r.git.run(ctx, target, nil, "symbolic-ref", "HEAD", branch)
		return err
	}
	head, err := r.git.text(ctx, r.path, "rev-parse", "--verify", "-q", "HEAD^{commit}")
	if err != nil {
		return fmt.Errorf("%s has no commit yet; commit the code first", r.path)
	}
	_, err = r.git.run(ctx, target, nil, "update-ref", "--no-deref", "HEAD", head)
	return err
}

// Path is where the repository was opened.
func (r *Repo) Path() string { return r.path }

var fullHash = regexp.MustCompile(`^[0-9a-f]{40}$`)

// Resolve returns the full hash of the commit that a revision names. When there is none the error
// wraps ErrNoCommit and names the next step.
func (r *Repo) Resolve(rev string) (string, error) {
	if rev == "" || strings.HasPrefix(rev, "-") || strings.ContainsAny(rev, "\x00\n") || len(rev) > 1024 {
		return "", fmt.Errorf("%q is not a revision: %w", shorten(rev), ErrNoCommit)
	}
	ctx := context.Background()
	sha, err := r.git.text(ctx, r.path, "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}")
	if err == nil && fullHash.MatchString(sha) {
		return sha, nil
	}
	var failed *gitError
	if errors.As(err, &failed) && strings.Contains(failed.message, "ambiguous") {
		return "", fmt.Errorf("revision %q is ambiguous in %s; give more digits: %w", rev, r.path, ErrNoCommit)
	}
	next := "fetch it there (git fetch --all --tags), or give the repository the service was built from"
	if shallow, _ := r.git.text(ctx, r.path, "rev-parse", "--is-shallow-repository"); shallow == "true" {
		next = "the repository is a shallow clone: complete it (git fetch --unshallow)"
	}
	return "", fmt.Errorf("%w: %q is not in %s; %s", ErrNoCommit, shorten(rev), r.path, next)
}

func shorten(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "..."
	}
	return s
}

// Head returns the commit that is checked out.
func (r *Repo) Head() (string, error) {
	sha, err := r.Resolve("HEAD")
	if err != nil {
		return "", fmt.Errorf("%s has no commit yet; commit the code first: %w", r.path, err)
	}
	return sha, nil
}

// DefaultBranch returns the branch that a pull request would target: what origin calls its head,
// else main or master where one exists, else the branch that is checked out. It is "" when HEAD is
// detached and nothing else tells.
func (r *Repo) DefaultBranch() (string, error) {
	ctx := context.Background()
	if ref, err := r.git.text(ctx, r.path, "symbolic-ref", "-q", "refs/remotes/origin/HEAD"); err == nil {
		return strings.TrimPrefix(ref, "refs/remotes/origin/"), nil
	}
	for _, name := range []string{"main", "master"} {
		for _, ref := range []string{"refs/heads/", "refs/remotes/origin/"} {
			if _, err := r.git.text(ctx, r.path, "rev-parse", "--verify", "--quiet", ref+name); err == nil {
				return name, nil
			}
		}
	}
	if ref, err := r.git.text(ctx, r.path, "symbolic-ref", "-q", "HEAD"); err == nil {
		return strings.TrimPrefix(ref, "refs/heads/"), nil
	}
	return "", nil
}

// IsAncestor says whether commit a is b or reachable from it.
func (r *Repo) IsAncestor(ctx context.Context, a, b string) (bool, error) {
	for _, rev := range []*string{&a, &b} {
		sha, err := r.Resolve(*rev)
		if err != nil {
			return false, err
		}
		*rev = sha
	}
	_, err := r.git.run(ctx, r.path, nil, "merge-base", "--is-ancestor", a, b)
	if exited(err, 1) {
		return false, nil
	}
	return err == nil, err
}

// maxBlob bounds a file that is read into memory.
const maxBlob = 64 << 20

// blob reads one blob and checks it against its hash, which go-git does not do.
func (r *Repo) blob(hash plumbing.Hash) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.object(plumbing.BlobObject, hash)
}

// object reads one object; the caller holds the lock.
func (r *Repo) object(kind plumbing.ObjectType, hash plumbing.Hash) ([]byte, error) {
	o, err := r.objects.Storer.EncodedObject(kind, hash)
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", kind, hash, err)
	}
	if o.Size() > maxBlob {
		return nil, fmt.Errorf("%s %s is larger than %d MiB", kind, hash, maxBlob>>20)
	}
	reader, err := o.Reader()
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", kind, hash, err)
	}
	defer reader.Close()
	data, err := io.ReadAll(io.LimitReader(reader, maxBlob+1))
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", kind, hash, err)
	}
	if plumbing.ComputeHash(kind, data) != hash {
		return nil, fmt.Errorf("%s %s does not have the content its name promises; the repository is damaged, run git fsck", kind, hash)
	}
	return data, nil
}

// tree reads one tree and checks it against its hash.
func (r *Repo) tree(hash plumbing.Hash) (*object.Tree, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	data, err := r.object(plumbing.TreeObject, hash)
	if err != nil {
		return nil, err
	}
	return decodeTree(data)
}

func decodeTree(data []byte) (*object.Tree, error) {
	o := &plumbing.MemoryObject{}
	o.SetType(plumbing.TreeObject)
	if _, err := o.Write(data); err != nil {
		return nil, err
	}
	t := &object.Tree{}
	if err := t.Decode(o); err != nil {
		return nil, fmt.Errorf("decode tree: %w", err)
	}
	return t, nil
}

// commit reads one commit and checks it against its hash.
func (r *Repo) commit(sha string) (*object.Commit, error) {
	full, err := r.Resolve(sha)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	data, err := r.object(plumbing.CommitObject, plumbing.NewHash(full))
	if err != nil {
		return nil, err
	}
	o := &plumbing.MemoryObject{}
	o.SetType(plumbing.CommitObject)
	if _, err := o.Write(data); err != nil {
		return nil, err
	}
	c := &object.Commit{}
	if err := c.Decode(o); err != nil {
		return nil, fmt.Errorf("decode commit %s: %w", full, err)
	}
	c.Hash = plumbing.NewHash(full)
	return c, nil
}

// Remote is the URL that the repository was cloned from, "" if it was not cloned.
func (r *Repo) Remote(ctx context.Context) (string, error) {
	out, err := r.git.text(ctx, r.path, "config", "--get", "remote.origin.url")
	if exited(err, 1) {
		return "", nil
	}
	return out, err
}
