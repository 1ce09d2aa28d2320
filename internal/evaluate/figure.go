package evaluate

import (
	"fmt"
	"strings"
)

// figure is one number that variants are compared by.
type figure struct {
	title string
	of    func(o *Outcome) Rate
	good  int // +1: more is better; -1: less is
}

// figures are what ablation and sensitivity tables show, over all corpora together.
func figures() []figure {
	sum := func(metrics ...string) func(*Outcome) Rate {
		return func(o *Outcome) Rate {
			var out Rate
			all := o.Sum()
			for _, name := range metrics {
				for full, r := range all {
					if full == name || strings.HasPrefix(full, name+"[") && strings.HasPrefix(name, "file_") {
						out.Hits, out.Of = out.Hits+r.Hits, out.Of+r.Of
					}
				}
			}
			return out
		}
	}
	return []figure{
		{"service first", sum("service_top1"), 1},
		{"among three", sum("service_top3"), 1},
		{"file first", sum("file_top1"), 1},
		{"region first", sum("region_top1"), 1},
		{"commit", sum("commit_exact"), 1},
		{"decoys named", sum("decoy_hits"), -1},
		{"nothing to act on, abstained", sum("abstained_on_none"), 1},
		{"abstained wrongly", sum("abstained_wrongly"), -1},
		{"acted on the wrong thing", func(o *Outcome) Rate {
			r := sum("acted_on_wrong")(o)
			return Rate{r.Hits, len(allRows(o))}
		}, -1},
		{"false alarms", func(o *Outcome) Rate { return o.Healthy }, -1},
	}
}

func allRows(o *Outcome) []Row {
	var out []Row
	for _, rows := range o.Rows {
		out = append(out, rows...)
	}
	return out
}

// changesFrom names the figures that differ from those of the published ranking.
func changesFrom(published, o *Outcome) string {
	var out []string
	for _, f := range figures() {
		before, after := f.of(published), f.of(o)
		if before != after {
			out = append(out, fmt.Sprintf("%s %d → %d", f.title, before.Hits, after.Hits))
		}
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, "; ")
}
