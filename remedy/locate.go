package remedy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/remediator/remediator/codeindex"
	"github.com/remediator/remediator/localize"
)

// openTree opens the base tree and indexes it.
func (r *run) openTree(ctx context.Context) error {
	tree, err := r.Repo.Tree(r.c.Base.Commit)
	if err != nil {
		return fmt.Errorf("reading the repository at %s: %w", short(r.c.Base.Commit), err)
	}
	index, err := r.Index(ctx, tree)
	if err != nil {
		return fmt.Errorf("indexing the code at %s: %w", short(r.c.Base.Commit), err)
	}
	r.tree, r.index = tree, index
	return nil
}

// findCode points every suspect at its places in the code. A suspect that ran code which the repository does not
// hold is shown, but nothing is drafted for it: a change would be to something else. A case all of whose suspects
// did goes no further.
func (r *run) findCode() {
	ranked := r.result.Suspects[:min(len(r.result.Suspects), r.Settings.MaxSuspects)]
	r.result.Suspects = nil
	places := newPlaces(r.index, r.Settings.Services, r.in.Evidence.Changes)
	var elsewhere *localize.Suspect
	for i := range ranked {
		s := &ranked[i]
		locations := places.of(s)
		r.c.Suspects = append(r.c.Suspects, describe(i+1, s, locations))
		if !r.deployedFromHere(s) {
			if elsewhere == nil {
				elsewhere = s
			}
			continue
		}
		r.result.Suspects = append(r.result.Suspects, *s)
		r.locations = append(r.locations, locations)
	}
	if elsewhere != nil && len(r.result.Suspects) == 0 {
		r.decline("deployed_commit_missing", fmt.Sprintf("%s ran commit %s during the incident, which is not in the repository", safe(elsewhere.Service), safe(short(elsewhere.Commit))),
			fmt.Sprintf("fetch it (git fetch origin %s; a shallow clone needs git fetch --unshallow), or name the repository of %s with --repo", safe(elsewhere.Commit), safe(elsewhere.Service)))
	}
}

// LocateCode points suspects at their places in the code, without a case around them.
func LocateCode(ix *codeindex.Index, suspects []localize.Suspect, services map[string]Service, changes []localize.Change) []Suspect {
	places := newPlaces(ix, services, changes)
	out := make([]Suspect, len(suspects))
	for i := range suspects {
		out[i] = describe(i+1, &suspects[i], places.of(&suspects[i]))
	}
	return out
}

// places finds suspects in the code.
type places struct {
	index    *codeindex.Index
	services map[string]Service
	touched  map[string]map[string][]lineRange
}

func newPlaces(ix *codeindex.Index, services map[string]Service, changes []localize.Change) places {
	return places{ix, services, hunksByFile(changes)}
}

// of lists the places of a suspect, best first.
func (p places) of(s *localize.Suspect) []codeindex.Location {
	out := p.index.Locate(queries(s, p.services[s.Service])...)
	preferTouched(out, s.Culprit, p.touched)
	return out
}

// deployedFromHere says whether the repository holds the code that the suspect ran, and notes where it is not
// the code that would be changed.
func (r *run) deployedFromHere(s *localize.Suspect) bool {
	if s.Commit == "" || strings.HasPrefix(r.c.Base.Commit, s.Commit) {
		return true
	}
	full, err := r.Repo.Resolve(s.Commit)
	if err != nil {
		r.caveat(fmt.Sprintf("%s ran %s, which is not in the repository", s.Service, short(s.Commit)))
		return false
	}
	if full != r.c.Base.Commit {
		r.caveat(fmt.Sprintf("%s ran %s while the target branch is at %s; the code was located on the target branch", s.Service, short(full), short(r.c.Base.Commit)))
	}
	return true
}

func (r *run) caveat(text string) {
	if !slices.Contains(r.c.Caveats, text) {
		r.c.Caveats = append(r.c.Caveats, text)
	}
}

// queries turns a suspect's hints into leads for the code index.
func queries(s *localize.Suspect, svc Service) []codeindex.WeightedQuery {
	var out []codeindex.WeightedQuery
	for _, h := range s.Hints {
		q := codeindex.Query{Service: s.Service, Paths: svc.Paths}
		switch h.Kind {
		case localize.HintFrame, localize.HintCode:
			q.File, q.Line, q.Function, q.Namespace = h.File, h.Line, h.Function, h.Namespace
		case localize.HintSpan:
			q.Span = h.Text
		case localize.HintRoute:
			q.Method, q.Route = methodAndRoute(h.Text)
		case localize.HintLog:
			q.Log, q.Namespace = h.Text, h.Namespace
		case localize.HintStatement:
			q.Statement = h.Text
		case localize.HintCall:
			q.Method, q.Route = methodAndRoute(h.Text)
			q.Peer = s.Peer
		}
		out = append(out, codeindex.WeightedQuery{Query: q, Weight: h.Weight})
	}
	return out
}

func methodAndRoute(s string) (method, route string) {
	if m, rest, ok := strings.Cut(s, " "); ok && m == strings.ToUpper(m) {
		return m, rest
	}
	return "", s
}

// lineRange is a stretch of lines that a change wrote.
type lineRange struct{ from, to int }

// hunksByFile lists which lines each change wrote, by hash and path.
func hunksByFile(changes []localize.Change) map[string]map[string][]lineRange {
	out := map[string]map[string][]lineRange{}
	for _, c := range changes {
		files := map[string][]lineRange{}
		for _, f := range c.Files {
			for line := range strings.Lines(f.Patch) {
				var a, n int
				rest, ok := strings.CutPrefix(line, "@@ -")
				if !ok {
					continue
				}
				_, plus, ok := strings.Cut(rest, " +")
				if !ok {
					continue
				}
				n = 1
				if k, _ := fmt.Sscanf(plus, "%d,%d", &a, &n); k >= 1 {
					files[f.Path] = append(files[f.Path], lineRange{a, a + max(n, 1) - 1})
				}
			}
		}
		out[c.SHA] = files
	}
	return out
}

// preferTouched moves functions that the blamed change wrote to the front of equally
// plausible ones: a location whose confidence is within a fifth of the best one and whose
// lines the change touched is the likelier place (the same idea as line-level blame in
// SZZ, Śliwerski et al. 2005).
func preferTouched(locations []codeindex.Location, culprit string, touched map[string]map[string][]lineRange) {
	files := touched[culprit]
	if len(locations) == 0 || len(files) == 0 {
		return
	}
	floor := locations[0].Confidence * 0.8
	wrote := func(l codeindex.Location) bool {
		if l.Confidence < floor {
			return false
		}
		for _, h := range files[l.File] {
			if h.from <= l.To && l.From <= h.to {
				return true
			}
		}
		return false
	}
	slices.SortStableFunc(locations, func(a, b codeindex.Location) int {
		switch wa, wb := wrote(a), wrote(b); {
		case wa == wb:
			return 0
		case wa:
			return -1
		}
		return 1
	})
}

func describe(rank int, s *localize.Suspect, locations []codeindex.Location) Suspect {
	out := Suspect{Rank: rank, Service: s.Service, Operation: s.Operation, Peer: s.Peer, Commit: s.Culprit, Deployed: s.Commit,
		Score: s.Score, Confidence: s.Confidence, Reasons: s.Reasons, Patterns: s.Patterns, Traces: s.Traces}
	if len(locations) > 0 {
		l := locations[0]
		out.File, out.Line, out.Function = l.File, l.Line, l.Function
		out.Locations = locations[:min(len(locations), 5)]
	}
	return out
}

// covers says whether one of the globs holds the path.
func covers(globs []string, path string) bool {
	for _, g := range globs {
		if ok, _ := doublestar.Match(g, path); ok {
			return true
		}
		if strings.HasSuffix(g, "/") && strings.HasPrefix(path, g) {
			return true
		}
	}
	return false
}
