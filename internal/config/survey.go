package config

import (
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Bounds of a look at a repository.
const (
	maxEntries  = 50_000
	maxDirDepth = 8
	maxSource   = 512 << 10 // bytes read of one file
)

// skipped directories hold no code of the repository's own, or none that is deployed.
var skipped = []string{"node_modules", "vendor", "testdata", "third_party", "dist", "target", "venv", "__pycache__", "site-packages"}

// survey is what a repository holds, by directory.
type survey struct {
	fsys  fs.FS
	files map[string][]string // directory -> names of regular files, sorted
	dirs  []string            // sorted
	notes []string
	cache map[string]string
}

func newSurvey(fsys fs.FS) (*survey, error) {
	s := &survey{fsys: fsys, files: map[string][]string{}, cache: map[string]string{}}
	entries := 0
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			if name == "." {
				return err
			}
			return nil // an unreadable directory is not looked at
		}
		if entries++; entries > maxEntries {
			s.note("the repository is very large; only its first files were looked at")
			return fs.SkipAll
		}
		if d.IsDir() {
			base := d.Name()
			if name != "." && (strings.HasPrefix(base, ".") || slices.Contains(skipped, base) || strings.Count(name, "/") >= maxDirDepth) {
				return fs.SkipDir
			}
			s.dirs = append(s.dirs, name)
			return nil
		}
		if d.Type().IsRegular() {
			s.files[path.Dir(name)] = append(s.files[path.Dir(name)], d.Name())
		}
		return nil
	})
	slices.Sort(s.dirs)
	return s, err
}

func (s *survey) note(text string) {
	if !slices.Contains(s.notes, text) {
		s.notes = append(s.notes, text)
	}
}

func (s *survey) has(dir string, names ...string) bool {
	return s.first(dir, names...) != ""
}

// first returns the first of the names that the directory holds.
func (s *survey) first(dir string, names ...string) string {
	for _, n := range names {
		if slices.Contains(s.files[dir], n) {
			return n
		}
	}
	return ""
}

func (s *survey) hasDir(dir string) bool {
	_, found := slices.BinarySearch(s.dirs, dir)
	return found
}

// read returns the beginning of a file, "" when it cannot be read.
func (s *survey) read(name string) string {
	if text, ok := s.cache[name]; ok {
		return text
	}
	f, err := s.fsys.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSource))
	if err != nil {
		return ""
	}
	s.cache[name] = string(data)
	return s.cache[name]
}

// under yields the directories at or below dir.
func (s *survey) under(dir string) []string {
	if dir == "." {
		return s.dirs
	}
	var out []string
	for _, d := range s.dirs {
		if d == dir || strings.HasPrefix(d, dir+"/") {
			out = append(out, d)
		}
	}
	return out
}

// sources returns the non-test source files at or below dir with one of the extensions.
func (s *survey) sources(dir string, extensions ...string) []string {
	var out []string
	for _, d := range s.under(dir) {
		for _, name := range s.files[d] {
			if slices.Contains(extensions, path.Ext(name)) && !testName.MatchString(name) {
				out = append(out, path.Join(d, name))
			}
		}
	}
	return out
}

var testName = regexp.MustCompile(`_test\.go$|^test_.*\.py$|_test\.py$|^conftest\.py$|\.(test|spec)\.[jt]sx?$|(Test|Tests|IT)\.java$`)

// extensions of the languages that are known.
var extensions = map[string][]string{
	"go": {".go"}, "python": {".py"}, "javascript": {".js", ".mjs", ".cjs"}, "typescript": {".ts", ".js"}, "java": {".java"},
}
