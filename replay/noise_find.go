package replay

import (
	"fmt"
	"strings"
)

// noiseFinder compares recordings of one exchange that should be the same and
// turns every difference between them into the narrowest rule that covers it.
type noiseFinder struct {
	rules map[string]Noise // by target and pointer
	// values are the differing leaves, to see which of them change together.
	values map[string][]string
}

func newNoiseFinder() *noiseFinder {
	return &noiseFinder{rules: map[string]Noise{}, values: map[string][]string{}}
}

// compare looks at the same document of every recording. Places inside arrays are generalised to `*`, since the
// next recording may order or number elements differently.
func (f *noiseFinder) compare(target string, at pointer, docs []any) {
	if allEqual(docs) {
		return
	}
	switch docs[0].(type) {
	case map[string]any:
		if objects, ok := allOf[map[string]any](docs); ok {
			f.compareObjects(target, at, objects)
			return
		}
	case []any:
		if lists, ok := allOf[[]any](docs); ok {
			f.compareLists(target, at, lists)
			return
		}
	}
	rule, pattern, why := classify(docs)
	f.add(Noise{Target: target, Pointer: at.String(), Rule: rule, Pattern: pattern, Evidence: evidence(docs), Reason: why})
	values := make([]string, len(docs))
	for i, d := range docs {
		s, ok := leafText(d)
		if !ok {
			return
		}
		values[i] = s
	}
	f.values[target+" "+at.String()] = values
}

func (f *noiseFinder) compareObjects(target string, at pointer, objects []map[string]any) {
	keys := map[string]bool{}
	for _, o := range objects {
		for k := range o {
			keys[k] = true
		}
	}
	for _, k := range sortedKeys(keys) {
		docs := make([]any, 0, len(objects))
		for _, o := range objects {
			if v, ok := o[k]; ok {
				docs = append(docs, v)
			}
		}
		if len(docs) < len(objects) {
			f.add(Noise{Target: target, Pointer: at.child(k).String(), Rule: "ignore",
				Evidence: fmt.Sprintf("there in %d of %d recordings", len(docs), len(objects)), Reason: "sometimes absent"})
			continue
		}
		f.compare(target, at.child(k), docs)
	}
}

func (f *noiseFinder) compareLists(target string, at pointer, lists [][]any) {
	sameBag := true
	bag := sortedElements(lists[0])
	for _, l := range lists[1:] {
		if len(l) != len(lists[0]) {
			f.add(Noise{Target: target, Pointer: at.String(), Rule: "ignore",
				Evidence: fmt.Sprintf("%d elements, then %d", len(lists[0]), len(l)), Reason: "varies in length"})
			return
		}
		sameBag = sameBag && strings.Join(sortedElements(l), "\x00") == strings.Join(bag, "\x00")
	}
	if sameBag {
		f.add(Noise{Target: target, Pointer: at.String(), Rule: "unordered", Evidence: fmt.Sprintf("the same %d elements in another order", len(bag)), Reason: "order varies"})
		return
	}
	for i := range lists[0] {
		docs := make([]any, len(lists))
		for j, l := range lists {
			docs[j] = l[i]
		}
		f.compare(target, at.child("*"), docs)
	}
}

func (f *noiseFinder) add(n Noise) {
	n.Origin = "recorded twice"
	key := n.Target + " " + n.Pointer
	if old, ok := f.rules[key]; ok && (old.Rule != n.Rule || old.Pattern != n.Pattern) {
		// Presence still asks for one type, so it covers neither what varies in type or
		// length nor what varies in order.
		wide := n.Rule == "ignore" || old.Rule == "ignore" || n.Rule == "unordered" || old.Rule == "unordered"
		n.Rule, n.Pattern, n.Reason = "presence", "", "varies in more than one way"
		if wide {
			n.Rule = "ignore"
		}
	} else if ok {
		return
	}
	f.rules[key] = n
}

// found returns the rules, with values that always change together turned into aliases: an
// id that shows up in two places has to be the same id in both.
func (f *noiseFinder) found() []Noise {
	groups := map[string][]string{}
	for _, key := range sortedKeys(f.values) {
		values := f.values[key]
		if len(values[0]) < 4 || strings.Contains(key, "/*") || !allDistinct(values) {
			continue // short values meet by chance; elements are not one place
		}
		joined := strings.Join(values, "\x00")
		groups[joined] = append(groups[joined], key)
	}
	for _, keys := range groups {
		if len(keys) < 2 {
			continue
		}
		for _, key := range keys {
			n := f.rules[key]
			if n.Rule == "uuid" || n.Rule == "regex" || n.Rule == "presence" || n.Rule == "numeric" {
				n.Rule, n.Pattern, n.Reason = "alias", "", "the same value stands in several places"
				f.rules[key] = n
			}
		}
	}
	keys := sortedKeys(f.rules)
	out := make([]Noise, 0, len(keys))
	for _, k := range keys {
		out = append(out, f.rules[k])
	}
	return out
}

func evidence(docs []any) string {
	parts := make([]string, 0, 2)
	for _, d := range docs {
		if s := clip(show(d), 60); len(parts) == 0 || s != parts[0] {
			parts = append(parts, s)
		}
		if len(parts) == 2 {
			break
		}
	}
	return strings.Join(parts, ", then ")
}

func allDistinct(values []string) bool {
	seen := map[string]bool{}
	for _, v := range values {
		if seen[v] {
			return false
		}
		seen[v] = true
	}
	return true
}

func allOf[T any](docs []any) ([]T, bool) {
	out := make([]T, len(docs))
	for i, d := range docs {
		v, ok := d.(T)
		if !ok {
			return nil, false
		}
		out[i] = v
	}
	return out, true
}
