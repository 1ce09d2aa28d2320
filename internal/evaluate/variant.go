package evaluate

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/remediator/remediator/localize"
)

// Variant is a way to rank that differs from the product's.
type Variant struct {
	Name    string
	Options localize.Options
}

// Outcome is what a variant made of all corpora.
type Outcome struct {
	Variant string
	Metrics map[string]Metrics // by corpus
	Rows    map[string][]Row   // by corpus
	Healthy Rate               // windows in which somebody was named
}

// Sum adds up the metrics of the corpora that are not left out.
func (o *Outcome) Sum(except ...string) Metrics {
	out := Metrics{}
	for _, name := range slices.Sorted(maps.Keys(o.Metrics)) {
		if slices.Contains(except, name) {
			continue
		}
		for metric, r := range o.Metrics[name] {
			s := out[metric]
			out[metric] = Rate{s.Hits + r.Hits, s.Of + r.Of}
		}
	}
	return out
}

// Sweep ranks every case under every variant and reads the answers when all that is done. Where healthy is set,
// halves of every different healthy recording are ranked too.
func (t *Tool) Sweep(ctx context.Context, corpora []*Corpus, step string, variants []Variant, healthy int) ([]Outcome, error) {
	out := make([]Outcome, len(variants))
	predictions := make([]map[string]map[string]Prediction, len(variants))
	for v := range variants {
		if err := variants[v].Options.Check(); err != nil {
			return nil, fmt.Errorf("variant %s: %w", variants[v].Name, err)
		}
		out[v] = Outcome{Variant: variants[v].Name, Metrics: map[string]Metrics{}, Rows: map[string][]Row{}}
		predictions[v] = map[string]map[string]Prediction{}
		for _, c := range corpora {
			predictions[v][c.Name] = map[string]Prediction{}
		}
	}
	seen := map[uint64]bool{}
	done := 0
	for _, c := range corpora {
		for _, id := range c.Cases {
			t.progress(step, done, countCases(corpora))
			done++
			k, err := t.kept(c, id)
			if err != nil {
				return nil, err
			}
			for v, p := range t.variants(ctx, k.ranker(t), &k.ev, id, variants) {
				predictions[v][c.Name][id] = p
			}
			if healthy > 0 {
				digest := fingerprint(&k.ev.Baseline)
				if seen[digest] {
					continue
				}
				seen[digest] = true
				g := windowsOf(&k.ev, false)[0]
				for _, w := range g.windows[:min(healthy, len(g.windows))] {
					quiet := kept{in: k.in, ev: k.ev}
					quiet.ev.Incident, quiet.ev.Baseline = w.incident, w.baseline
					for v, p := range t.variants(ctx, quiet.ranker(t), &quiet.ev, id, variants) {
						out[v].Healthy = count(out[v].Healthy, len(p.Services) > 0)
					}
				}
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
	}
	for _, c := range corpora {
		truths := map[string]Truth{}
		for _, id := range c.Cases {
			var err error
			if truths[id], err = c.Truth(id); err != nil {
				return nil, err
			}
		}
		for v := range variants {
			out[v].Metrics[c.Name], out[v].Rows[c.Name] = Score(truths, predictions[v][c.Name])
		}
	}
	return out, nil
}

// variants ranks one case under every variant.
func (t *Tool) variants(ctx context.Context, rank func(localize.Options) localize.Result, ev *localize.Evidence, id string, variants []Variant) []Prediction {
	out := make([]Prediction, len(variants))
	each(len(variants), func(v int) {
		if ctx.Err() != nil {
			return
		}
		res := rank(variants[v].Options)
		out[v] = Predict(id, &res, ev.Changes)
	})
	return out
}

func countCases(corpora []*Corpus) int {
	n := 0
	for _, c := range corpora {
		n += len(c.Cases)
	}
	return n
}
