package evaluate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/localize"
)

// Content is what the cases of a corpus are.
type Content string

// The contents that can be evaluated.
const (
	Bundles Content = "incident bundles" // directories with incident/
	Logs    Content = "parsed logs"      // CASE*.log_structured.csv
	Traces  Content = "trace documents"  // single files
)

// Corpus is a directory of cases with a corpus.json.
type Corpus struct {
	Name, Source, Licence string
	Dir                   string
	Content               Content
	Cases                 []string

	load  func(id string) (incident.Incident, localize.Evidence, error) // nil: the tool's Load of the case's directory
	truth func(id string) ([]byte, error)                               // nil: the case's truth.json
	held  map[string]*kept                                              // cases in memory, see hold
}

// Made is a corpus of incidents that are not files.
func Made(name, source string, cases []string, load func(id string) (incident.Incident, localize.Evidence, error), truth func(id string) ([]byte, error)) *Corpus {
	return &Corpus{Name: name, Source: source, Content: Bundles, Cases: cases, load: load, truth: truth}
}

// maxLabel bounds corpus.json and truth.json.
const maxLabel = 4 << 20

// Open reads corpus.json and tells by what is there what the cases are.
func Open(dir string) (*Corpus, error) {
	data, err := readLabel(filepath.Join(dir, "corpus.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf(`%s has no corpus.json; put one there that lists the cases: {"name": "...", "cases": ["..."]}`, dir)
	}
	if err != nil {
		return nil, err
	}
	var stored struct {
		Name    string   `json:"name"`
		Source  string   `json:"source"`
		Licence string   `json:"licence"`
		Cases   []string `json:"cases"`
	}
	if err := json.Unmarshal(data, &stored); err != nil {
		return nil, fmt.Errorf(`%s: %w; it has the form {"name": "...", "cases": ["..."]}`, filepath.Join(dir, "corpus.json"), err)
	}
	c := &Corpus{Name: stored.Name, Source: stored.Source, Licence: stored.Licence, Dir: dir, Cases: stored.Cases}
	if c.Name == "" {
		c.Name = filepath.Base(filepath.Clean(dir))
	}
	if !headsPage(c.Name) {
		return nil, fmt.Errorf("%s: %.100q cannot be the name of a corpus, after which its page is called; use letters, digits, spaces, '.', '_' and '-'", filepath.Join(dir, "corpus.json"), c.Name)
	}
	if len(c.Cases) == 0 {
		return nil, fmt.Errorf("%s lists no cases", filepath.Join(dir, "corpus.json"))
	}
	seen := map[string]bool{}
	for _, id := range c.Cases {
		if id == "" || !filepath.IsLocal(id) || strings.ContainsAny(id, `/\`) {
			return nil, fmt.Errorf("%s: case %.100q is not the name of a file or directory beside it", filepath.Join(dir, "corpus.json"), id)
		}
		if seen[id] {
			return nil, fmt.Errorf("%s lists case %q twice", filepath.Join(dir, "corpus.json"), id)
		}
		seen[id] = true
	}
	c.Content, err = contentOf(dir, c.Cases)
	return c, err
}

// Collect makes a corpus of all bundles with an answer directly below a directory.
func Collect(dir, name string) (*Corpus, error) {
	answers, err := filepath.Glob(filepath.Join(dir, "*", "truth.json"))
	if err != nil {
		return nil, err
	}
	if len(answers) == 0 {
		return nil, fmt.Errorf("%s holds no incident bundle with a truth.json", dir)
	}
	c := &Corpus{Name: name, Dir: dir, Content: Bundles}
	for _, f := range answers {
		c.Cases = append(c.Cases, filepath.Base(filepath.Dir(f)))
	}
	slices.Sort(c.Cases)
	return c, nil
}

// contentOf looks at every case; all must be of one kind.
func contentOf(dir string, cases []string) (Content, error) {
	var content Content
	for _, id := range cases {
		is := Content("")
		if info, err := os.Stat(filepath.Join(dir, id)); err == nil {
			is = Traces
			if info.IsDir() {
				if _, err := os.Stat(filepath.Join(dir, id, "incident")); err != nil {
					return "", fmt.Errorf("case %s in %s is a directory without incident/; it is no incident bundle", id, dir)
				}
				is = Bundles
			}
		} else if logs, _ := filepath.Glob(filepath.Join(dir, id+"*.log_structured.csv")); len(logs) == 1 {
			is = Logs
		}
		switch {
		case is == "":
			return "", fmt.Errorf("corpus.json of %s lists case %.100q, but there is neither a directory, nor a file, nor parsed logs of that name", dir, id)
		case content != "" && is != content:
			return "", fmt.Errorf("the cases of %s are not of one kind: %s is one of %s, those before it of %s", dir, id, is, content)
		}
		content = is
	}
	return content, nil
}

// path is where a case lies.
func (c *Corpus) path(id string) string { return filepath.Join(c.Dir, id) }

// headsPage says whether a corpus may be called so: a page is written and headed under its name, beside pages that have
// names of their own.
func headsPage(name string) bool {
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(" ._-", r) {
			return false
		}
	}
	switch strings.ToLower(name) {
	case "readme", "costs", strings.TrimSuffix(notesFile, ".md"):
		return false
	}
	return name != "" && name[0] != '.' && len(name) <= 100
}

// readLabel reads a regular file: a pipe would be waited for without end.
func readLabel(name string) ([]byte, error) {
	info, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return nil, fmt.Errorf("%s is a symbolic link, which may lead anywhere; put the file itself there", name)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxLabel+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(data) > maxLabel {
		return nil, fmt.Errorf("%s is larger than %d MiB", name, maxLabel>>20)
	}
	return data, nil
}
