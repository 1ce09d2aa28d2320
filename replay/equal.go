package replay

import (
	"encoding/json"
	"sort"
)

func allEqual(docs []any) bool {
	for _, d := range docs[1:] {
		if !equalJSON(docs[0], d) {
			return false
		}
	}
	return true
}

func sortedElements(list []any) []string {
	out := elementTexts(list)
	sort.Strings(out)
	return out
}

// elementTexts is each element in canonical form.
func elementTexts(list []any) []string {
	out := make([]string, len(list))
	for i, e := range list {
		raw, _ := canonicalJSON(e)
		out[i] = string(raw)
	}
	return out
}

// equalJSON compares documents; numbers are equal when their values are.
func equalJSON(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		o, ok := b.(map[string]any)
		if !ok || len(a) != len(o) {
			return false
		}
		for k, v := range a {
			w, ok := o[k]
			if !ok || !equalJSON(v, w) {
				return false
			}
		}
		return true
	case []any:
		l, ok := b.([]any)
		if !ok || len(a) != len(l) {
			return false
		}
		for i := range a {
			if !equalJSON(a[i], l[i]) {
				return false
			}
		}
		return true
	case json.Number:
		n, ok := b.(json.Number)
		return ok && equalNumber(a, n)
	}
	return a == b
}

func equalNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	// Beyond 15 digits float64 is blind, so only the text decides.
	if len(a) > 15 || len(b) > 15 {
		return false
	}
	x, errX := a.Float64()
	y, errY := b.Float64()
	return errX == nil && errY == nil && x == y
}
