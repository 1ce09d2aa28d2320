package codeindex

import (
	"path"
	"strings"
)

// MatchPath says whether a path belongs to a glob or prefix. `**` stands for any number of path
// elements, `*` and `?` for parts of one; a pattern without wildcards also owns what is below it.
func MatchPath(pattern, name string) bool {
	pattern = strings.TrimPrefix(strings.TrimSuffix(strings.TrimPrefix(pattern, "./"), "/"), "/")
	if pattern == "" || pattern == "." {
		return true
	}
	elements := strings.Split(pattern, "/")
	return matchElements(elements, strings.Split(name, "/"), !strings.ContainsAny(elements[len(elements)-1], "*?["))
}

func matchElements(pattern, name []string, below bool) bool {
	// Positions of the last ** seen, for starting over one element later.
	star, mark := -1, 0
	p, n := 0, 0
	for n < len(name) {
		if p < len(pattern) && pattern[p] == "**" {
			star, mark = p, n
			p++
			continue
		}
		if p < len(pattern) {
			if ok, err := path.Match(pattern[p], name[n]); err == nil && ok {
				p, n = p+1, n+1
				continue
			}
		} else if below {
			return true
		}
		if star < 0 {
			return false
		}
		mark++
		p, n = star+1, mark
	}
	for p < len(pattern) && pattern[p] == "**" {
		p++
	}
	return p == len(pattern)
}

// within says how well a path fits the service of a query: 1 for its own files.
func (q *Query) within(name string) float64 {
	if len(q.Paths) > 0 {
		for _, p := range q.Paths {
			if MatchPath(p, name) {
				return 1
			}
		}
		return 0.4 // shared code may be to blame all the same
	}
	if q.Service == "" || carries(name, q.Service) {
		return 1
	}
	return 0.8
}

// carries says whether a path has an element named like the service: services/payments/main.go for
// "payments", "payments-service" or "shop.payments".
func carries(name, service string) bool {
	service = plain(service)
	if service == "" {
		return false
	}
	for _, element := range strings.Split(strings.ToLower(name), "/") {
		element = plain(strings.TrimSuffix(element, path.Ext(element)))
		if element == service || len(element) >= 4 && strings.Contains(service, element) || len(service) >= 4 && strings.Contains(element, service) {
			return true
		}
	}
	return false
}

// plain is a service's name without case, punctuation and the words that every service has.
func plain(s string) string {
	s = strings.ToLower(s)
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
	for _, suffix := range []string{"service", "svc", "server", "app", "api"} {
		if t := strings.TrimSuffix(s, suffix); t != s && len(t) >= 3 {
			return t
		}
	}
	return s
}
