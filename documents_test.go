package remediator

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pathInDocument finds what looks like a path of this repository: in a link or a code span.
var pathInDocument = regexp.MustCompile("\\]\\(([^)#\\s]+)(?:#[^)]*)?\\)|`((?:\\./)?[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.*-]+)+/?|[A-Z]+\\.md|Makefile)`")

// TestPathsInDocumentsExist keeps documents true: a path that they name is there.
func TestPathsInDocumentsExist(t *testing.T) {
	documents := 0
	err := filepath.WalkDir(".", func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (strings.HasPrefix(e.Name(), ".") && p != "." || e.Name() == "testdata" || e.Name() == "_source" || e.Name() == "out") {
			return fs.SkipDir
		}
		if filepath.Ext(p) != ".md" {
			return nil
		}
		documents++
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for _, m := range pathInDocument.FindAllStringSubmatch(string(text), -1) {
			link, span := m[1], m[2]
			target := link
			if span != "" {
				top, _, _ := strings.Cut(strings.TrimPrefix(span, "./"), "/")
				if _, err := os.Stat(top); err != nil {
					continue // not a path of ours: a route, an import path, a branch
				}
				target = span
			}
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") || strings.ContainsAny(target, "*") {
				continue
			}
			if _, err := os.Stat(target); err == nil {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(p), target)); err != nil {
				t.Errorf("%s names %s, which does not exist", p, target)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if documents == 0 {
		t.Fatal("found no documents: is the test running in the repository's root?")
	}
}
