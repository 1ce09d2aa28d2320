package patch

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/remediator/remediator/localize"
)

// revertMinShare is the share of the best change's score that another one needs to be
// offered too: below it the ranking itself says that another change is the better guess.
const revertMinShare = 0.5

// revertMaxOptions bounds the reverts offered for a suspect; each costs a whole proof.
const revertMaxOptions = 2

type revert struct{}

// NewRevert returns the recipe that undoes the commit blamed for a suspect. It reverses the
// hunks of the change on top of the base, whatever came in between, and gives up at the
// first line that is not as the change left it.
func NewRevert() Recipe { return revert{} }

func (revert) Name() string { return "revert@1" }
func (revert) Rung() Rung   { return Revert }

func (r revert) Propose(in *Input, i int) ([]Option, []Left) {
	var options []Option
	var left []Left
	for _, c := range culprits(in, i) {
		sha := shortSHA(c.change.SHA)
		why := ""
		switch files, err := reverseChange(in, c.change); {
		case err != nil:
			why = err.Error()
		default:
			why = r.refuse(in, c.change, files)
		}
		if why != "" {
			left = append(left, Left{Rung: Revert, Recipe: r.Name(), Why: sha + ": " + why})
			continue
		}
		options = append(options, Option{
			ID:     "revert-" + sha,
			Rung:   Revert,
			Title:  revertTitle(c.change),
			Why:    c.why,
			Recipe: r.Name(),
			Params: map[string]string{"sha": c.change.SHA},
			Target: "commit " + c.change.SHA,
		})
	}
	return options, left
}

// refuse gives the reason why a change that could be reversed is not to be.
func (revert) refuse(in *Input, c *localize.Change, files []FileEdit) string {
	title, _, _ := strings.Cut(c.Message, "\n")
	if mergeSubject.MatchString(title) {
		return "is a merge; revert the commit it brought in, or the merge by hand with a chosen parent"
	}
	kinds := map[FileKind]int{}
	for _, f := range files {
		kinds[f.Kind]++
	}
	if kinds[TestFile]+kinds[OtherFile] == len(files) {
		return "changes tests and documents only, which cannot have caused the failure"
	}
	if initialSubject.MatchString(title) || emptiesBase(in.Base, files) {
		return "is the initial commit; there is nothing to go back to"
	}
	for _, other := range in.Changes {
		if reverts(&other, c) && !other.Time.Before(c.Time) {
			return "has been reverted by " + shortSHA(other.SHA) + " already"
		}
	}
	return ""
}

func (r revert) Draft(in *Input, o Option) (*Patch, error) {
	c := findChange(in.Changes, o.Params["sha"])
	if c == nil {
		return nil, fmt.Errorf("the change %q is not among the known ones; plan again with this evidence", shortSHA(o.Params["sha"]))
	}
	files, err := reverseChange(in, c)
	if err != nil {
		return nil, err
	}
	p := &Patch{Option: o, Files: files}
	p.Summary = append(p.Summary, fmt.Sprintf("Puts %s back to the state before commit %s. Later commits stay.",
		fileCount(len(files)), shortSHA(c.SHA)))
	var tests, deleted []string
	for _, f := range files {
		if f.Kind == TestFile {
			tests = append(tests, safePath(f.Path))
		}
		if f.New == nil {
			deleted = append(deleted, safePath(f.Path))
		}
	}
	if len(deleted) > 0 {
		p.Summary = append(p.Summary, "Deletes what the commit added: "+strings.Join(deleted, ", ")+".")
	}
	if len(tests) > 0 {
		p.Summary = append(p.Summary, "Takes the commit's changes of tests back with it: "+strings.Join(tests, ", ")+".")
	}
	p.Risks = append(p.Risks, "Whatever else the commit was made for is undone too; code that came to rely on it since may break.")
	return p, nil
}

// reverseChange makes the edits that undo c on the base.
func reverseChange(in *Input, c *localize.Change) ([]FileEdit, error) {
	if len(c.Files) == 0 {
		return nil, errors.New("its files are not known, or it is empty or a merge; supply the commit with its hunks")
	}
	var files []FileEdit
	undone := 0
	for _, f := range c.Files {
		edit, err := reverseFile(in.Base, f)
		if errors.Is(err, errRevertUndone) {
			undone++
			continue
		}
		if err != nil {
			return nil, err
		}
		files = append(files, edit)
	}
	if undone == len(c.Files) {
		return nil, errors.New("the base does not hold the change; it has been reverted already")
	}
	if undone > 0 {
		return nil, fmt.Errorf("%d of its %d files have been put back already; a person has to see what is left", undone, len(c.Files))
	}
	slices.SortFunc(files, func(a, b FileEdit) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

func reverseFile(base fs.FS, f localize.ChangedFile) (FileEdit, error) {
	if err := checkPath(f.Path); err != nil {
		return FileEdit{}, err
	}
	hs, err := revertHunks(f.Path, f.Patch)
	if err != nil {
		return FileEdit{}, err
	}
	edit := FileEdit{Path: f.Path, Kind: KindOf(f.Path), Mode: 0o100644}
	old, mode, err := ReadBase(base, f.Path)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return FileEdit{}, err
	}
	switch {
	case deletesFile(hs):
		if !missing {
			before, _ := hunkSides(hs[0])
			if strings.Join(before, "") == string(old) {
				return FileEdit{}, errRevertUndone
			}
			return FileEdit{}, &revertConflict{f.Path, 1, "the deleted file is there again, with another content"}
		}
		before, _ := hunkSides(hs[0])
		edit.New = []byte(strings.Join(before, ""))
		return edit, nil
	case missing && createsFile(hs):
		return FileEdit{}, errRevertUndone
	case missing:
		return FileEdit{}, &revertConflict{f.Path, 1, "the file is gone; a later commit moved or deleted it"}
	case createsFile(hs):
		_, after := hunkSides(hs[0])
		if strings.Join(after, "") != string(old) {
			return FileEdit{}, &revertConflict{f.Path, 1, "the commit added the file and later ones changed it"}
		}
		edit.Mode, edit.Old = mode, old
		return edit, nil
	}
	edit.Mode, edit.Old = mode, old
	edit.New, err = reverseHunks(f.Path, old, hs)
	return edit, err
}

// ReadBase reads a plain file of the base with its git mode; no symbolic link is followed.
func ReadBase(base fs.FS, name string) ([]byte, uint32, error) {
	for i, c := range name {
		if c != '/' {
			continue
		}
		if info, err := fs.Lstat(base, name[:i]); err == nil && !info.IsDir() {
			return nil, 0, fmt.Errorf("%s lies behind something that is not a directory", safePath(name))
		}
	}
	info, err := fs.Lstat(base, name)
	if err != nil {
		return nil, 0, fmt.Errorf("look at %s in the base: %w", safePath(name), err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, 0, fmt.Errorf("%s is not a plain file of at most %d bytes", safePath(name), maxFile)
	}
	src, err := fs.ReadFile(base, name)
	if err != nil {
		return nil, 0, fmt.Errorf("read the base: %w", err)
	}
	mode := uint32(0o100644)
	if info.Mode()&0o100 != 0 {
		mode = 0o100755
	}
	if src == nil {
		src = []byte{}
	}
	return src, mode, nil
}

// emptiesBase reports edits after which no source or configuration would be left.
func emptiesBase(base fs.FS, files []FileEdit) bool {
	gone := map[string]bool{}
	for _, f := range files {
		if f.New != nil {
			return false
		}
		gone[f.Path] = true
	}
	left := false
	seen := 0
	err := fs.WalkDir(base, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d != nil && d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if k := KindOf(p); !gone[p] && (k == SourceFile || k == ConfigFile) {
			left = true
		}
		if seen++; left || seen > 10_000 {
			left = true
			return fs.SkipAll
		}
		return nil
	})
	return err == nil && !left
}

// KindOf says what a file of a repository is for, by its name.
func KindOf(p string) FileKind {
	base, ext := path.Base(p), strings.ToLower(path.Ext(p))
	lower := strings.ToLower(p)
	switch {
	case strings.HasSuffix(base, "_test.go"), strings.HasPrefix(base, "test_") && ext == ".py", strings.HasSuffix(base, "_test.py"), base == "conftest.py",
		strings.Contains(lower, ".test."), strings.Contains(lower, ".spec."), strings.HasSuffix(base, "Test.java"), strings.HasSuffix(base, "Tests.java"),
		hasDir(p, "testdata"), hasDir(p, "tests"), hasDir(p, "test"), hasDir(p, "__tests__"):
		return TestFile
	case ext == ".md", ext == ".rst", ext == ".txt" && base != "requirements.txt", ext == ".adoc", base == "LICENSE", base == "CODEOWNERS", hasDir(p, "docs"), hasDir(p, "doc"):
		return OtherFile
	case isSettingsFile(p):
		return ConfigFile
	}
	return SourceFile
}

func hasDir(p, dir string) bool {
	return strings.HasPrefix(p, dir+"/") || strings.Contains(p, "/"+dir+"/")
}

var (
	mergeSubject   = regexp.MustCompile(`^(Merge (branch|tag|commit|pull request|remote-tracking|[0-9a-f]{7,40} into )|Merged in )`)
	initialSubject = regexp.MustCompile(`(?i)^(initial|first) (commit|import)\b`)
	longNumber     = regexp.MustCompile(`[0-9][0-9 .-]{5,}[0-9]`)
	mailAddress    = regexp.MustCompile(`\S+@\S+`)
	webAddress     = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://\S*|\bwww\.\S+`)
)

// reverts reports whether a later change says that it reverts c.
func reverts(later, c *localize.Change) bool {
	if len(c.SHA) >= 7 && strings.Contains(later.Message, "This reverts commit "+c.SHA[:7]) {
		_, rest, _ := strings.Cut(later.Message, "This reverts commit ")
		named, _, _ := strings.Cut(rest, ".")
		return sameSHA(strings.TrimSpace(named), c.SHA)
	}
	return false
}

// shortSHA is the first seven hex digits of a commit's name, and nothing else.
func shortSHA(sha string) string {
	n := 0
	for n < len(sha) && n < 7 && strings.IndexByte("0123456789abcdef", sha[n]) >= 0 {
		n++
	}
	if n == 0 {
		return "unknown"
	}
	return sha[:n]
}

// sameSHA compares two commit names of which one may be shortened.
func sameSHA(a, b string) bool {
	n := min(len(a), len(b))
	return n >= 7 && a[:n] == b[:n]
}

func findChange(changes []localize.Change, sha string) *localize.Change {
	for i := range changes {
		if sameSHA(changes[i].SHA, sha) {
			return &changes[i]
		}
	}
	return nil
}

func fileCount(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}
