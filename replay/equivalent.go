package replay

import "fmt"

// Equivalent lists what tells two builds apart by the golden sets: what the second did is compared with
// what the first did, case by case, up to the cases' noise, and it may not differ from the recording where the first
// does not. It takes the runs that Golden returned for the same sets. Nothing to compare is a difference too.
// Latency is not looked at: two runs on one machine disturb each other.
func Equivalent(base, other *Run) []Difference {
	var out []Difference
	compared := 0
	if base != nil && other != nil {
		for _, set := range base.sets {
			ds, n := equivalentSet(set, base, other)
			if len(base.sets) > 1 {
				for i := range ds {
					ds[i].Case = set.ID + "/" + ds[i].Case
				}
			}
			out = append(out, ds...)
			compared += n
		}
	}
	if compared == 0 {
		return []Difference{{Target: "connection", Kind: "missing", Likely: "no golden case was replayed on both builds, so they cannot be compared"}}
	}
	sortDifferences(out)
	return out
}

func equivalentSet(set *Set, base, other *Run) (out []Difference, compared int) {
	a, b := observedByCase(base, set.ID), observedByCase(other, set.ID)
	names, baseNames, otherNames := newAliases(), newAliases(), newAliases()
	for i := range set.Cases {
		c := &set.Cases[i]
		x, y := a[c.ID], b[c.ID]
		if x == nil && y == nil {
			continue // skipped in both
		}
		compared++
		if x == nil || y == nil {
			out = append(out, Difference{Case: c.ID, Target: "connection", Kind: "missing", Recorded: seen(x), Replayed: seen(y)})
			continue
		}
		ds := between(c, x, y, names)
		known := map[string]bool{}
		for _, d := range compareWith(c, x, baseNames) {
			known[d.Target+d.Kind+d.Pointer] = true
		}
		for _, d := range compareWith(c, y, otherNames) {
			if d.fails() && !known[d.Target+d.Kind+d.Pointer] && !reported(ds, d) {
				d.Likely = "differs from the recording, which the base build does not"
				ds = append(ds, d)
			}
		}
		out = append(out, ds...)
	}
	return out, compared
}

func observedByCase(r *Run, set string) map[string]*Observed {
	out := map[string]*Observed{}
	for _, o := range r.observedOf(set) {
		out[o.Case] = o
	}
	return out
}

func seen(o *Observed) string {
	if o == nil {
		return "not replayed"
	}
	return "replayed"
}

func reported(ds []Difference, d Difference) bool {
	for _, e := range ds {
		if e.Target == d.Target && e.Pointer == d.Pointer {
			return true
		}
	}
	return false
}

// between compares two observations as if the first were the recording. Where the recording itself says that a
// span may occur more or less often, so may it here.
func between(c *Case, x, y *Observed, names *aliases) []Difference {
	if x.Error != "" || y.Error != "" {
		if x.Error == y.Error {
			return nil
		}
		return []Difference{{Case: c.ID, Target: "connection", Kind: "changed", Recorded: answerText(x), Replayed: answerText(y)}}
	}
	if !x.Traced && y.Traced {
		return []Difference{{Case: c.ID, Target: "span", Kind: "unexpected", Recorded: "no spans", Replayed: "spans"}}
	}
	asCase := *c
	asCase.Response = x.Response
	asCase.Trace = widened(x.Trace, c.Trace)
	asCase.Downstream = x.Downstream
	asCase.Latency = nil
	asCase.Expect = nil
	if !x.Traced && !y.Traced {
		asCase.Trace = Trace{}
	}
	return compareWith(&asCase, y, names)
}

func answerText(o *Observed) string {
	if o.Error != "" {
		return o.Error
	}
	return fmt.Sprintf("answered %d", o.Response.Status)
}

// widened gives the classes of a tree the ranges that the recording found for them.
func widened(tree, recorded Trace) Trace {
	ranges := map[string]Count{}
	for i := range recorded.Tree {
		t := &recorded.Tree[i]
		if t.Count.Min != t.Count.Max {
			ranges[t.class()] = t.Count
		}
	}
	if len(ranges) == 0 {
		return tree
	}
	out := Trace{Tree: append([]TreeSpan(nil), tree.Tree...)}
	have := map[string]bool{}
	for i := range out.Tree {
		t := &out.Tree[i]
		key := t.class()
		have[key] = true
		if r, ok := ranges[key]; ok {
			t.Count = Count{Min: min(t.Count.Min, r.Min), Max: max(t.Count.Max, r.Max)}
		}
	}
	for i := range recorded.Tree {
		t := recorded.Tree[i]
		if t.Count.Min == 0 && !have[t.class()] {
			out.Tree = append(out.Tree, t)
		}
	}
	return out
}
