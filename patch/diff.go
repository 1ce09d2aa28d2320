package patch

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"slices"
	"strings"
)

// contextLines is how many unchanged lines surround a change, as in git.
const contextLines = 3

// Diff returns the unified diff of edits in git's format, files by path. Each file carries
// its full blob names, so that `git apply --3way` finds the base.
func Diff(files []FileEdit) string {
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b FileEdit) int { return strings.Compare(a.Path, b.Path) })
	var b strings.Builder
	for _, f := range files {
		diffFile(&b, f)
	}
	return b.String()
}

// Stat counts the lines that an edit adds and deletes.
func Stat(f FileEdit) (added, deleted int) {
	for _, c := range changes(splitLines(f.Old), splitLines(f.New)) {
		added += c.b1 - c.b0
		deleted += c.a1 - c.a0
	}
	return added, deleted
}

func diffFile(b *strings.Builder, f FileEdit) {
	if f.Old == nil && f.New == nil || f.Old != nil && f.New != nil && bytes.Equal(f.Old, f.New) {
		return
	}
	mode := f.Mode
	if mode == 0 {
		mode = 0o100644
	}
	from, to := quotePath("a/"+f.Path), quotePath("b/"+f.Path)
	fmt.Fprintf(b, "diff --git %s %s\n", from, to)
	switch {
	case f.Old == nil:
		fmt.Fprintf(b, "new file mode %o\nindex %s..%s\n", mode, blobName(nil, false), blobName(f.New, true))
		from = "/dev/null"
	case f.New == nil:
		fmt.Fprintf(b, "deleted file mode %o\nindex %s..%s\n", mode, blobName(f.Old, true), blobName(nil, false))
		to = "/dev/null"
	default:
		fmt.Fprintf(b, "index %s..%s %o\n", blobName(f.Old, true), blobName(f.New, true), mode)
	}
	if len(f.Old) == 0 && len(f.New) == 0 {
		return // an empty file comes or goes: git writes no hunk
	}
	fmt.Fprintf(b, "--- %s\n+++ %s\n", tabbed(from), tabbed(to))
	writeHunks(b, splitLines(f.Old), splitLines(f.New))
}

// writeHunks writes the changes with their context; changes whose contexts touch share a hunk.
func writeHunks(b *strings.Builder, a, z []string) {
	cs := changes(a, z)
	for len(cs) > 0 {
		n := 1
		for n < len(cs) && cs[n].a0-cs[n-1].a1 <= 2*contextLines {
			n++
		}
		hunk := cs[:n]
		cs = cs[n:]
		lead := min(contextLines, hunk[0].a0)
		a0, b0 := hunk[0].a0-lead, hunk[0].b0-lead
		last := hunk[n-1]
		trail := min(contextLines, len(a)-last.a1)
		a1, b1 := last.a1+trail, last.b1+trail
		fmt.Fprintf(b, "@@ -%s +%s @@%s\n", hunkRange(a0, a1), hunkRange(b0, b1), section(a, a0))
		at := a0
		for _, c := range hunk {
			writeLines(b, ' ', a[at:c.a0])
			writeLines(b, '-', a[c.a0:c.a1])
			writeLines(b, '+', z[c.b0:c.b1])
			at = c.a1
		}
		writeLines(b, ' ', a[at:a1])
	}
}

// hunkRange writes the zero-based half-open range [from, to) as diff does: an empty range names the
// line before it, a range of one line leaves out its length.
func hunkRange(from, to int) string {
	switch to - from {
	case 0:
		return fmt.Sprintf("%d,0", from)
	case 1:
		return fmt.Sprintf("%d", from+1)
	}
	return fmt.Sprintf("%d,%d", from+1, to-from)
}

// section is the last line before a hunk that starts in the first column with a letter, which tells
// a reader the function; git's default funcname rule, cut to 80 bytes as there.
func section(a []string, before int) string {
	for i := before - 1; i >= 0; i-- {
		s := a[i]
		if s == "" || !(s[0] == '_' || s[0] == '$' || 'a' <= s[0]|0x20 && s[0]|0x20 <= 'z') {
			continue
		}
		s = strings.TrimRight(s, " \t\r\n")
		if len(s) > 80 {
			s = strings.ToValidUTF8(s[:80], "")
		}
		return " " + s
	}
	return ""
}

func writeLines(b *strings.Builder, sign byte, lines []string) {
	for _, l := range lines {
		b.WriteByte(sign)
		b.WriteString(l)
		if !strings.HasSuffix(l, "\n") {
			b.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// splitLines cuts after every newline; the last line may lack one.
func splitLines(src []byte) []string {
	if len(src) == 0 {
		return nil
	}
	lines := strings.SplitAfter(string(src), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// blobName is git's SHA-1 name of a blob, all zeros where there is none.
func blobName(src []byte, exists bool) string {
	if !exists {
		return strings.Repeat("0", 40)
	}
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(src))
	h.Write(src)
	return fmt.Sprintf("%x", h.Sum(nil))
}

// quotePath quotes a path as git does (core.quotePath): C escapes in double quotes, octal for bytes
// outside ASCII.
func quotePath(p string) string {
	plain := true
	for i := range len(p) {
		if c := p[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			plain = false
		}
	}
	if plain {
		return p
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(p) {
		switch c := p[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\n':
			b.WriteString(`\n`)
		case c < 0x20 || c >= 0x7f:
			fmt.Fprintf(&b, "\\%03o", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// tabbed ends a path that holds a space with a tab, so that nobody takes what follows the space for
// a time stamp.
func tabbed(p string) string {
	if strings.Contains(p, " ") && !strings.HasPrefix(p, `"`) {
		return p + "\t"
	}
	return p
}
