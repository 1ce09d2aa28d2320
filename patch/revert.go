package patch

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

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

// culprit is a change blamed for a suspect, with the words that say so.
type culprit struct {
	change *localize.Change
	why    string
}

// culprits lists the changes blamed for suspect i, best first: the one the suspect names, then those
// the ranking holds against its service or its code. A change is left to the first suspect it belongs to.
func culprits(in *Input, i int) []culprit {
	s := in.Suspects[i]
	var out []culprit
	add := func(sha, why string) {
		c := findChange(in.Changes, sha)
		if c == nil || len(out) == revertMaxOptions || slices.ContainsFunc(out, func(o culprit) bool { return o.change == c }) {
			return
		}
		for _, earlier := range in.Suspects[:i] {
			if sameSHA(earlier.Culprit, c.SHA) {
				return
			}
		}
		out = append(out, culprit{c, why})
	}
	var best float64
	for _, r := range in.Ranked {
		best = max(best, r.Score)
	}
	if s.Culprit != "" {
		why := fmt.Sprintf("commit %s is blamed for this suspect", shortSHA(s.Culprit))
		for _, r := range in.Ranked {
			if sameSHA(r.SHA, s.Culprit) {
				why = rankedWhy(r)
			}
		}
		add(s.Culprit, why)
	}
	for _, r := range in.Ranked {
		c := findChange(in.Changes, r.SHA)
		if c == nil || r.Score < revertMinShare*best || r.Score <= 0 || !concerns(in, i, r, c) {
			continue
		}
		add(r.SHA, rankedWhy(r))
	}
	return out
}

// concerns reports whether a ranked change is about suspect i: the same service, or a file
// that the suspect points to.
func concerns(in *Input, i int, r localize.RankedChange, c *localize.Change) bool {
	if s := in.Suspects[i].Service; s != "" && (r.Service == s || c.Service == s) {
		return true
	}
	if i >= len(in.Locations) {
		return false
	}
	for _, l := range in.Locations[i] {
		if slices.ContainsFunc(c.Files, func(f localize.ChangedFile) bool { return f.Path == l.File }) {
			return true
		}
	}
	return false
}

func rankedWhy(r localize.RankedChange) string {
	// A reason's text may quote the commit; only the numbers and the signals' names are kept.
	var signals []string
	for _, x := range r.Reasons {
		if n := Slug(x.Signal, '_', 30); !slices.Contains(signals, n) {
			signals = append(signals, n)
		}
	}
	why := fmt.Sprintf("the ranking of recent changes holds %.2f against commit %s", r.Score, shortSHA(r.SHA))
	if len(signals) > 0 {
		why += " (" + strings.Join(signals, ", ") + ")"
	}
	return why
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

func revertTitle(c *localize.Change) string {
	if s := safeSubject(c.Message); s != "" {
		return fmt.Sprintf("Revert %s (%s)", shortSHA(c.SHA), s)
	}
	return "Revert " + shortSHA(c.SHA)
}

// safeSubject makes a commit's subject fit for a title: whoever wrote the commit chose every character of
// it. Markup, mentions, issue references, links, addresses and long numbers go; the rest is cut.
func safeSubject(message string) string {
	const limit = 60
	subject, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	if len(subject) > 1000 {
		subject = subject[:1000]
	}
	subject = webAddress.ReplaceAllString(subject, " ")
	subject = mailAddress.ReplaceAllString(subject, " ")
	subject = longNumber.ReplaceAllString(subject, " ")
	var b strings.Builder
	for _, r := range subject {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.,:+/'", r):
			b.WriteRune(r)
		default:
			b.WriteByte(' ')
		}
	}
	words := strings.Fields(b.String())
	var out string
	for _, w := range words {
		w = strings.Trim(w, "_")
		if w == "" {
			continue
		}
		if len(out)+1+len(w) > limit {
			if out == "" {
				out = strings.ToValidUTF8(w[:limit], "")
			}
			return strings.TrimRight(out, " ,:-/+") + " ..."
		}
		if out != "" {
			out += " "
		}
		out += w
	}
	return strings.TrimSpace(out)
}

// safePath makes a path from outside fit for a message.
func safePath(p string) string {
	if len(p) > 200 {
		p = p[:200] + "..."
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/._-+ ", r) {
			return r
		}
		return '?'
	}, p)
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
