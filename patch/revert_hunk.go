package patch

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
)

// revertMaxPatch bounds the hunks of one file that are looked at. Larger changes are not
// something a person reviews in a hurry, so they are left to people.
const revertMaxPatch = 1 << 20

// revertConflict says where the reverse of a change does not fit the base.
type revertConflict struct {
	File string
	Line int // 1-based line of the base at which the hunk was expected
	Why  string
}

func (c *revertConflict) Error() string {
	return fmt.Sprintf("does not revert cleanly: %s:%d: %s", safePath(c.File), c.Line, c.Why)
}

// errRevertUndone says that a file already has the content from before the change.
var errRevertUndone = errors.New("already reverted")

// revertHunks parses the hunks of one changed file. They come without file headers; a
// header of this package's own making is put before them, and hunks that would end and
// open another file are an error.
func revertHunks(file, patch string) ([]*gitdiff.TextFragment, error) {
	file = safePath(file)
	if strings.TrimSpace(patch) == "" {
		return nil, fmt.Errorf("the content of the change to %s is not known; supply the commit with its hunks", file)
	}
	if len(patch) > revertMaxPatch {
		return nil, fmt.Errorf("the change to %s is larger than %d bytes; revert it by hand", file, revertMaxPatch)
	}
	if !strings.HasPrefix(patch, "@@ -") {
		head, body, ok := strings.Cut(patch, "\n@@ -")
		if !ok || strings.Contains(head, "\nrename ") || strings.Contains(head, "\nnew mode ") || strings.Contains(head, "GIT binary patch") {
			return nil, fmt.Errorf("the change to %s is a rename, a change of mode or binary; revert it by hand", file)
		}
		patch = "@@ -" + body
	}
	if !strings.HasSuffix(patch, "\n") {
		patch += "\n"
	}
	files, _, err := gitdiff.Parse(strings.NewReader("diff --git a/f b/f\n--- a/f\n+++ b/f\n" + patch))
	if err != nil {
		return nil, fmt.Errorf("the hunks of %s cannot be read, they may be cut off: %w", file, err)
	}
	if len(files) != 1 || files[0].IsBinary || len(files[0].TextFragments) == 0 {
		return nil, fmt.Errorf("the hunks of %s are not those of one text file", file)
	}
	return files[0].TextFragments, nil
}

// hunkSides returns the lines a hunk expects before and after the change.
func hunkSides(h *gitdiff.TextFragment) (before, after []string) {
	for _, l := range h.Lines {
		if l.Op != gitdiff.OpAdd {
			before = append(before, l.Line)
		}
		if l.Op != gitdiff.OpDelete {
			after = append(after, l.Line)
		}
	}
	return before, after
}

// createsFile reports hunks that bring a file into being, deletesFile those that end it.
func createsFile(hs []*gitdiff.TextFragment) bool {
	return len(hs) == 1 && hs[0].OldLines == 0 && hs[0].OldPosition == 0
}

func deletesFile(hs []*gitdiff.TextFragment) bool {
	return len(hs) == 1 && hs[0].NewLines == 0 && hs[0].NewPosition == 0
}

// reverseHunks undoes hunks in the text src. Every hunk, context included, has to stand in
// src word for word; where it stands more than once, only the place that the line numbers
// name is taken. There is no fuzz: a reverse that needs judgement is a person's.
func reverseHunks(file string, src []byte, hs []*gitdiff.TextFragment) ([]byte, error) {
	lines := splitLines(src)
	var out strings.Builder
	at, shift := 0, 0 // lines consumed so far; how far the last hunk was from its line number
	undone := 0
	for _, h := range hs {
		before, after := hunkSides(h)
		want := int(h.NewPosition) - 1 + shift
		if h.NewLines == 0 {
			want++ // an empty range names the line before it
		}
		place, err := findLines(lines, after, at, want)
		if err != nil {
			if _, e := findLines(lines, before, 0, int(h.OldPosition)-1); e == nil && len(before) > 0 {
				undone++
				continue
			}
			return nil, &revertConflict{File: file, Line: max(1, want+1), Why: err.Error()}
		}
		shift += place - want
		for _, l := range lines[at:place] {
			out.WriteString(l)
		}
		for _, l := range before {
			out.WriteString(l)
		}
		at = place + len(after)
	}
	if undone == len(hs) {
		return nil, errRevertUndone
	}
	if undone > 0 {
		return nil, &revertConflict{File: file, Line: 1, Why: "a part of the change has been undone already"}
	}
	for _, l := range lines[at:] {
		out.WriteString(l)
	}
	return []byte(out.String()), nil
}

// findLines finds block in lines at or after from: the one place where it stands, or
// else the expected one of several.
func findLines(lines, block []string, from, want int) (int, error) {
	if len(block) == 0 {
		// A deletion without context: nothing in the text says where it was.
		if want == 0 && len(lines) == 0 {
			return 0, nil
		}
		return 0, errors.New("lines were deleted here without context that shows the place")
	}
	found, count := -1, 0
	for p := from; p+len(block) <= len(lines); p++ {
		if !equalLines(lines[p:p+len(block)], block) {
			continue
		}
		if p == want {
			return p, nil
		}
		found = p
		count++
	}
	switch count {
	case 0:
		return 0, errors.New("the changed lines are no longer there; a later commit changed them or their neighbours")
	case 1:
		return found, nil
	}
	return 0, fmt.Errorf("the changed lines stand there %d times, and none where expected", count)
}

func equalLines(a, b []string) bool {
	for i := range b {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
