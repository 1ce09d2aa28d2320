package gitrepo

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remediator/remediator/localize"
)

// HistoryRange says which part of a line of development History reads.
type HistoryRange struct {
	From  string    // the newest commit, inclusive: what is deployed, or the branch that is
	Since time.Time // when a commit landed, inclusive; zero for no bound
	Until time.Time
	Max   int // the newest so many; 0 means 200
	// Owner names the service that a path belongs to, "" for none; config.Config's Owner is one. nil means that no
	// change has a service.
	Owner func(path string) string
}

// History is what landed on a line of development.
type History struct {
	Changes []localize.Change // oldest first
	// Notes say what was left out and why, with the next step.
	Notes []string
}

// Bounds of what is walked to find out when commits landed, and how many are returned where nobody says.
const (
	maxMainline    = 20_000
	maxWalked      = 50_000
	defaultCommits = 200
)

// History returns the commits that landed within a time on the line of first parents that ends in From, with their
// patches: hunks without file headers, and the path alone of a binary file or a very large patch. A commit of a side branch landed with the merge that brought it in: that is when it began
// to be built and rolled out, however long before it was written, and its Time says so. It keeps its own hash, author and
// patch, since it can be reverted by itself; merges themselves are left out. Where merges are made by squashing or
// rebasing, each commit landed by itself.
//
// Service is the one that owns all the changed paths that anybody owns, and "" where several do.
func (r *Repo) History(ctx context.Context, in HistoryRange) (History, error) {
	var h History
	from, err := r.Resolve(in.From)
	if err != nil {
		return h, err
	}
	limit := in.Max
	if limit <= 0 {
		limit = defaultCommits
	}
	line, cut, err := r.mainline(ctx, from, in)
	if err != nil {
		return h, err
	}
	if cut {
		h.note("only the newest %d commits of the line of first parents were looked at", maxMainline)
	}
	if len(line) == 0 {
		return h, nil
	}
	landed, err := r.landings(ctx, line, &h)
	if err != nil {
		return h, err
	}
	if landed, err = r.withoutBoundary(ctx, landed, &h); err != nil {
		return h, err
	}
	if len(landed) > limit {
		h.note("%d commits landed in that time; the newest %d are kept", len(landed), limit)
		landed = landed[len(landed)-limit:]
	}
	h.Changes, err = r.describe(ctx, landed)
	if err != nil {
		return h, err
	}
	if err := r.addPatches(ctx, h.Changes); err != nil {
		return h, err
	}
	for i := range h.Changes {
		h.Changes[i].Service = ownerOf(h.Changes[i].Files, in.Owner)
	}
	return h, nil
}

func (h *History) note(format string, args ...any) {
	h.Notes = append(h.Notes, fmt.Sprintf(format, args...))
}

// step is a commit and its parents.
type step struct {
	sha     string
	parents []string
	time    time.Time // committer's; of steps of the main line only
}

// mainline lists the first-parent line's commits within the time, newest first.
func (r *Repo) mainline(ctx context.Context, from string, in HistoryRange) (line []step, cut bool, err error) {
	out, err := r.git.run(ctx, r.path, nil, "rev-list", "--first-parent", "--parents", "--timestamp",
		"--max-count="+strconv.Itoa(maxMainline), from, "--")
	if err != nil {
		return nil, false, err
	}
	n := 0
	for text := range strings.Lines(string(out)) {
		n++
		fields := strings.Fields(text)
		if len(fields) < 2 || !fullHash.MatchString(fields[1]) {
			return nil, false, fmt.Errorf("git rev-list printed %q, which is not a commit", shorten(text))
		}
		seconds, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return nil, false, fmt.Errorf("commit %s has no committer time: %w", fields[1], err)
		}
		at := time.Unix(seconds, 0).UTC()
		if !in.Since.IsZero() && at.Before(in.Since) || !in.Until.IsZero() && at.After(in.Until) {
			continue
		}
		line = append(line, step{sha: fields[1], parents: fields[2:], time: at})
	}
	return line, n >= maxMainline, nil
}

// landing is a commit and when it landed.
type landing struct {
	sha  string
	time time.Time
}

// landings returns the commits other than merges that came with the steps of the line, oldest first.
func (r *Repo) landings(ctx context.Context, line []step, h *History) ([]landing, error) {
	args := []string{"rev-list", "--parents", "--topo-order", "--max-count=" + strconv.Itoa(maxWalked), line[0].sha}
	if last := line[len(line)-1]; len(last.parents) > 0 {
		args = append(args, "^"+last.parents[0])
	}
	out, err := r.git.run(ctx, r.path, nil, append(args, "--")...)
	if err != nil {
		return nil, err
	}
	var graph []step
	for text := range strings.Lines(string(out)) {
		if fields := strings.Fields(text); len(fields) > 0 {
			graph = append(graph, step{sha: fields[0], parents: fields[1:]})
		}
	}
	if len(graph) >= maxWalked {
		h.note("only the newest %d commits were looked at", maxWalked)
	}
	return land(line, graph), nil
}

// land says of each commit of the graph with which step of the line it landed: the first from which it can be reached. Both
// lists are newest first, children before their parents. Merges are left out; the result is oldest first.
func land(line, graph []step) []landing {
	parents := make(map[string][]string, len(graph))
	place := make(map[string]int, len(graph))
	for i, s := range graph {
		parents[s.sha], place[s.sha] = s.parents, i
	}
	var all []landing
	seen := map[string]bool{}
	for _, s := range slices.Backward(line) {
		var came []string
		for todo := []string{s.sha}; len(todo) > 0; {
			sha := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			up, known := parents[sha]
			if !known || seen[sha] {
				continue
			}
			seen[sha] = true
			if len(up) < 2 {
				came = append(came, sha)
			}
			todo = append(todo, up...)
		}
		slices.SortFunc(came, func(a, b string) int { return place[b] - place[a] })
		for _, sha := range came {
			all = append(all, landing{sha, s.time})
		}
	}
	return all
}

// withoutBoundary leaves out the commits at which a shallow clone ends: git shows everything as added by them.
func (r *Repo) withoutBoundary(ctx context.Context, landed []landing, h *History) ([]landing, error) {
	if shallow, err := r.git.text(ctx, r.path, "rev-parse", "--is-shallow-repository"); err != nil || shallow != "true" {
		return landed, err
	}
	common, err := r.commonDir(ctx)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(common, "shallow"))
	if err != nil {
		return nil, fmt.Errorf("read where the shallow clone ends: %w", err)
	}
	boundary := map[string]bool{}
	for text := range strings.Lines(string(data)) {
		boundary[strings.TrimSpace(text)] = true
	}
	kept := slices.DeleteFunc(landed, func(l landing) bool { return boundary[l.sha] })
	h.note("the repository is a shallow clone, so that older commits may be missing: complete it (git fetch --unshallow)")
	return kept, nil
}

// describe reads authors and messages. The order stays.
func (r *Repo) describe(ctx context.Context, landed []landing) ([]localize.Change, error) {
	if len(landed) == 0 {
		return nil, nil
	}
	var list bytes.Buffer
	times := map[string]time.Time{}
	for _, l := range landed {
		list.WriteString(l.sha + "\n")
		times[l.sha] = l.time
	}
	out, err := r.git.run(ctx, r.path, &list, "log", "-z", "--no-walk=unsorted", "--stdin", "--no-show-signature", "--no-color",
		"--no-notes", "--no-mailmap", "--no-patch", "--format=%H%n%ct%n%an%n%B")
	if err != nil {
		return nil, err
	}
	changes := make([]localize.Change, 0, len(landed))
	for record := range strings.SplitSeq(string(out), "\x00") {
		if record == "" {
			continue
		}
		c, err := parseCommit(record)
		if err != nil {
			return nil, err
		}
		at, ok := times[c.SHA]
		if !ok {
			return nil, fmt.Errorf("git log printed commit %s, which nobody asked for", c.SHA)
		}
		c.Time = at
		changes = append(changes, c)
	}
	if len(changes) != len(landed) {
		return nil, fmt.Errorf("git log printed %d commits of %d", len(changes), len(landed))
	}
	return changes, nil
}

// ownerOf is the one service that owns whichever of the files are owned.
func ownerOf(files []localize.ChangedFile, owner func(string) string) string {
	found := ""
	if owner == nil {
		return ""
	}
	for _, f := range files {
		switch o := owner(f.Path); {
		case o == "" || o == found:
		case found == "":
			found = o
		default:
			return ""
		}
	}
	return found
}
