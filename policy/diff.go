package policy

import (
	"errors"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
)

// maxDiff bounds a diff that is read; larger ones no policy would allow.
const maxDiff = 16 << 20

// FactsFromDiff reads a unified diff in git's form. What a diff does not say (service, flag,
// confidence, public interface) is left for the caller. Kinds of files are told from their names.
func FactsFromDiff(diff string) (Facts, error) {
	if len(diff) > maxDiff {
		return Facts{}, fmt.Errorf("the diff is larger than %d MiB", maxDiff>>20)
	}
	if strings.TrimSpace(diff) == "" {
		return Facts{}, errors.New("the diff is empty; make one with git diff")
	}
	files, _, err := gitdiff.Parse(strings.NewReader(diff))
	if err != nil {
		return Facts{}, fmt.Errorf("the diff cannot be read: %w; make one with git diff", err)
	}
	if len(files) == 0 {
		return Facts{}, errors.New("the input holds no diff; make one with git diff")
	}
	facts := Facts{Paths: []string{}, API: []APIChange{}, Telemetry: []string{}}
	seen := map[string]bool{}
	for _, f := range files {
		file, err := fileFacts(f)
		if err != nil {
			return Facts{}, err
		}
		if seen[file.Path] {
			return Facts{}, fmt.Errorf("the diff changes %s twice; join the parts", file.Path)
		}
		seen[file.Path] = true
		facts.Files = append(facts.Files, file)
		facts.Weakened = append(facts.Weakened, weakenings(f, file)...)
		if file.Kind == "test" && file.Status == "added" {
			facts.Tests++
		}
	}
	slices.SortFunc(facts.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return facts, nil
}

func fileFacts(f *gitdiff.File) (File, error) {
	out := File{Path: f.NewName, Status: "modified", Binary: f.IsBinary}
	switch {
	case f.IsNew:
		out.Status = "added"
	case f.IsDelete:
		out.Status, out.Path = "deleted", f.OldName
	case f.IsRename:
		out.Status, out.OldPath = "renamed", f.OldName
	case f.IsCopy:
		out.Status = "added"
	case f.OldName != f.NewName && f.OldName != "":
		// A plain unified diff names both sides without saying "rename".
		out.Status, out.OldPath = "renamed", f.OldName
	}
	for _, name := range []string{out.Path, out.OldPath} {
		if err := checkPath(name); name != out.OldPath && err != nil || name == out.OldPath && name != "" && err != nil {
			return File{}, err
		}
	}
	for _, t := range f.TextFragments {
		out.Added += int(t.LinesAdded)
		out.Deleted += int(t.LinesDeleted)
	}
	for _, m := range []os.FileMode{f.OldMode, f.NewMode} {
		if kind := uint32(m) & 0o170000; kind == 0o120000 || kind == 0o160000 {
			out.Symlink = true
		}
	}
	if text := fmt.Sprintf("%o", uint32(f.NewMode)); f.NewMode != 0 &&
		(f.OldMode != 0 && f.NewMode != f.OldMode || f.IsNew && text != "100644") {
		out.Mode = text
	}
	out.Kind = kindOf(out.Path)
	return out, nil
}

// checkPath refuses paths that do not stay in a repository; a diff of somebody else may hold any.
func checkPath(name string) error {
	if name == "" || path.IsAbs(name) || name != path.Clean(name) || strings.HasPrefix(name, "..") || strings.ContainsAny(name, "\\\x00") {
		return fmt.Errorf("the diff names %q, which is not a path inside a repository", name)
	}
	return nil
}

var (
	testPath = regexp.MustCompile(`(^|/)(tests?|__tests__|spec|testdata)/|_test\.(go|py|rb)$|(^|/)test_[^/]*\.py$|(^|/)conftest\.py$|\.(test|spec)\.[jt]sx?$|(Test|Tests|IT)\.(java|kt)$|(^|/)src/test/`)
	flagPath = regexp.MustCompile(`(?i)(^|/)(feature[-_]?)?flags?(\.[a-z0-9_-]+)?\.(json|ya?ml|toml)$`)
	confPath = regexp.MustCompile(`(?i)\.(ya?ml|json|toml|ini|cfg|conf|properties|env|hcl|tf|tfvars)$`)
	codePath = regexp.MustCompile(`\.(go|py|js|mjs|cjs|jsx|ts|tsx|java|kt|scala|rb|rs|cs|php|c|cc|cpp|h|hpp|swift)$`)
)

// kindOf tells what a file is for by its name alone.
func kindOf(name string) string {
	switch {
	case testPath.MatchString(name):
		return "test"
	case codePath.MatchString(name):
		return "source"
	case flagPath.MatchString(name):
		return "flag"
	case confPath.MatchString(name):
		return "config"
	}
	return "other"
}
