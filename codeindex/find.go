package codeindex

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/remediator/remediator/codeindex/extract"
	"github.com/remediator/remediator/codeindex/facts"
)

// maxParsed bounds how many files Find parses; the best matches come first, and weak ones only up to
// enoughParsed.
const (
	maxParsed    = 150
	enoughParsed = 40
)

// Find answers one lead without an index: it searches the sources for the words of the lead and
// parses only the files that have the most of them. It sees only those files, so that constants,
// callers and prefixes in others stay unknown: an Index answers better, Find sooner.
func Find(ctx context.Context, fsys fs.FS, q Query, o Options) ([]Location, error) {
	o = o.withDefaults()
	o.noStat = true
	needles := needlesOf(&q)
	var want func(string) bool
	if q.File != "" {
		// The name of the file is the best needle there is.
		base := path.Base(strings.ReplaceAll(q.File, "\\", "/"))
		want = func(name string) bool { return path.Base(name) == base }
	}
	files, err := walk(ctx, fsys, o, want)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 && want == nil {
		return nil, ErrNoSource
	}
	all := files
	if want == nil {
		if len(needles) == 0 {
			return nil, fmt.Errorf("nothing to search for in %+v: give a span name, a route, a log message, a statement or a frame", q)
		}
		if files, err = search(ctx, fsys, o, all, needles, &q); err != nil {
			return nil, err
		}
	}
	if len(files) > maxParsed { // as many files of that name: those at the most similar places
		frame := path.Clean(strings.ReplaceAll(q.File, "\\", "/"))
		sort.SliceStable(files, func(i, j int) bool {
			return sharedTail(files[i].path, frame) > sharedTail(files[j].path, frame)
		})
		files = files[:maxParsed]
	}
	x, err := indexSome(ctx, fsys, o, files, nil)
	if err != nil {
		return nil, err
	}
	// The registration of a route names the handler; its file is a second thing to search for.
	if handlers := x.unresolved(&q); want == nil && len(handlers) > 0 {
		more, err := search(ctx, fsys, o, all, handlers, &q)
		if err != nil {
			return nil, err
		}
		for _, f := range more {
			if _, have := x.byPath[f.path]; !have {
				files = append(files, f)
			}
		}
		if x, err = indexSome(ctx, fsys, o, files, x); err != nil {
			return nil, err
		}
	}
	return x.Locate(WeightedQuery{Query: q}), nil
}

// indexSome indexes the listed files, taking over those that are indexed already.
func indexSome(ctx context.Context, fsys fs.FS, o Options, files []found, have *Index) (*Index, error) {
	files = slices.Clone(files)
	sort.Slice(files, func(i, j int) bool { return files[i].path < files[j].path })
	known := newStore(Options{})
	if have != nil {
		for i := range files {
			if n, ok := have.byPath[files[i].path]; ok {
				files[i].hash = have.entries[n].hash
				known.add(have.entries[n])
			}
		}
	}
	return index(ctx, fsys, o, files, known)
}

// unresolved are the handlers of the route in question that no indexed file declares.
func (x *Index) unresolved(q *Query) []string {
	route := q.Route
	if q.Peer != "" {
		return nil
	}
	if route == "" {
		if _, r, ok := splitOperation(q.Span); ok {
			route = r
		}
	}
	if route == "" {
		return nil
	}
	var out []string
	x.eachSite(facts.Route, nil, func(entry int, _ *facts.File, s *facts.Site) {
		if score, _ := sameRoute(x.resolve(entry, s.Text), route); score == 0 || len(x.handlerHits(entry, s, q.Method, 1, "")) > 0 {
			return
		}
		for _, name := range strings.Split(s.Handler, "|") {
			if name = lastName(name); len(name) > 2 && !contains(out, name) && len(out) < 4 {
				out = append(out, name)
			}
		}
	})
	return out
}

// needlesOf are texts that a file must hold, at least one of them, to explain the lead; the more
// telling ones come first.
func needlesOf(q *Query) []string {
	var out []string
	add := func(list ...string) {
		for _, n := range list {
			if len(n) >= 2 && !contains(out, n) {
				out = append(out, n)
			}
		}
	}
	if _, fn := splitFunction(q.Namespace, q.Function); fn != "" {
		add(fn)
	} else if q.Namespace != "" {
		add(lastName(q.Namespace))
	}
	for _, operation := range []string{q.Route, q.Span} {
		if operation == "" {
			continue
		}
		_, route, isRoute := splitOperation(operation)
		if !isRoute {
			if operation == q.Span {
				add(operation)
				add(words(operation, 3)...)
			}
			continue
		}
		parts := segments(route)
		for i := len(parts) - 1; i >= 0; i-- { // prefixes are often elsewhere, ends are not
			if parts[i] != "{}" && !dynamic(parts[i]) {
				add(parts[i])
			}
		}
	}
	if q.Log != "" {
		add(words(strings.ReplaceAll(q.Log, facts.Hole, " "), 4)...)
	}
	if q.Statement != "" {
		add(words(q.Statement, 4)...)
	}
	if q.Peer != "" && len(out) == 0 {
		if peer := plain(strings.Split(q.Peer, ":")[0]); peer != "" {
			add(peer, strings.ToUpper(peer[:1])+peer[1:])
		}
	}
	return out
}

// search ranks the files by how many needles they hold, and leaves out those with none.
func search(ctx context.Context, fsys fs.FS, o Options, files []found, needles []string, q *Query) ([]found, error) {
	scores := make([]int, len(files))
	patterns := make([][]byte, len(needles))
	for i, n := range needles {
		patterns[i] = []byte(n)
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	const batch = 64
	for range o.Workers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			r := newReads(fsys, o.MaxFileSize)
			r.hasty = true
			for ctx.Err() == nil {
				from := int(next.Add(batch)) - batch
				if from >= len(files) {
					return
				}
				for i := from; i < min(from+batch, len(files)); i++ {
					src, err := r.read(files[i].path)
					if err != nil {
						continue
					}
					for k, p := range patterns {
						// A router's file is often named after the prefix that is added elsewhere.
						if bytes.Contains(src, p) || strings.Contains(files[i].path, needles[k]) {
							scores[i] += 1 + (len(patterns)-k)*4 // the first needles tell more
						}
					}
					if scores[i] > 0 && q.within(files[i].path) == 1 {
						scores[i] += 2
					}
				}
			}
		}()
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var order []int
	for i := range files {
		if scores[i] > 0 {
			order = append(order, i)
		}
	}
	sort.SliceStable(order, func(a, b int) bool { return scores[order[a]] > scores[order[b]] })
	var out []found
	for _, i := range order {
		// What is far behind the best has a common word or two of the lead.
		if len(out) == maxParsed || len(out) >= enoughParsed && scores[i] < scores[order[0]]/2 {
			break
		}
		if extract.Language(files[i].path) != "" {
			out = append(out, files[i])
		}
	}
	return out, nil
}
