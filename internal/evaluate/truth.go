package evaluate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
)

// The kinds of truth.
const (
	kindCode     = "code"
	kindResource = "resource"
	kindChange   = "change"
	kindExternal = "external"
	kindNone     = "none"
)

// Truth is the label of a case, as truth.json has it.
type Truth struct {
	Kind    string          `json:"kind"`
	Service string          `json:"service"`
	File    string          `json:"file"`
	Files   []string        `json:"files"`
	Lines   []int           `json:"lines"`  // from, to; a from of 0 is the start of the method in Region
	Region  string          `json:"region"` // free text that names the method
	Commit  string          `json:"commit"` // full hash, or "none"
	Decoys  []string        `json:"decoys"`
	Also    []string        `json:"also"`       // other names of the place at fault, such as the third party that is down
	Scope   json.RawMessage `json:"scope_span"` // present: the label concerns only the children of that span
}

func (t *Truth) scoped() bool { return len(t.Scope) > 0 }

// wanted are the files any of which counts.
func (t *Truth) wanted() []string {
	if len(t.Files) > 0 {
		return t.Files
	}
	if t.File != "" {
		return []string{t.File}
	}
	return nil
}

// blameless says that abstaining is the right answer.
func (t *Truth) blameless() bool { return t.Kind == kindNone || t.Kind == kindExternal }

// Truth reads the label of a case.
func (c *Corpus) Truth(id string) (Truth, error) {
	name := filepath.Join(c.path(id), "truth.json")
	read := c.truth
	if read == nil {
		read = func(string) ([]byte, error) { return readLabel(name) }
	}
	data, err := read(id)
	if errors.Is(err, fs.ErrNotExist) {
		return Truth{}, fmt.Errorf("case %s has no truth.json, so nothing says what the right answer is; localize ranks bundles without one", id)
	}
	if err != nil {
		return Truth{}, err
	}
	return parseTruth(data, name)
}

func parseTruth(data []byte, name string) (Truth, error) {
	var t Truth
	if err := json.Unmarshal(data, &t); err != nil {
		return Truth{}, fmt.Errorf("%s: %w", name, err)
	}
	kinds := []string{kindCode, kindResource, kindChange, kindExternal, kindNone}
	switch {
	case !slices.Contains(kinds, t.Kind):
		return Truth{}, fmt.Errorf("%s: kind %q is none of %v", name, t.Kind, kinds)
	case len(t.Lines) != 0 && (len(t.Lines) != 2 || t.Lines[0] < 0 || t.Lines[1] < t.Lines[0]):
		return Truth{}, fmt.Errorf("%s: lines %v are not [from, to]", name, t.Lines)
	}
	return t, nil
}
