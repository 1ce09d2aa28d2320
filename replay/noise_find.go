package replay

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"sort"
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

// classify names the narrowest rule that covers all the values.
func classify(docs []any) (rule, pattern, why string) {
	texts := make([]string, 0, len(docs))
	uuids, times, numbers, strs := true, true, true, true
	for _, d := range docs {
		s, isString := d.(string)
		texts = append(texts, s)
		strs = strs && isString
		uuids = uuids && isString && isUUID(s)
		times = times && isTimestamp(d) && typeName(d) == typeName(docs[0])
		numbers = numbers && isNumeric(d) && typeName(d) == typeName(docs[0])
	}
	switch {
	case uuids:
		return "uuid", "", "a new UUID each time"
	case times:
		return "timestamp", "", "the time of the exchange"
	case numbers:
		return "numeric", "", "a number that varies"
	case strs:
		if p := commonPattern(texts); p != "" {
			return "regex", p, "generated, always of this form"
		}
		return "presence", "", "text that varies"
	}
	for _, d := range docs[1:] {
		if typeName(d) != typeName(docs[0]) {
			return "ignore", "", "varies in type"
		}
	}
	return "presence", "", "varies"
}

// commonPattern describes generated identifiers: a fixed beginning and end around a stretch of one character class. It is
// empty for free text, which no pattern describes.
func commonPattern(values []string) string {
	prefix, suffix := values[0], values[0]
	for _, v := range values[1:] {
		prefix = prefix[:commonLen(prefix, v, false)]
		suffix = suffix[len(suffix)-commonLen(suffix, v, true):]
	}
	// Digits and letters that agree by chance belong to the varying stretch.
	prefix = prefix[:strings.LastIndexAny(prefix, "-_:./#")+1]
	if i := strings.IndexAny(suffix, "-_:./#"); i >= 0 {
		suffix = suffix[i:]
	} else {
		suffix = ""
	}
	shortest, longest := -1, 0
	classes := []string{"[0-9]", "[0-9a-f]", "[0-9A-F]", "[0-9A-Za-z]", "[0-9A-Za-z_-]"}
	for _, v := range values {
		if len(prefix)+len(suffix) >= len(v) {
			return ""
		}
		middle := v[len(prefix) : len(v)-len(suffix)]
		if shortest < 0 || len(middle) < shortest {
			shortest = len(middle)
		}
		longest = max(longest, len(middle))
		// Every class is asked about every value: none contains all of those before it.
		classes = slices.DeleteFunc(classes, func(class string) bool { return !regexp.MustCompile(`^` + class + `+$`).MatchString(middle) })
	}
	// Words of a language are letters too: without a digit in any value it is text.
	if len(classes) == 0 || longest > 256 || !strings.ContainsAny(strings.Join(values, ""), "0123456789") {
		return ""
	}
	repeat := "+"
	if shortest == longest {
		repeat = fmt.Sprintf("{%d}", longest)
	}
	return regexp.QuoteMeta(prefix) + classes[0] + repeat + regexp.QuoteMeta(suffix)
}

func commonLen(a, b string, fromEnd bool) int {
	n := 0
	for n < len(a) && n < len(b) {
		x, y := a[n], b[n]
		if fromEnd {
			x, y = a[len(a)-1-n], b[len(b)-1-n]
		}
		if x != y {
			break
		}
		n++
	}
	return n
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

func allEqual(docs []any) bool {
	for _, d := range docs[1:] {
		if !equalJSON(docs[0], d) {
			return false
		}
	}
	return true
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

func sortedElements(list []any) []string {
	out := make([]string, len(list))
	for i, e := range list {
		raw, _ := canonicalJSON(e)
		out[i] = string(raw)
	}
	sort.Strings(out)
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
