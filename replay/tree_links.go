package replay

import "fmt"

// varyingLinks finds classes of spans whose number of links was not the same in every recording: a consumer
// that takes a batch links to as many producers as there happened to be.
func varyingLinks(trees []Trace) []Noise {
	first, varies := map[string]int{}, map[string]string{}
	for _, tree := range trees {
		for i := range tree.Tree {
			t := &tree.Tree[i]
			n, seen := first[t.class()]
			switch {
			case !seen:
				first[t.class()] = t.Links
			case n != t.Links:
				varies[t.path()] = fmt.Sprintf("%d, then %d", n, t.Links)
			}
		}
	}
	var out []Noise
	for _, path := range sortedKeys(varies) {
		out = append(out, Noise{Target: "span", Pointer: pointer{path, "links"}.String(), Rule: "ignore", Origin: "recorded twice", Evidence: varies[path], Reason: "the number of links varies"})
	}
	return out
}
