package localize

import (
	"slices"
	"strings"
)

// nameIndex finds the names of services in messages without looking for each of them.
type nameIndex struct {
	names map[string]int // to the place among the services
	words int            // most words of a name, as wordEdge divides them
}

// Names longer than this, or of more words, are not looked for.
const (
	maxNameLength = 128
	maxNameWords  = 8
)

func newNameIndex(services []string) *nameIndex {
	x := &nameIndex{names: map[string]int{}}
	for i, s := range services {
		if len(s) < 4 || len(s) > maxNameLength || wordEdge(s, 0) || wordEdge(s, len(s)-1) {
			continue
		}
		words := 1
		for k := 1; k < len(s); k++ {
			if !wordEdge(s, k) && wordEdge(s, k-1) {
				words++
			}
		}
		if words > maxNameWords {
			continue
		}
		if _, taken := x.names[s]; !taken {
			x.names[s] = i
		}
		x.words = max(x.words, words)
	}
	return x
}

// in lists the places of the services that the body names.
func (x *nameIndex) in(body string) []int {
	var out []int
	for i := range len(body) {
		if wordEdge(body, i) || !wordEdge(body, i-1) {
			continue // not the first character of a word
		}
		words := 0
		for j := i; j < len(body) && j-i < maxNameLength && words < x.words; j++ {
			if wordEdge(body, j) || !wordEdge(body, j+1) {
				continue // not the last character of a word
			}
			words++
			if at, ok := x.names[body[i:j+1]]; ok {
				out = append(out, at)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// mentioned lists the other services whose names occur in a message as words.
func (a *analysis) mentioned(self, body string) []string {
	if len(body) > 2000 {
		body = body[:2000]
	}
	if a.named == nil {
		a.named = newNameIndex(a.services)
	}
	var out []string
	for _, at := range a.named.in(body) {
		if s := a.services[at]; s != self && !strings.Contains(self, s) {
			out = append(out, s)
		}
	}
	return out
}
