package gitrepo

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/remediator/remediator/localize"
)

// Bounds of what is kept of one commit. Longer patches are left out, their paths stay.
const (
	maxFilePatch   = 64 << 10
	maxCommitPatch = 1 << 20
	maxFiles       = 300
	maxMessage     = 16 << 10
)

// parseCommit reads "hash\ntime\nauthor\nmessage". The first three cannot hold a line break.
func parseCommit(record string) (localize.Change, error) {
	parts := strings.SplitN(record, "\n", 4)
	if len(parts) != 4 || !fullHash.MatchString(parts[0]) {
		return localize.Change{}, fmt.Errorf("git log printed %q, which is not a commit", shorten(record))
	}
	seconds, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return localize.Change{}, fmt.Errorf("commit %s has no committer time: %w", parts[0], err)
	}
	message := strings.ToValidUTF8(strings.TrimSpace(parts[3]), "\ufffd")
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "")
	}
	return localize.Change{
		SHA:     parts[0],
		Time:    time.Unix(seconds, 0).UTC(),
		Author:  strings.ToValidUTF8(parts[2], "\ufffd"),
		Message: message,
	}, nil
}

// addPatches fills in the files of all changes by one git process, with hunks as git prints them and without file
// headers. Patches of binary files and very large ones are empty; only the path tells of them. A line of the form "<hash>"
// starts a commit's patch; inside a patch no line can look like that, since every line of a
// hunk carries a marker in its first column.
func (r *Repo) addPatches(ctx context.Context, changes []localize.Change) error {
	if len(changes) == 0 {
		return nil
	}
	var list bytes.Buffer
	bySHA := map[string]int{}
	for i, c := range changes {
		list.WriteString(c.SHA + "\n")
		bySHA[c.SHA] = i
	}
	out, err := r.git.run(ctx, r.path, &list, "diff-tree", "--stdin", "--root", "-r", "-p", "-M", "-U3", "--no-color",
		"--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/", "--diff-algorithm=default", "--ignore-submodules=none")
	if err != nil {
		return err
	}
	current, start := -1, 0
	flush := func(end int) {
		if current >= 0 {
			changes[current].Files = splitPatch(string(out[start:end]))
		}
	}
	for at := 0; at < len(out); {
		end := bytes.IndexByte(out[at:], '\n')
		if end < 0 {
			end = len(out) - at
		}
		if end == 40 {
			if i, ok := bySHA[string(out[at:at+end])]; ok {
				flush(at)
				current, start = i, at+end+1
			}
		}
		at += end + 1
	}
	flush(len(out))
	return nil
}

// splitPatch splits the patch of one commit into its files.
func splitPatch(patch string) []localize.ChangedFile {
	var files []localize.ChangedFile
	total := 0
	for _, section := range sections(patch) {
		if len(files) >= maxFiles {
			break
		}
		header, hunks := section, ""
		if i := strings.Index(section, "\n@@ "); i >= 0 {
			header, hunks = section[:i+1], section[i+1:]
		}
		name := patchedPath(header)
		if name == "" {
			continue
		}
		if len(hunks) > maxFilePatch || total+len(hunks) > maxCommitPatch || strings.ContainsRune(hunks, 0) {
			hunks = ""
		}
		total += len(hunks)
		files = append(files, localize.ChangedFile{Path: name, Patch: strings.ToValidUTF8(hunks, "\ufffd")})
	}
	return files
}

// sections cuts a patch before every "diff --git" line.
func sections(patch string) []string {
	const mark = "diff --git "
	var out []string
	for patch != "" {
		if !strings.HasPrefix(patch, mark) {
			_, patch, _ = strings.Cut(patch, "\n")
			continue
		}
		next := strings.Index(patch[1:], "\n"+mark)
		if next < 0 {
			return append(out, patch)
		}
		out = append(out, patch[:next+2])
		patch = patch[next+2:]
	}
	return out
}

// patchedPath finds the new path in a file header, or the old one of a deleted file.
func patchedPath(header string) string {
	var from, to, renamed, both string
	for line := range strings.SplitSeq(header, "\n") {
		switch {
		case strings.HasPrefix(line, "+++ "):
			to = unquote(strings.TrimSuffix(line[4:], "\t"), "b/")
		case strings.HasPrefix(line, "--- "):
			from = unquote(strings.TrimSuffix(line[4:], "\t"), "a/")
		case strings.HasPrefix(line, "rename to "), strings.HasPrefix(line, "copy to "):
			_, rest, _ := strings.Cut(line, " to ")
			renamed = unquote(rest, "")
		case strings.HasPrefix(line, "diff --git "):
			both = sameName(strings.TrimPrefix(line, "diff --git "))
		}
	}
	for _, name := range []string{renamed, to, from, both} {
		if name != "" {
			return name
		}
	}
	return ""
}

// unquote undoes git's C-style quoting and strips the prefix. /dev/null becomes "".
func unquote(name, prefix string) string {
	if strings.HasPrefix(name, `"`) {
		plain, err := strconv.Unquote(name)
		if err != nil {
			return ""
		}
		name = plain
	} else if name == "/dev/null" {
		return ""
	}
	return strings.ToValidUTF8(strings.TrimPrefix(name, prefix), "\ufffd")
}

// sameName reads "a/NAME b/NAME", where both names are the same because nothing was renamed.
func sameName(rest string) string {
	if strings.HasPrefix(rest, `"`) {
		if quoted, err := strconv.QuotedPrefix(rest); err == nil {
			return unquote(quoted, "a/")
		}
		return ""
	}
	half := (len(rest) - 1) / 2
	if len(rest)%2 == 1 && half > 2 && rest[half] == ' ' && rest[2:half] == rest[half+3:] {
		return strings.ToValidUTF8(rest[2:half], "\ufffd")
	}
	return ""
}
