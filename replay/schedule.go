package replay

import (
	"fmt"
)

// schedule orders the cases so that each comes after those it depends on, otherwise as
// recorded, and leaves out what may or can not be replayed.
func schedule(set *Set) (order []*Case, skipped []Skipped) {
	why := map[string]string{}
	index := map[string]int{}
	for i := range set.Cases {
		c := &set.Cases[i]
		index[c.ID] = i
		switch {
		case c.Effects == "forbidden":
			why[c.ID] = fmt.Sprintf("case %s has effects that must not be repeated", c.ID)
		case c.Kind != "http":
			why[c.ID] = fmt.Sprintf("case %s is of kind %s, which is not replayed yet", c.ID, c.Kind)
		}
	}
	done := map[string]bool{}
	var visit func(c *Case)
	visit = func(c *Case) {
		if done[c.ID] {
			return
		}
		done[c.ID] = true // the set was validated: there are no circles
		for _, d := range c.DependsOn {
			dep := &set.Cases[index[d]]
			visit(dep)
			if _, out := why[d]; out && why[c.ID] == "" {
				why[c.ID] = fmt.Sprintf("case %s needs case %s, which is skipped", c.ID, d)
			}
		}
		if why[c.ID] == "" {
			order = append(order, c)
		}
	}
	for i := range set.Cases {
		visit(&set.Cases[i])
	}
	for i := range set.Cases {
		if w := why[set.Cases[i].ID]; w != "" {
			skipped = append(skipped, Skipped{Set: set.ID, Case: set.Cases[i].ID, Why: w})
		}
	}
	return order, skipped
}
