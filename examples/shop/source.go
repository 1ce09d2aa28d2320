package shop

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"
)

//go:embed all:_source
var source embed.FS

//go:embed all:history
var patches embed.FS

// sourceDir is the root of the base tree.
const sourceDir = "_source"

// template is the ending of files of the base tree that cannot be embedded under their own
// name: a go.mod would make the directory a module of its own.
const template = ".tmpl"

// baseTree reads the tree of the first commit: path -> content.
func baseTree() (map[string][]byte, error) {
	tree := make(map[string][]byte)
	err := fs.WalkDir(source, sourceDir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			// What running the sources in place leaves behind is not part of them.
			if d.Name() == "__pycache__" || d.Name() == "bin" || d.Name() == ".venv" {
				return fs.SkipDir
			}
			return nil
		}
		content, err := source.ReadFile(name)
		if err != nil {
			return err
		}
		tree[strings.TrimSuffix(strings.TrimPrefix(name, sourceDir+"/"), template)] = content
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the base tree: %w", err)
	}
	if len(tree) == 0 {
		return nil, fmt.Errorf("the base tree is empty")
	}
	return tree, nil
}

// series lists the patches of a scenario in their order.
func series(scenario string) ([]string, error) {
	text, err := patches.ReadFile(path.Join("history/scenarios", scenario))
	if err != nil {
		return nil, fmt.Errorf("no scenario %q; the scenarios are %s", scenario, strings.Join(Names(), ", "))
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if strings.HasSuffix(line, ".patch") {
			names = append(names, path.Join("history", line))
			continue
		}
		inDir, err := fs.Glob(patches, path.Join("history", line, "*.patch"))
		if err != nil || len(inDir) == 0 {
			return nil, fmt.Errorf("series of %q: there are no patches in %q", scenario, line)
		}
		sort.Strings(inDir)
		names = append(names, inDir...)
	}
	return names, nil
}

// goldenSet reads one golden trace set, named "service/name.json".
func goldenSet(sets fs.FS, name string) ([]byte, error) {
	set, err := fs.ReadFile(sets, name)
	if err != nil {
		return nil, fmt.Errorf("golden set %q: %w; record it with `make -C examples/shop record-golden`", name, err)
	}
	return set, nil
}
