package replay

import (
	"slices"
	"strings"
	"sync"

	"github.com/remediator/remediator/telemetry"
)

// cassettes answer outgoing calls in a golden replay: those of each case from what was
// recorded with it.
type cassettes struct {
	library *library

	mu    sync.Mutex
	cases map[telemetry.TraceID]*cassette
}

type cassette struct {
	c     *Case
	noise noiseIndex
	used  []bool
}

func newCassettes(sets []*Set) *cassettes {
	return &cassettes{library: newLibrary(sets), cases: map[telemetry.TraceID]*cassette{}}
}

// insert says that the trace is a replay of the case.
func (cs *cassettes) insert(trace telemetry.TraceID, c *Case) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.cases[trace] = &cassette{c: c, noise: newNoiseIndex(c.Noise), used: make([]bool, len(c.Downstream))}
}

// act implements actor.
func (cs *cassettes) act(peer string, x *tapped) play {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if x.hasContext {
		if c := cs.cases[x.context.trace]; c != nil {
			if d := c.best(peer, x); d != nil {
				return playOf(d)
			}
			return strange(peer, x)
		}
	}
	// A call without the context of a case: start-up, background work, or a client that
	// passes no context on.
	if d := cs.library.find(peer, x); d != nil {
		return playOf(d)
	}
	return strange(peer, x)
}

// best picks the recorded call most like the request: one with the same content up to noise, then one not
// yet used, then by path, query and body; of equals the earliest unused or the latest used one.
// Headers do not count: a change may add one, which the comparison says.
func (c *cassette) best(peer string, x *tapped) *Downstream {
	req := x.request("", nil)
	req.Headers = nil
	asked := requestValue(&req)
	best, bestScore := -1, 0
	for i := range c.c.Downstream {
		d := &c.c.Downstream[i]
		if d.Peer != peer || d.Request.Method != x.method {
			continue
		}
		score := likeness(d, &req)
		if score == 0 {
			continue
		}
		recorded := d.Request
		recorded.Headers = nil
		cmp := comparison{c: c.c, noise: c.noise, names: newAliases()}
		if cmp.same("request.downstream", callPlace(d), requestValue(&recorded), asked) {
			score += 200
		}
		if !c.used[i] {
			score += 100
		}
		if score > bestScore || score == bestScore && c.used[i] {
			best, bestScore = i, score
		}
	}
	if best < 0 {
		return nil
	}
	c.used[best] = true
	return &c.c.Downstream[best]
}

// likeness is how alike two requests of one method are; 0 when they are of different routes.
func likeness(d *Downstream, req *Request) int {
	score := 0
	switch {
	case d.Request.Path == req.Path:
		score = 8
	case matchesRoute(callRoute(d), req.Path):
		score = 1
	default:
		return 0
	}
	if d.Request.Query == req.Query {
		score += 2
	}
	if slices.Equal(d.Request.Body, req.Body) {
		score += 4
	}
	return score
}

// matchesRoute reports whether a path is an instance of a route, where {name}, :name and <name> stand for one
// segment and a trailing {name...} or * for any number.
func matchesRoute(route, path string) bool {
	if route == "" {
		return false // nothing is known, which is not the root
	}
	if route == path || route == telemetry.NormalRoute(path) {
		return true
	}
	rs, ps := strings.Split(strings.Trim(route, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	for i, r := range rs {
		if r == "*" || strings.HasSuffix(r, "...}") || strings.HasPrefix(r, "<path:") {
			return true
		}
		if i >= len(ps) || !isPlaceholder(r) && r != ps[i] {
			return false
		}
	}
	return len(rs) == len(ps)
}

func isPlaceholder(segment string) bool {
	return strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}") || strings.HasPrefix(segment, ":") || strings.HasPrefix(segment, "<") && strings.HasSuffix(segment, ">")
}

// library holds every recorded outgoing call of some sets by peer and method: what the dependencies answer
// when they are well.
type library struct {
	calls map[string][]*Downstream
}

func newLibrary(sets []*Set) *library {
	l := &library{calls: map[string][]*Downstream{}}
	for _, s := range sets {
		for i := range s.Cases {
			for j := range s.Cases[i].Downstream {
				d := &s.Cases[i].Downstream[j]
				key := d.Peer + " " + d.Request.Method
				l.calls[key] = append(l.calls[key], d)
			}
		}
	}
	return l
}

// find returns the healthy call most like the request: a success before anything else.
func (l *library) find(peer string, x *tapped) *Downstream {
	req := x.request("", nil)
	var best *Downstream
	bestScore := 0
	for _, d := range l.calls[peer+" "+x.method] {
		score := likeness(d, &req)
		if score == 0 {
			continue
		}
		if d.Error == "" && d.Response.Status < 400 {
			score += 16
		}
		if score > bestScore {
			best, bestScore = d, score
		}
	}
	return best
}

// peers lists every dependency the sets know.
func (l *library) peers() []string {
	seen := map[string]bool{}
	for _, calls := range l.calls {
		for _, d := range calls {
			seen[d.Peer] = true
		}
	}
	return sortedKeys(seen)
}

// nameOf finds the dependency that telemetry calls by another name, such as an address: the only one that the golden
// sets know to be called with all of these methods and routes. Without one the name stays.
func (l *library) nameOf(peer string, calls []RecordedCall) string {
	if slices.Contains(l.peers(), peer) {
		return peer
	}
	found := ""
	for _, candidate := range l.peers() {
		all := len(calls) > 0
		for i := range calls {
			all = all && slices.ContainsFunc(l.calls[candidate+" "+calls[i].Method], func(d *Downstream) bool {
				return callRoute(d) == calls[i].Route || matchesRoute(calls[i].Route, d.Request.Path)
			})
		}
		if all && found != "" {
			return peer // two fit, so neither is known
		}
		if all {
			found = candidate
		}
	}
	if found == "" {
		return peer
	}
	return found
}
