package modelrecipe

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Bounds on the edits of one answer: more is no smallest change.
const (
	maxEdits   = 6
	maxEditLen = 6000 // bytes of old or new text
)

// edit is one anchored replacement, as a model gives it.
type edit struct {
	Path string `json:"path"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// stretch is a range of bytes that edits may change.
type stretch struct{ from, to int }

// apply replaces each old text by its new one in src. Every old text has to occur exactly once in the whole file, and
// there inside the stretch; edits may not overlap.
func apply(src []byte, path string, within stretch, list []edit) ([]byte, error) {
	if len(list) == 0 {
		return nil, errors.New("it has no edits")
	}
	if len(list) > maxEdits {
		return nil, fmt.Errorf("it has %d edits, more than %d", len(list), maxEdits)
	}
	type placed struct {
		from, to int
		text     string
	}
	var all []placed
	text := string(src)
	for i, e := range list {
		n := i + 1
		switch {
		case e.Path != path:
			return nil, fmt.Errorf("edit %d is to a file that was not shown: only %s may be changed", n, path)
		case strings.TrimSpace(e.Old) == "":
			return nil, fmt.Errorf("edit %d has no old text", n)
		case len(e.Old) > maxEditLen || len(e.New) > maxEditLen:
			return nil, fmt.Errorf("edit %d is longer than %d bytes", n, maxEditLen)
		case e.Old == e.New:
			return nil, fmt.Errorf("edit %d changes nothing", n)
		case strings.ContainsFunc(e.New, hidden):
			return nil, fmt.Errorf("edit %d holds characters that a reader cannot see", n)
		}
		at := strings.Index(text, e.Old)
		switch {
		case at < 0:
			return nil, fmt.Errorf("the old text of edit %d does not occur in %s; it has to be copied exactly, white space too", n, path)
		case strings.Contains(text[at+1:], e.Old):
			return nil, fmt.Errorf("the old text of edit %d occurs more than once in %s; take more lines around it", n, path)
		case at < within.from || at+len(e.Old) > within.to:
			return nil, fmt.Errorf("edit %d is outside of the body of the one function that may be changed", n)
		}
		all = append(all, placed{at, at + len(e.Old), e.New})
	}
	slices.SortFunc(all, func(a, b placed) int { return cmp.Compare(a.from, b.from) })
	var out []byte
	end := 0
	for _, p := range all {
		if p.from < end {
			return nil, errors.New("two edits overlap")
		}
		out = append(append(out, src[end:p.from]...), p.text...)
		end = p.to
	}
	return append(out, src[end:]...), nil
}
