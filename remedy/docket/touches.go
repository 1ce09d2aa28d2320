package docket

import (
	"strings"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
)

// touches lists the lines a diff changes, as they stand in the base and after the change. A place where lines are
// only added counts as the two lines around it, since two additions to one place are one conflict.
func touches(diff string) (before, after []Touch, err error) {
	files, _, err := gitdiff.Parse(strings.NewReader(diff))
	if err != nil {
		return nil, nil, err
	}
	for _, f := range files {
		if f.IsNew || f.IsDelete || f.IsBinary {
			name := f.NewName
			if f.IsDelete {
				name = f.OldName
			}
			before = append(before, Touch{Path: name, First: 1, Last: 1 << 30})
		}
		for _, frag := range f.TextFragments {
			was, is := int(frag.OldPosition), int(frag.NewPosition)
			for i := 0; i < len(frag.Lines); {
				if frag.Lines[i].Op == gitdiff.OpContext {
					was, is, i = was+1, is+1, i+1
					continue
				}
				fromWas, fromIs := was, is
				for ; i < len(frag.Lines) && frag.Lines[i].Op != gitdiff.OpContext; i++ {
					if frag.Lines[i].Op == gitdiff.OpDelete {
						was++
					} else {
						is++
					}
				}
				if !f.IsNew && !f.IsDelete {
					first, last := fromWas, was-1
					if last < first {
						first, last = max(fromWas-1, 1), max(fromWas, 1)
					}
					before = append(before, Touch{Path: f.OldName, First: first, Last: last})
				}
				if is > fromIs && !f.IsDelete {
					after = append(after, Touch{Path: f.NewName, First: fromIs, Last: is - 1})
				}
			}
		}
	}
	return before, after, nil
}
