package replay

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// minCorrelated is the length below which two equal values may well be equal by chance.
const minCorrelated = 6

// correlated returns the sets with the values connected that one case's answer gives and a later case's request
// carries, such as the id of what was created. A replayed service makes new ones. Only values that
// recording saw change from round to round count, and only cases that say nothing themselves;
// load-test tools know this as correlation. The sets given are not changed.
func correlated(sets []*Set) []*Set {
	out := make([]*Set, len(sets))
	for i, s := range sets {
		out[i] = correlate(s)
	}
	return out
}

func correlate(s *Set) *Set {
	made := map[string]origin{} // generated value -> where it came from first
	var cases []Case
	for i := range s.Cases {
		c := &s.Cases[i]
		if len(c.Vars.Inject) == 0 {
			for _, use := range uses(c.Request, made) {
				if cases == nil {
					cases = slices.Clone(s.Cases)
				}
				connect(cases, use, i)
			}
		}
		for at, value := range generated(c) {
			if _, known := made[value]; !known {
				made[value] = origin{at: i, pointer: at}
			}
		}
	}
	if cases == nil {
		return s
	}
	with := *s
	with.Cases = cases
	return &with
}

// origin is where a generated value was first seen.
type origin struct {
	at      int // case
	pointer string
}

// use is one place in a request that carries a generated value.
type use struct {
	from    origin
	pointer string // into the request
}

// generated lists the values of a case's answer that differed between recordings, by pointer.
func generated(c *Case) map[string]string {
	doc, err := decodeJSON(c.Response.Body)
	if err != nil {
		return nil
	}
	out := map[string]string{}
	for _, n := range c.Noise {
		if n.Target != "response.body" || n.Rule != "alias" && n.Rule != "uuid" && n.Rule != "regex" {
			continue
		}
		p, err := parsePointer(n.Pointer)
		if err != nil || slices.Contains(p, "*") {
			continue
		}
		if v, ok := p.lookup(doc); ok {
			if text, ok := v.(string); ok && len(text) >= minCorrelated {
				out[p.String()] = text
			}
		}
	}
	return out
}

// uses finds generated values in a request.
func uses(r Request, made map[string]origin) []use {
	if len(made) == 0 {
		return nil
	}
	var out []use
	look := func(value string, at ...string) {
		if from, ok := made[value]; ok {
			out = append(out, use{from, pointer(at).String()})
		}
	}
	for i, segment := range strings.Split(strings.TrimPrefix(r.Path, "/"), "/") {
		if value, err := url.PathUnescape(segment); err == nil {
			look(value, "path", strconv.Itoa(i))
		}
	}
	for _, field := range strings.Split(r.Query, "&") {
		name, raw, _ := strings.Cut(field, "=")
		if value, err := url.QueryUnescape(raw); err == nil {
			look(value, "query", name)
		}
	}
	if doc, err := decodeJSON(r.Body); err == nil && len(r.Body) > 0 {
		eachText(doc, pointer{"body"}, func(at pointer, text string) { look(text, at...) })
	}
	return out
}

// eachText visits the texts of a document in a fixed order.
func eachText(doc any, at pointer, visit func(pointer, string)) {
	switch doc := doc.(type) {
	case string:
		visit(at, doc)
	case []any:
		for i, v := range doc {
			eachText(v, at.child(strconv.Itoa(i)), visit)
		}
	case map[string]any:
		for _, k := range sortedKeys(doc) {
			eachText(doc[k], at.child(k), visit)
		}
	}
}

// connect makes case to take a value from an earlier case.
func connect(cases []Case, u use, to int) {
	from, c := &cases[u.from.at], &cases[to]
	name := "correlated " + from.ID + u.from.pointer
	extract, inject := map[string]string{name: u.from.pointer}, map[string]string{u.pointer: name}
	for k, v := range from.Vars.Extract {
		extract[k] = v
	}
	for k, v := range c.Vars.Inject {
		inject[k] = v
	}
	from.Vars.Extract, c.Vars.Inject = extract, inject
	if !slices.Contains(c.DependsOn, from.ID) {
		c.DependsOn = append(slices.Clone(c.DependsOn), from.ID)
	}
}
