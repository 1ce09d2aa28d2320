package patch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Rungs lists the rungs in the order in which they are tried.
func Rungs() []Rung { return []Rung{FlagOff, Revert, Config, Code} }

// Ladder asks every recipe about every suspect and returns the options in the order in
// which they are to be tried: by rung, then by suspect, then by the lines they expect to
// touch. An option offered twice is kept for its best suspect. Options of rungs that
// in.Allowed does not hold go to Left; a rung that yields nothing gets one line there.
func Ladder(in *Input, recipes []Recipe) Plan {
	var plan Plan
	var offered []Option
	for i := range in.Suspects {
		for _, r := range recipes {
			options, left := propose(in, r, i)
			for _, o := range options {
				o.Rung, o.Suspect = r.Rung(), i
				if o.Recipe == "" {
					o.Recipe = r.Name()
				}
				offered = append(offered, o)
			}
			for _, l := range left {
				l.Rung = r.Rung()
				if l.Recipe == "" {
					l.Recipe = r.Name()
				}
				plan.Left = append(plan.Left, l)
			}
		}
	}
	slices.SortStableFunc(offered, func(a, b Option) int {
		return cmp.Or(
			cmp.Compare(order(a.Rung), order(b.Rung)),
			cmp.Compare(a.Suspect, b.Suspect),
			cmp.Compare(a.Size, b.Size),
			cmp.Compare(a.Recipe, b.Recipe),
			cmp.Compare(a.Target, b.Target),
			cmp.Compare(a.ID, b.ID))
	})
	offered = uniqueOptions(offered)

	offers := map[Rung]int{}
	for _, o := range offered {
		offers[o.Rung]++
		if slices.Contains(in.Allowed, o.Rung) {
			plan.Options = append(plan.Options, o)
			continue
		}
		plan.Left = append(plan.Left, Left{Rung: o.Rung, Recipe: o.Recipe,
			Why: fmt.Sprintf("%s: the rung %s is not allowed here (allowed: %s)", o.Title, o.Rung, names(in.Allowed))})
	}
	plan.Left = uniqueLeft(plan.Left)
	for _, rung := range Rungs() {
		if offers[rung] > 0 || slices.ContainsFunc(plan.Left, func(l Left) bool { return l.Rung == rung }) {
			continue
		}
		plan.Left = append(plan.Left, Left{Rung: rung, Why: emptyRung(in, rung, recipes)})
	}
	slices.SortStableFunc(plan.Left, func(a, b Left) int { return cmp.Compare(order(a.Rung), order(b.Rung)) })
	return plan
}

// propose shields the ladder from a recipe that trips over hostile code or telemetry: the
// other rungs must stay reachable.
func propose(in *Input, r Recipe, i int) (options []Option, left []Left) {
	defer func() {
		if e := recover(); e != nil {
			options = nil
			left = []Left{{Why: fmt.Sprintf("the recipe failed on suspect %d: %v", i+1, e)}}
		}
	}()
	return r.Propose(in, i)
}

// order is a rung's place on the ladder; an unknown rung comes last.
func order(r Rung) int {
	if i := slices.Index(Rungs(), r); i >= 0 {
		return i
	}
	return len(Rungs())
}

// uniqueOptions drops repeated options and gives those that differ but share an ID a
// numbered one. The order of its argument decides who keeps the ID.
func uniqueOptions(options []Option) []Option {
	var out []Option
	ids := map[string]bool{}
	for _, o := range options {
		if slices.ContainsFunc(out, func(p Option) bool { return sameOption(p, o) }) {
			continue
		}
		o.ID = optionID(o)
		for n, id := 2, o.ID; ids[o.ID]; n++ {
			o.ID = fmt.Sprintf("%s-%d", id, n)
		}
		ids[o.ID] = true
		out = append(out, o)
	}
	return out
}

func sameOption(a, b Option) bool {
	if a.Rung != b.Rung || a.Recipe != b.Recipe || a.Target != b.Target {
		return false
	}
	return a.Target != "" || a.ID == b.ID && maps.Equal(a.Params, b.Params)
}

// optionID makes an ID that is safe in branch and file names: the recipe's own one
// reduced to [a-z0-9-], or one made of rung and recipe.
func optionID(o Option) string {
	id := o.ID
	if id == "" {
		recipe, _, _ := strings.Cut(o.Recipe, "@")
		id = string(o.Rung) + "-" + recipe
	}
	return Slug(id, '-', 80)
}

// uniqueLeft keeps the first of equal reasons: suspects of one place give the same ones.
func uniqueLeft(left []Left) []Left {
	var out []Left
	for _, l := range left {
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

// emptyRung says why nothing at all was said about a rung.
func emptyRung(in *Input, rung Rung, recipes []Recipe) string {
	if len(in.Suspects) == 0 {
		return "there is no suspect to mend"
	}
	var known []string
	for _, r := range recipes {
		if r.Rung() == rung {
			known = append(known, r.Name())
		}
	}
	if len(known) == 0 {
		return "no recipe of this rung is at hand"
	}
	switch rung {
	case FlagOff:
		return "no change of a feature flag fits a suspect"
	case Revert:
		return "no recent change is blamed for a suspect"
	case Config:
		return "no configuration value fits a suspect"
	}
	var seen []string
	for _, s := range in.Suspects {
		for _, p := range s.Patterns {
			if !slices.Contains(seen, string(p.Kind)) {
				seen = append(seen, string(p.Kind))
			}
		}
	}
	slices.Sort(seen)
	if len(seen) == 0 {
		return "no suspect shows a shape of failure that a recipe knows"
	}
	return fmt.Sprintf("none of %s mends what the suspects show (%s)",
		strings.Join(known, ", "), strings.Join(seen, ", "))
}

func names(rungs []Rung) string {
	if len(rungs) == 0 {
		return "none"
	}
	var s []string
	for _, r := range rungs {
		s = append(s, string(r))
	}
	return strings.Join(s, ", ")
}
