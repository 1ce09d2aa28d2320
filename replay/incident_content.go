package replay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// source is a golden case that supplies the content of requests.
type source struct {
	set  *Set
	c    *Case
	deps []*Case // to be sent first, in order
}

// content finds golden cases for the routes of the arrivals.
func (r *incidentReplay) content() (map[string][]source, string) {
	wanted := map[string]int{}
	for _, a := range r.plan.Arrivals {
		wanted[a.Route]++
	}
	out, best := map[string][]source{}, map[string]int{}
	for _, set := range r.sets {
		order, _ := schedule(set)
		byID := map[string]*Case{}
		for _, c := range order {
			byID[c.ID] = c
		}
		for _, c := range order {
			for route := range wanted {
				switch how := suits(c, route); {
				case how > best[route]: // cases of the very route, where there are any, and no others
					best[route], out[route] = how, nil
					fallthrough
				case how > 0 && how == best[route]:
					out[route] = append(out[route], source{set: set, c: c, deps: prerequisites(c, byID)})
				}
			}
		}
	}
	missing := []string{}
	for _, route := range sortedKeys(wanted) {
		// Requests that were refused when all was well do not exercise what broke.
		if good := slices.DeleteFunc(slices.Clone(out[route]), func(s source) bool { return s.c.Response.Status >= 400 }); len(good) > 0 {
			out[route] = good
		}
		if len(out[route]) == 0 {
			missing = append(missing, fmt.Sprintf("%s (%d requests)", route, wanted[route]))
			continue
		}
	}
	// Without the failing operation there is nothing to measure.
	if len(out) == 0 || wanted[r.plan.Operation] > 0 && len(out[r.plan.Operation]) == 0 {
		return nil, fmt.Sprintf("no golden case supplies the content of the incident's requests: %s; record one", strings.Join(missing, ", "))
	}
	if len(missing) > 0 {
		r.run.Notes = append(r.run.Notes, "left out for want of a golden case: "+strings.Join(missing, ", "))
	}
	return out, ""
}

// suits says how well a case stands for a method and route of the incident: 2 for the same route, 1 where one
// may be an instance of the other, 0 not at all.
func suits(c *Case, route string) int {
	method, path, ok := strings.Cut(route, " ")
	switch {
	case !ok || c.Request.Method != method:
		return 0
	case c.Request.Route != "" && placeless(c.Request.Route) == placeless(path):
		return 2
	case matchesRoute(path, c.Request.Path) || matchesRoute(c.Request.Route, path):
		return 1
	}
	return 0
}

// placeless is a route without the names of its placeholders, which frameworks and normalisation give
// differently.
func placeless(route string) string {
	segments := strings.Split(strings.Trim(route, "/"), "/")
	for i, s := range segments {
		if isPlaceholder(s) {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

func prerequisites(c *Case, byID map[string]*Case) []*Case {
	var out []*Case
	seen := map[string]bool{}
	var visit func(c *Case)
	visit = func(c *Case) {
		for _, d := range c.DependsOn {
			if dep := byID[d]; dep != nil && !seen[d] {
				seen[d] = true
				visit(dep)
				out = append(out, dep)
			}
		}
	}
	visit(c)
	return out
}

// prepare warms the service up (each prerequisite and one request per route, while the dependencies are well) and
// makes the messages.
func (r *incidentReplay) prepare(ctx context.Context, content map[string][]source) ([]*shot, string) {
	sent := map[string]bool{}
	n := 0
	for _, route := range sortedKeys(content) {
		for _, s := range content[route] {
			for _, c := range append(slices.Clone(s.deps), s.c) {
				key := s.set.ID + "\x00" + c.ID
				if sent[key] {
					continue
				}
				sent[key] = true
				n++
				if why := r.warmUp(ctx, s.set, c, n); why != "" {
					return nil, why
				}
			}
		}
	}
	var shots []*shot
	next := map[string]int{}
	for i, a := range r.plan.Arrivals {
		sources := content[a.Route]
		if len(sources) == 0 {
			continue
		}
		s := sources[next[a.Route]%len(sources)]
		next[a.Route]++
		req, err := inject(s.c.Request, s.c.Vars.Inject, r.warm[s.set.ID])
		if err != nil {
			return nil, fmt.Sprintf("golden case %s cannot be sent: %s", s.c.ID, err)
		}
		tp := newTraceparent(r.opts.Seed+"\x00incident", i)
		m, err := newMessage(freshened(req, tp))
		if err != nil {
			return nil, fmt.Sprintf("golden case %s cannot be sent: %s", s.c.ID, err)
		}
		shots = append(shots, &shot{arrival: a, message: m, context: tp})
	}
	return shots, ""
}

func (r *incidentReplay) warmUp(ctx context.Context, set *Set, c *Case, n int) string {
	vars := r.warm[set.ID]
	if vars == nil {
		vars = map[string]string{}
		r.warm[set.ID] = vars
	}
	tp := newTraceparent(r.opts.Seed+"\x00warm", n)
	req, err := inject(c.Request, c.Vars.Inject, vars)
	var m message
	if err == nil {
		m, err = newMessage(freshened(req, tp))
	}
	if err != nil {
		return fmt.Sprintf("golden case %s cannot be sent: %s", c.ID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, r.opts.RequestTimeout)
	defer cancel()
	got, err := r.rig.driver.send(ctx, &m, tp)
	if err != nil {
		return fmt.Sprintf("the service gave no answer to golden case %s before the incident began (%s)", c.ID, failure(err))
	}
	if got.status >= 500 && c.Response.Status < 500 {
		return fmt.Sprintf("the service answered %d to golden case %s before the incident began, %d was recorded", got.status, c.ID, c.Response.Status)
	}
	extract(vars, c.Vars.Extract, keepBody(got.body, got.header.Get("Content-Type")))
	return ""
}

// repeatKey names what tells a service that a request is a repetition of an earlier one, which it would answer
// from memory instead of doing the work again.
var repeatKey = regexp.MustCompile(`(?i)^(x[-_])?(idempotency[-_]?key|idempotence[-_]?key|request[-_]?id|correlation[-_]?id)$`)

// freshened gives the request its own identity.
func freshened(r Request, tp traceparent) Request {
	sum := sha256.Sum256(append(tp.trace[:], tp.span[:]...))
	h := hex.EncodeToString(sum[:16])
	id := h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-8" + h[17:20] + "-" + h[20:]
	headers := make(map[string]string, len(r.Headers))
	for k, v := range r.Headers {
		if repeatKey.MatchString(k) {
			v = id
		}
		headers[k] = v
	}
	r.Headers = headers
	if object, ok := bodyValue(r.Body).(map[string]any); ok {
		changed := false
		for k, v := range object {
			if _, text := v.(string); text && repeatKey.MatchString(k) {
				object[k], changed = id, true
			}
		}
		if changed {
			if raw, err := canonicalJSON(object); err == nil {
				r.Body = raw
			}
		}
	}
	return r
}
