package replay

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Words a case may use. They are the format, so a new one is a new schema version.
var (
	caseKinds    = []string{"http", "grpc", "message"}
	caseEffects  = []string{"read", "sandboxed_write", "forbidden"}
	noiseTargets = []string{"response.body", "response.header", "request.downstream", "span"}
	noiseRules   = []string{"ignore", "presence", "uuid", "timestamp", "numeric", "regex", "unordered", "alias"}
	downErrors   = []string{"", "refused", "reset", "timeout"}
)

// Validate checks what types alone cannot: references, ranges, words and pointers. The
// error names the place as a JSON pointer.
func (s *Set) Validate() error {
	switch {
	case s.Schema != Schema:
		return fmt.Errorf("/schema: %q is not %q", clip(s.Schema, 60), Schema)
	case s.ID == "":
		return fmt.Errorf("/id: empty (give the set a name)")
	case s.Service == "":
		return fmt.Errorf("/service: empty (name the service as in the configuration)")
	case len(s.Cases) == 0:
		return fmt.Errorf("/cases: empty (a set without cases proves nothing; record some)")
	case len(s.Cases) > maxCases:
		return fmt.Errorf("/cases: %d, more than %d (split the set)", len(s.Cases), maxCases)
	case s.Recorded.Concurrency < 0:
		return fmt.Errorf("/recorded/concurrency: negative (use 1 for one request at a time)")
	}
	ids := make(map[string]int, len(s.Cases))
	for i := range s.Cases {
		id := s.Cases[i].ID
		if id == "" {
			return fmt.Errorf("/cases/%d/id: empty (give each case its own id)", i)
		}
		if first, ok := ids[id]; ok {
			return fmt.Errorf("/cases/%d/id: %q is also the id of /cases/%d (give each case its own id)", i, clip(id, 60), first)
		}
		ids[id] = i
	}
	for i := range s.Cases {
		if err := s.Cases[i].validate(ids); err != nil {
			return fmt.Errorf("/cases/%d%w", i, err)
		}
	}
	if loop := dependencyLoop(s.Cases, ids); loop != "" {
		return fmt.Errorf("/cases: depends_on goes round in a circle at %q (remove one of the dependencies)", clip(loop, 60))
	}
	return nil
}

// validate returns errors that start with the pointer inside the case.
func (c *Case) validate(ids map[string]int) error {
	if err := oneOf("/kind", c.Kind, caseKinds); err != nil {
		return err
	}
	if err := oneOf("/effects", c.Effects, caseEffects); err != nil {
		return err
	}
	for i, d := range c.DependsOn {
		if _, ok := ids[d]; !ok {
			return fmt.Errorf("/depends_on/%d: there is no case %q in this set", i, clip(d, 60))
		}
	}
	if c.Kind == "http" {
		if err := c.Request.validate(); err != nil {
			return fmt.Errorf("/request%w", err)
		}
		if !isFinalStatus(c.Response.Status) {
			return fmt.Errorf("/response/status: %d is not a final HTTP status", c.Response.Status)
		}
	}
	for _, name := range sortedKeys(c.Vars.Extract) {
		if _, err := parsePointer(c.Vars.Extract[name]); err != nil {
			return fmt.Errorf("/vars/extract/%s: %w", escapeToken(name), err)
		}
	}
	for _, at := range sortedKeys(c.Vars.Inject) {
		if p, err := parsePointer(at); err != nil || len(p) == 0 {
			return fmt.Errorf("/vars/inject: %q is not a pointer into the request (as in /path/1, /query/id, /headers/name or /body/order)", clip(at, 60))
		}
	}
	for i, l := range c.Latency {
		if l < 0 {
			return fmt.Errorf("/latency/%d: negative", i)
		}
	}
	for i := range c.Trace.Tree {
		t := &c.Trace.Tree[i]
		if t.Signature == "" {
			return fmt.Errorf("/trace/tree/%d/signature: empty", i)
		}
		if t.Count.Min < 0 || t.Count.Max < t.Count.Min || t.Count.Max == 0 {
			return fmt.Errorf("/trace/tree/%d/count: %d to %d is no range of occurrences", i, t.Count.Min, t.Count.Max)
		}
	}
	for i := range c.Downstream {
		if err := c.Downstream[i].validate(); err != nil {
			return fmt.Errorf("/downstream/%d%w", i, err)
		}
	}
	for i := range c.Noise {
		if err := c.Noise[i].validate(); err != nil {
			return fmt.Errorf("/noise/%d%w", i, err)
		}
	}
	for i, e := range c.Expect {
		if _, err := parseSelector(e); err != nil {
			return fmt.Errorf("/expect/%d: %w", i, err)
		}
	}
	return nil
}

var methodPattern = regexp.MustCompile(`^[A-Z][A-Z-]{0,19}$`)

func (r *Request) validate() error {
	if !methodPattern.MatchString(r.Method) {
		return fmt.Errorf("/method: %q is not an HTTP method", clip(r.Method, 20))
	}
	if !strings.HasPrefix(r.Path, "/") || strings.ContainsAny(r.Path, " \r\n?#") {
		return fmt.Errorf("/path: %q is not an escaped path that starts with a slash", clip(r.Path, 60))
	}
	if strings.ContainsAny(r.Query, " \r\n#") {
		return fmt.Errorf("/query: %q is not an escaped query", clip(r.Query, 60))
	}
	for _, k := range sortedKeys(r.Headers) {
		if k == "" || strings.ContainsAny(k, " :\r\n\t") || strings.ContainsAny(r.Headers[k], "\r\n\x00") {
			return fmt.Errorf("/headers/%s: not a header (line breaks and spaces in names are not allowed)", escapeToken(clip(k, 60)))
		}
	}
	return nil
}

func (d *Downstream) validate() error {
	if d.Peer == "" {
		return fmt.Errorf("/peer: empty (name the dependency as in the configuration)")
	}
	if err := oneOf("/error", d.Error, downErrors); err != nil {
		return err
	}
	if err := d.Request.validate(); err != nil {
		return fmt.Errorf("/request%w", err)
	}
	if d.Error == "" && !isFinalStatus(d.Response.Status) {
		return fmt.Errorf("/response/status: %d is not a final HTTP status", d.Response.Status)
	}
	if d.Latency < 0 || d.Offset < 0 {
		return fmt.Errorf("/latency: negative")
	}
	return nil
}

func (n *Noise) validate() error {
	if err := oneOf("/target", n.Target, noiseTargets); err != nil {
		return err
	}
	if err := oneOf("/rule", n.Rule, noiseRules); err != nil {
		return err
	}
	if _, err := parsePointer(n.Pointer); err != nil {
		return fmt.Errorf("/pointer: %w", err)
	}
	if n.Rule == "regex" {
		if n.Pattern == "" {
			return fmt.Errorf("/pattern: empty (the regex rule needs one)")
		}
		if _, err := regexp.Compile(n.Pattern); err != nil {
			return fmt.Errorf("/pattern: %w", err)
		}
	}
	return nil
}

func oneOf(at, word string, words []string) error {
	if slices.Contains(words, word) {
		return nil
	}
	return fmt.Errorf("%s: %q is not one of %s", at, clip(word, 40), strings.Trim(strings.Join(words, ", "), ", "))
}

// dependencyLoop returns the id of a case that depends on itself, directly or not.
func dependencyLoop(cases []Case, ids map[string]int) string {
	const (
		unseen = iota
		open
		done
	)
	state := make([]int, len(cases))
	// An explicit stack: a hostile set may be one chain of ten thousand cases.
	type frame struct{ at, next int }
	for start := range cases {
		if state[start] != unseen {
			continue
		}
		stack := []frame{{at: start}}
		state[start] = open
		for len(stack) > 0 {
			f := &stack[len(stack)-1]
			deps := cases[f.at].DependsOn
			if f.next == len(deps) {
				state[f.at] = done
				stack = stack[:len(stack)-1]
				continue
			}
			d := ids[deps[f.next]]
			f.next++
			switch state[d] {
			case open:
				return cases[d].ID
			case unseen:
				state[d] = open
				stack = append(stack, frame{at: d})
			}
		}
	}
	return ""
}

// isFinalStatus leaves out interim answers, which are followed by another one.
func isFinalStatus(status int) bool {
	return status == 101 || status >= 200 && status <= 599
}
