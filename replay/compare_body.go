package replay

import (
	"slices"
	"strconv"
)

// maxUnordered bounds the quadratic matching of unordered arrays: so many elements, each of them other than all of the
// other side, are still paired. Beyond it elements count as differing, which a person sees, rather than as the same.
const maxUnordered = 2000

// documents compares two JSON documents place by place. noiseTarget selects the rules,
// target is what a Difference names.
func (cmp *comparison) documents(noiseTarget, target string, at pointer, recorded, replayed any) {
	rules := cmp.noise.at(noiseTarget, at)
	for _, r := range rules {
		// Presence of an object or array says nothing about what is in it.
		if r.rule == "ignore" || r.rule == "presence" && r.tolerates(recorded, replayed, cmp.names) {
			return
		}
	}
	switch rec := recorded.(type) {
	case map[string]any:
		if rep, ok := replayed.(map[string]any); ok {
			cmp.objects(noiseTarget, target, at, rec, rep)
			return
		}
	case []any:
		if rep, ok := replayed.([]any); ok {
			for _, r := range rules {
				if r.rule == "unordered" {
					cmp.unordered(noiseTarget, target, at, rec, rep)
					return
				}
			}
			cmp.lists(noiseTarget, target, at, rec, rep)
			return
		}
	default:
		// An alias binds equal values too, or a later place could rename them.
		for _, r := range rules {
			if r.rule == "alias" {
				if r.tolerates(recorded, replayed, cmp.names) {
					return
				}
				cmp.add(Difference{Target: target, Pointer: at.String(), Kind: "changed", Recorded: show(recorded), Replayed: show(replayed),
					Likely: "the same value stands in several places, and here it is another one"})
				return
			}
		}
		if equalJSON(recorded, replayed) || sameRedacted(recorded, replayed) || sameSecretField(at, recorded, replayed) {
			return
		}
	}
	for _, r := range rules {
		if r.tolerates(recorded, replayed, cmp.names) {
			return
		}
	}
	cmp.add(Difference{Target: target, Pointer: at.String(), Kind: "changed", Recorded: show(recorded), Replayed: show(replayed)})
}

func (cmp *comparison) objects(noiseTarget, target string, at pointer, rec, rep map[string]any) {
	for _, k := range sortedKeys(rec) {
		v, ok := rep[k]
		if !ok {
			if !cmp.ignored(noiseTarget, at.child(k)) {
				cmp.add(Difference{Target: target, Pointer: at.child(k).String(), Kind: "missing", Recorded: show(rec[k])})
			}
			continue
		}
		cmp.documents(noiseTarget, target, at.child(k), rec[k], v)
	}
	for _, k := range sortedKeys(rep) {
		if _, ok := rec[k]; !ok && !cmp.ignored(noiseTarget, at.child(k)) {
			cmp.add(Difference{Target: target, Pointer: at.child(k).String(), Kind: "unexpected", Replayed: show(rep[k])})
		}
	}
}

func (cmp *comparison) lists(noiseTarget, target string, at pointer, rec, rep []any) {
	for i := range min(len(rec), len(rep)) {
		cmp.documents(noiseTarget, target, at.child(strconv.Itoa(i)), rec[i], rep[i])
	}
	for i := len(rep); i < len(rec); i++ {
		if p := at.child(strconv.Itoa(i)); !cmp.ignored(noiseTarget, p) {
			cmp.add(Difference{Target: target, Pointer: p.String(), Kind: "missing", Recorded: show(rec[i])})
		}
	}
	for i := len(rec); i < len(rep); i++ {
		if p := at.child(strconv.Itoa(i)); !cmp.ignored(noiseTarget, p) {
			cmp.add(Difference{Target: target, Pointer: p.String(), Kind: "unexpected", Replayed: show(rep[i])})
		}
	}
}

// unordered compares arrays as bags. Elements that are the same to the letter are paired first, so that one that is
// only the same up to noise does not take the place of another; each of the rest takes the first that will do.
func (cmp *comparison) unordered(noiseTarget, target string, at pointer, rec, rep []any) {
	taken, found := make([]bool, len(rep)), make([]bool, len(rec))
	byText := map[string][]int{}
	for j, text := range elementTexts(rep) {
		byText[text] = append(byText[text], j)
	}
	for i, text := range elementTexts(rec) {
		if free := byText[text]; len(free) > 0 {
			found[i], taken[free[0]], byText[text] = true, true, free[1:]
		}
	}
	budget := maxUnordered * maxUnordered
	for i, want := range rec {
		place := at.child(strconv.Itoa(i))
		for j := 0; j < len(rep) && !found[i] && budget > 0; j++ {
			if taken[j] {
				continue
			}
			budget--
			if cmp.same(noiseTarget, place, want, rep[j]) {
				taken[j], found[i] = true, true
			}
		}
		if !found[i] {
			cmp.add(Difference{Target: target, Pointer: place.String(), Kind: "missing", Recorded: show(want)})
		}
	}
	for j, got := range rep {
		if !taken[j] {
			cmp.add(Difference{Target: target, Pointer: at.child(strconv.Itoa(j)).String(), Kind: "unexpected", Replayed: show(got)})
		}
	}
}

// same compares without reporting. Renamings found on a failed attempt are undone.
func (cmp *comparison) same(noiseTarget string, at pointer, recorded, replayed any) bool {
	if equalJSON(recorded, replayed) {
		return true
	}
	trial := comparison{c: cmp.c, o: cmp.o, noise: cmp.noise, names: cmp.names}
	if slices.ContainsFunc(cmp.noise[noiseTarget], func(r noiseRule) bool { return r.rule == "alias" }) {
		trial.names = cmp.names.clone()
	}
	trial.documents(noiseTarget, "", at, recorded, replayed)
	if len(trial.found) > 0 {
		return false
	}
	*cmp.names = *trial.names
	return true
}

func (a *aliases) clone() *aliases {
	out := newAliases()
	for k, v := range a.to {
		out.to[k] = v
	}
	for k, v := range a.from {
		out.from[k] = v
	}
	return out
}
