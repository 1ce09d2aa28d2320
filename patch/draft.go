package patch

import (
	"bytes"
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxFile bounds one file of a patch: nothing a person could review is larger.
const maxFile = 4 << 20

// Draft lets the recipe that proposed o write its patch, checks the patch against the
// base and computes its diff. An error says which promise the recipe did not keep.
func Draft(in *Input, o Option, recipes []Recipe) (*Patch, error) {
	i := slices.IndexFunc(recipes, func(r Recipe) bool { return r.Name() == o.Recipe })
	if i < 0 {
		return nil, fmt.Errorf("draft %s: no recipe is called %q; plan again with the recipes of this version", o.ID, o.Recipe)
	}
	if o.Suspect < 0 || o.Suspect >= len(in.Suspects) {
		return nil, fmt.Errorf("draft %s: it names suspect %d of %d; plan again with this evidence", o.ID, o.Suspect, len(in.Suspects))
	}
	p, err := draft(in, o, recipes[i])
	if err != nil {
		return nil, fmt.Errorf("draft %s: %w", o.ID, err)
	}
	p.Option = o
	for k := range p.Files {
		if p.Files[k].Mode == 0 {
			p.Files[k].Mode = 0o100644
		}
	}
	slices.SortStableFunc(p.Files, func(a, b FileEdit) int { return strings.Compare(a.Path, b.Path) })
	if err := check(in, p); err != nil {
		return nil, fmt.Errorf("draft %s: %w", o.ID, err)
	}
	p.Diff = Diff(p.Files)
	return p, nil
}

func draft(in *Input, o Option, r Recipe) (p *Patch, err error) {
	defer func() {
		if e := recover(); e != nil {
			p, err = nil, fmt.Errorf("the recipe failed: %v", e)
		}
	}()
	p, err = r.Draft(in, o)
	if err == nil && p == nil {
		err = errors.New("the recipe made no patch")
	}
	return p, err
}

// check holds a patch to what every reader of it relies on.
func check(in *Input, p *Patch) error {
	if len(p.Files) == 0 {
		return errors.New("the patch changes no file")
	}
	for i, f := range p.Files {
		if i > 0 && p.Files[i-1].Path == f.Path {
			return fmt.Errorf("%s is edited twice", f.Path)
		}
		if err := checkEdit(in, f); err != nil {
			return err
		}
	}
	for _, t := range p.Tests {
		if !slices.ContainsFunc(p.Files, func(f FileEdit) bool { return f.Path == t.File && f.Kind == TestFile && f.New != nil }) {
			return fmt.Errorf("the test %s is said to be in %s, which the patch does not write as a test", t.Name, t.File)
		}
		if len(t.Command) == 0 {
			return fmt.Errorf("the test %s names no command", t.Name)
		}
	}
	if p.Option.Rung == Code && p.Flag == nil {
		return errors.New("a code change needs a flag")
	}
	if p.Flag == nil {
		return nil
	}
	for _, f := range p.Flag.Files {
		if err := checkPath(f.Path); err != nil {
			return err
		}
	}
	return nil
}

func checkEdit(in *Input, f FileEdit) error {
	if err := checkPath(f.Path); err != nil {
		return err
	}
	if f.Mode != 0o100644 && f.Mode != 0o100755 {
		return fmt.Errorf("%s has mode %o; only plain files can be edited", f.Path, f.Mode)
	}
	if f.Old == nil && f.New == nil || f.Old != nil && f.New != nil && bytes.Equal(f.Old, f.New) {
		return fmt.Errorf("the edit of %s changes nothing", f.Path)
	}
	if len(f.Old) > maxFile || len(f.New) > maxFile {
		return fmt.Errorf("%s is larger than %d bytes", f.Path, maxFile)
	}
	if bytes.IndexByte(f.Old, 0) >= 0 || bytes.IndexByte(f.New, 0) >= 0 {
		return fmt.Errorf("%s is not a text", f.Path)
	}
	if err := checkBase(in.Base, f); err != nil {
		return err
	}
	if f.New == nil {
		return nil
	}
	return checkSyntax(in, f)
}

// checkPath accepts clean, relative, slash-separated paths that stay inside the
// repository and out of git's own directory.
func checkPath(p string) error {
	switch {
	case !fs.ValidPath(p) || p == "." || path.Clean(p) != p:
		return fmt.Errorf("%q is not a clean path inside the repository", p)
	case strings.ContainsAny(p, "\\\x00\n\r") || !utf8.ValidString(p):
		return fmt.Errorf("%q holds characters that no path of a patch may have", p)
	}
	for part := range strings.SplitSeq(p, "/") {
		if strings.EqualFold(part, ".git") {
			return fmt.Errorf("%q leads into git's own directory", p)
		}
	}
	return nil
}

// checkBase compares an edit's old side with the base and refuses symbolic links on the way.
func checkBase(base fs.FS, f FileEdit) error {
	for i, c := range f.Path {
		if c != '/' {
			continue
		}
		info, err := fs.Lstat(base, f.Path[:i])
		if errors.Is(err, fs.ErrNotExist) && f.Old == nil {
			return nil // a new directory
		}
		if err != nil {
			return fmt.Errorf("look at %s in the base: %w", f.Path[:i], err)
		}
		if !info.IsDir() {
			return fmt.Errorf("%s lies behind %s, which is not a directory", f.Path, f.Path[:i])
		}
	}
	info, err := fs.Lstat(base, f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if f.Old != nil {
			return fmt.Errorf("%s is not in the base", f.Path)
		}
		return nil
	case err != nil:
		return fmt.Errorf("look at %s in the base: %w", f.Path, err)
	case f.Old == nil:
		return fmt.Errorf("%s is said to be new but is in the base", f.Path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file in the base", f.Path)
	}
	old, err := fs.ReadFile(base, f.Path)
	if err != nil {
		return fmt.Errorf("read the base: %w", err)
	}
	if !bytes.Equal(old, f.Old) {
		return fmt.Errorf("the edit of %s does not start from the base", f.Path)
	}
	return nil
}

// checkSyntax refuses sources that do not parse, and Go that gofmt would change although
// it would have left the old file alone.
func checkSyntax(in *Input, f FileEdit) error {
	if path.Ext(f.Path) != ".go" {
		if in.Syntax == nil {
			return nil
		}
		if err := in.Syntax(f.Path, f.New); err != nil {
			return fmt.Errorf("%s does not parse after the edit: %w", f.Path, err)
		}
		return nil
	}
	formatted, err := format.Source(f.New)
	if err != nil {
		return fmt.Errorf("%s does not parse after the edit: %w", f.Path, err)
	}
	if bytes.Equal(formatted, f.New) {
		return nil
	}
	if old, err := format.Source(f.Old); f.Old != nil && err == nil && !bytes.Equal(old, f.Old) {
		return nil
	}
	return fmt.Errorf("%s is not formatted as gofmt does", f.Path)
}
