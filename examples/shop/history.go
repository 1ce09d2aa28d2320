package shop

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	goldentraces "github.com/remediator/remediator/testdata/golden-traces"
)

// Commit is one commit of a history that was built.
type Commit struct {
	SHA     string
	Author  string
	Time    time.Time
	Message string
	// Patch is the file below history that the commit was made from; "" for the first commit.
	Patch string
	Files []File
}

// Title is the message's first line.
func (c Commit) Title() string {
	title, _, _ := strings.Cut(c.Message, "\n")
	return title
}

// File is one path a commit touched, with its hunks.
type File struct {
	Path  string
	Hunks string
}

// History is the history of one scenario, oldest commit first.
type History struct {
	Scenario string
	Commits  []Commit
}

// Head is the SHA of the last commit.
func (h History) Head() string { return h.Commits[len(h.Commits)-1].SHA }

// Commit finds the commit whose patch or title starts with text. It returns false where
// there is none or more than one.
func (h History) Commit(text string) (Commit, bool) {
	var found []Commit
	for _, c := range h.Commits {
		if strings.HasPrefix(c.Patch, "history/"+text) || strings.HasPrefix(c.Title(), text) {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		return Commit{}, false
	}
	return found[0], true
}

// BuildHistory makes the repository of a scenario in dir, which must be empty or absent, and returns
// the SHA of its head. The work tree is checked out at the head and clean. Equal scenarios give
// equal commits on every machine.
func BuildHistory(dir, scenario string) (head string, err error) {
	h, err := Build(dir, scenario)
	if err != nil {
		return "", err
	}
	return h.Head(), nil
}

// Build is BuildHistory and also tells what the commits are.
func Build(dir, scenario string) (History, error) {
	return BuildFrom(dir, scenario, goldentraces.Files, "")
}

// BuildFrom is Build with golden trace sets from elsewhere, and ends after the patch whose name
// below history starts with last; "" goes to the end. The recorder of golden traces needs it:
// a set is recorded from a commit that does not have it yet.
func BuildFrom(dir, scenario string, golden fs.FS, last string) (History, error) {
	names, err := series(scenario)
	if err != nil {
		return History{}, err
	}
	b, err := newBuilder(dir, golden)
	if err != nil {
		return History{}, err
	}
	if err := b.importBase(); err != nil {
		return History{}, err
	}
	for _, name := range names {
		if err := b.apply(name); err != nil {
			return History{}, fmt.Errorf("%s: %w", name, err)
		}
		if last != "" && strings.HasPrefix(name, "history/"+last) {
			return History{Scenario: scenario, Commits: b.commits}, nil
		}
	}
	if last != "" {
		return History{}, fmt.Errorf("scenario %q has no patch %q", scenario, last)
	}
	return History{Scenario: scenario, Commits: b.commits}, nil
}

// firstAuthor signs the first commit, which is not made from a patch.
var firstAuthor = object.Signature{
	Name:  "Ana Ruiz",
	Email: "ana.ruiz@shop.example",
	When:  time.Date(2026, time.October, 5, 9, 12, 0, 0, time.FixedZone("", 2*60*60)),
}

const firstMessage = "Import the shop\n"

type builder struct {
	dir     string
	golden  fs.FS
	tree    *git.Worktree
	commits []Commit
}

func newBuilder(dir string, golden fs.FS) (*builder, error) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty; name a directory to create", dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the repository: %w", err)
	}
	repo, err := git.PlainInitWithOptions(dir, &git.PlainInitOptions{
		InitOptions: git.InitOptions{DefaultBranch: plumbing.NewBranchReferenceName("main")},
	})
	if err != nil {
		return nil, fmt.Errorf("make the repository: %w", err)
	}
	tree, err := repo.Worktree()
	if err != nil {
		return nil, fmt.Errorf("make the repository: %w", err)
	}
	return &builder{dir: dir, golden: golden, tree: tree}, nil
}

func (b *builder) importBase() error {
	base, err := baseTree()
	if err != nil {
		return err
	}
	paths := make([]string, 0, len(base))
	for path := range base {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	for _, path := range paths {
		if err := b.write(path, base[path]); err != nil {
			return err
		}
	}
	return b.commit(firstAuthor, firstMessage, Commit{})
}

// apply commits one patch.
func (b *builder) apply(name string) error {
	text, err := patches.ReadFile(name)
	if err != nil {
		return err
	}
	files, preamble, err := gitdiff.Parse(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("parse: %w", err)
	}
	header, err := gitdiff.ParsePatchHeader(preamble)
	if err != nil {
		return fmt.Errorf("parse the header: %w", err)
	}
	if header.Author == nil || header.AuthorDate.IsZero() {
		return fmt.Errorf("the header names no author or no date")
	}

	made := Commit{Patch: name}
	for _, file := range files {
		if err := b.change(file); err != nil {
			return err
		}
		made.Files = append(made.Files, File{Path: file.NewName, Hunks: hunks(file)})
	}
	for _, set := range goldenSets(header.Body) {
		content, err := goldenSet(b.golden, set)
		if err != nil {
			return err
		}
		path := "golden/" + set
		if err := b.write(path, content); err != nil {
			return err
		}
		made.Files = append(made.Files, File{Path: path})
	}
	sort.Slice(made.Files, func(i, j int) bool { return made.Files[i].Path < made.Files[j].Path })

	message := header.Title + "\n"
	if header.Body != "" {
		message += "\n" + strings.TrimRight(header.Body, "\n") + "\n"
	}
	author := object.Signature{Name: header.Author.Name, Email: header.Author.Email, When: header.AuthorDate}
	return b.commit(author, message, made)
}

// change applies one file's part of a patch. Renames and binary files do not occur.
func (b *builder) change(file *gitdiff.File) error {
	if file.IsBinary || file.IsRename || file.IsDelete {
		return fmt.Errorf("%s: only text that is added or changed is supported", file.OldName)
	}
	var old []byte
	if !file.IsNew {
		var err error
		if old, err = os.ReadFile(filepath.Join(b.dir, filepath.FromSlash(file.OldName))); err != nil {
			return err
		}
	}
	var changed bytes.Buffer
	if err := gitdiff.Apply(&changed, bytes.NewReader(old), file); err != nil {
		return fmt.Errorf("%s: %w", file.NewName, err)
	}
	return b.write(file.NewName, changed.Bytes())
}

// write puts a file into the work tree and the index.
func (b *builder) write(path string, content []byte) error {
	full := filepath.Join(b.dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.WriteFile(full, content, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if _, err := b.tree.Add(path); err != nil {
		return fmt.Errorf("stage %s: %w", path, err)
	}
	return nil
}

func (b *builder) commit(author object.Signature, message string, made Commit) error {
	sha, err := b.tree.Commit(message, &git.CommitOptions{Author: &author, Committer: &author})
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	made.SHA, made.Author, made.Time, made.Message = sha.String(), author.Name+" <"+author.Email+">", author.When, message
	b.commits = append(b.commits, made)
	return nil
}

// hunks is a file's changes as unified hunks without file headers.
func hunks(file *gitdiff.File) string {
	var text strings.Builder
	for _, fragment := range file.TextFragments {
		_, _ = io.WriteString(&text, fragment.String()) // a Builder does not fail
	}
	return text.String()
}

// goldenSets lists the sets a message's trailers name.
func goldenSets(body string) []string {
	var sets []string
	for line := range strings.Lines(body) {
		if set, ok := strings.CutPrefix(strings.TrimSpace(line), "Golden-Set: "); ok {
			sets = append(sets, set)
		}
	}
	return sets
}
