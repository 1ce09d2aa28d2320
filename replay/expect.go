package replay

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// selector is one parsed assertion of Case.Expect:
//
//	span[name="charge"][kind="client"] attr:http.request.method="POST"
//	span[signature="shop|server|POST /orders|/orders"] status:"ok"
//	span[name="retry"] count<=3
//	span[name="legacy"] absent
//
// In brackets stand name, kind, service, status or signature; without a check at least one
// such span must be there, with one every matching span must pass it (count and absent
// look at all of them together).
type selector struct {
	text    string
	filters []filter
	check   string // "", attr, status, count, absent
	key     string
	value   string
	any     bool // attr: present with whatever value
	op      string
	n       int
}

type filter struct{ key, value string }

var (
	filterPattern = regexp.MustCompile(`^\[(name|kind|service|status|signature)="([^"]*)"\]`)
	attrPattern   = regexp.MustCompile(`^attr:([A-Za-z0-9._-]+)(?:="([^"]*)")?$`)
	statusPattern = regexp.MustCompile(`^status:"(unset|ok|error)"$`)
	countPattern  = regexp.MustCompile(`^count(<=|>=|=|<|>)([0-9]{1,9})$`)
)

func parseSelector(text string) (selector, error) {
	s := selector{text: text}
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), "span")
	if !ok {
		return s, fmt.Errorf("%q does not start with span (as in span[name=\"charge\"] status:\"ok\")", clip(text, 60))
	}
	for {
		m := filterPattern.FindStringSubmatch(rest)
		if m == nil {
			break
		}
		s.filters = append(s.filters, filter{m[1], m[2]})
		rest = rest[len(m[0]):]
	}
	rest = strings.TrimSpace(rest)
	if m := attrPattern.FindStringSubmatch(rest); m != nil {
		s.check, s.key, s.value, s.any = "attr", m[1], m[2], !strings.Contains(rest, "=")
	} else if m := statusPattern.FindStringSubmatch(rest); m != nil {
		s.check, s.value = "status", m[1]
	} else if m := countPattern.FindStringSubmatch(rest); m != nil {
		s.check, s.op = "count", m[1]
		s.n, _ = strconv.Atoi(m[2])
	} else if rest == "absent" {
		s.check = "absent"
	} else if rest != "" {
		return s, fmt.Errorf("%q: cannot read %q (use attr:key, attr:key=\"value\", status:\"ok\", count<=3 or absent)", clip(text, 60), clip(rest, 40))
	}
	return s, nil
}

func (s *selector) selects(t *TreeSpan) bool {
	parts := strings.SplitN(t.Signature, "|", 4)
	for _, f := range s.filters {
		var got string
		switch {
		case f.key == "kind":
			got = t.Kind
		case f.key == "status":
			got = t.Status
		case f.key == "signature":
			got = t.Signature
		case f.key == "service" && len(parts) > 0:
			got = parts[0]
		case f.key == "name" && len(parts) > 2:
			got = parts[2]
		}
		if got != f.value {
			return false
		}
	}
	return true
}

// judge checks the assertion on a replayed tree; ok is whether it holds and saw what was seen.
func (s *selector) judge(tree []TreeSpan) (ok bool, saw string) {
	total := 0
	for i := range tree {
		t := &tree[i]
		if !s.selects(t) {
			continue
		}
		total += t.Count.Max
		switch s.check {
		case "attr":
			if got, there := t.Attributes[s.key]; !there || !s.any && got != s.value {
				return false, fmt.Sprintf("%s=%q on %s", s.key, got, t.Signature)
			}
		case "status":
			if t.Status != s.value {
				return false, fmt.Sprintf("status %s on %s", t.Status, t.Signature)
			}
		}
	}
	saw = fmt.Sprintf("%d such spans", total)
	switch s.check {
	case "absent":
		return total == 0, saw
	case "count":
		return compareCount(total, s.op, s.n), saw
	}
	return total > 0, saw
}

func compareCount(got int, op string, n int) bool {
	switch op {
	case "<=":
		return got <= n
	case ">=":
		return got >= n
	case "<":
		return got < n
	case ">":
		return got > n
	}
	return got == n
}
