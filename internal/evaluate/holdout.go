package evaluate

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/remediator/remediator/localize"
)

// LeftOut is what one corpus looks like to choices that were made without it.
type LeftOut struct {
	Corpus string `json:"corpus"`
	// Confidence, over the cases of the corpus.
	Calibration              localize.Calibration `json:"calibration"` // fitted to the others
	Raw, Elsewhere, Together Quality              // uncalibrated; fitted to the others; published
	// Weights, by a search over the other corpora.
	Factors map[string]float64 `json:"factors,omitempty"` // those that the search moved
	Before  Outcome            `json:"-"`                 // published constants, this corpus
	After   Outcome            `json:"-"`                 // found constants, this corpus
	Gain    [2]int             `json:"gain"`              // score on the other corpora, before and after
}

// Holdout leaves out one corpus after the other.
type Holdout struct {
	Corpora []LeftOut `json:"corpora"`
}

// weightPrefix begins the names of the constants that weigh signals.
const weightPrefix = "weight."

// LeaveOut fits the confidence, and searches for better weights, on all corpora but one, and tests on that one. The
// search is coordinate-wise: each weight in turn is halved, kept or doubled, whatever scores best on the
// other corpora, the published value where they are equal; see merit for the score. If much were to gain
// that way, the published weights would hang on the cases they were developed on.
func (t *Tool) LeaveOut(ctx context.Context, corpora []*Corpus, samples []Sample) (*Holdout, error) {
	if len(corpora) == 0 {
		return &Holdout{}, nil
	}
	out := &Holdout{}
	for _, c := range corpora {
		var rest, own []Sample
		for _, s := range samples {
			if s.Corpus == c.Name {
				own = append(own, s)
			} else {
				rest = append(rest, s)
			}
		}
		fit := Fit(rest)
		l := LeftOut{Corpus: c.Name, Calibration: fit, Factors: map[string]float64{}}
		l.Raw, _ = Judge(own, localize.Uncalibrated())
		l.Elsewhere, _ = Judge(own, fit)
		l.Together, _ = Judge(own, localize.PublishedCalibration())
		out.Corpora = append(out.Corpora, l)
	}
	if corpora[0].held == nil {
		var err error
		if corpora, err = t.hold(ctx, corpora); err != nil {
			return nil, err
		}
	}
	var weights []string
	for _, c := range localize.Constants() {
		if strings.HasPrefix(c.Name, weightPrefix) {
			weights = append(weights, c.Name)
		}
	}
	tried := 0
	known := map[string]*Outcome{} // by scale, so that folds that go the same way share the work
	measure := func(scales []map[string]float64) error {
		var missing []Variant
		for _, s := range scales {
			key := scaleKey(s)
			if _, ok := known[key]; ok {
				continue
			}
			known[key] = nil
			o := t.Options
			o.Scale = s
			missing = append(missing, Variant{key, o})
		}
		if len(missing) == 0 {
			return nil
		}
		outcomes, err := t.Sweep(ctx, corpora, fmt.Sprintf("leaving out, weight %d of %d", tried, len(weights)), missing, 0)
		for i := range outcomes {
			known[outcomes[i].Variant] = &outcomes[i]
		}
		return err
	}
	if err := measure([]map[string]float64{{}}); err != nil {
		return nil, err
	}
	for i := range out.Corpora {
		m := merit(known[scaleKey(nil)], out.Corpora[i].Corpus)
		out.Corpora[i].Gain = [2]int{m, m}
	}
	for i, name := range weights {
		tried = i + 1
		var scales []map[string]float64
		for i := range out.Corpora {
			for _, factor := range []float64{0.5, 2} {
				scales = append(scales, with(out.Corpora[i].Factors, name, factor))
			}
		}
		if err := measure(scales); err != nil {
			return nil, err
		}
		for i := range out.Corpora {
			l := &out.Corpora[i]
			best := l.Factors
			for _, s := range scales[2*i : 2*i+2] {
				if m := merit(known[scaleKey(s)], l.Corpus); m > l.Gain[1] {
					l.Gain[1], best = m, s
				}
			}
			l.Factors = best
		}
	}
	for i := range out.Corpora {
		l := &out.Corpora[i]
		l.Before, l.After = *known[scaleKey(nil)], *known[scaleKey(l.Factors)]
	}
	return out, nil
}

// merit is what the search for weights maximises: right answers less wrong ones, each question of each case counting
// one.
func merit(o *Outcome, except string) int {
	sum := 0
	for name, r := range o.Sum(except) {
		base, _, _ := strings.Cut(name, "[")
		switch {
		case base == "service_top1" && name == base, base == "file_top1", base == "region_top1", base == "commit_exact", base == "abstained_on_none":
			sum += r.Hits
		case base == "decoy_hits", base == "abstained_wrongly", base == "acted_on_wrong":
			sum -= r.Hits
		}
	}
	return sum
}

func with(scale map[string]float64, name string, factor float64) map[string]float64 {
	out := maps.Clone(scale)
	if out == nil {
		out = map[string]float64{}
	}
	out[name] = factor
	return out
}

func scaleKey(scale map[string]float64) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(scale)) {
		fmt.Fprintf(&b, "%s*%g ", name, scale[name])
	}
	return b.String()
}

// Table prints both halves.
func (h *Holdout) Table(w io.Writer, markdown bool) {
	t := newTable("corpus left out", "cases:", "right:", "confidence", "mean confidence:", "Brier score:", "log loss:", "calibration error:")
	for _, l := range h.Corpora {
		for _, k := range []struct {
			name string
			q    Quality
		}{{"uncalibrated", l.Raw}, {"fitted to the others", l.Elsewhere}, {"published", l.Together}} {
			t.add(l.Corpus, fmt.Sprint(k.q.Samples), percentOf(k.q.Right), k.name, fmt.Sprintf("%.2f", k.q.Mean), fmt.Sprintf("%.3f", k.q.Brier), fmt.Sprintf("%.3f", k.q.LogLoss), fmt.Sprintf("%.3f", k.q.ECE))
		}
	}
	t.write(w, markdown)
	fmt.Fprintln(w)
	titles := []string{"corpus left out", "weights", "score on the others:"}
	for _, f := range figures()[:9] {
		titles = append(titles, f.title+":")
	}
	t = newTable(titles...)
	for _, l := range h.Corpora {
		found := "found without it: no change"
		if len(l.Factors) > 0 {
			found = "found without it: " + strings.TrimSpace(scaleKey(l.Factors))
		}
		for n, k := range []struct {
			name string
			o    *Outcome
		}{{"published", &l.Before}, {found, &l.After}} {
			o := *k.o
			o.Metrics = map[string]Metrics{l.Corpus: k.o.Metrics[l.Corpus]}
			o.Rows = map[string][]Row{l.Corpus: k.o.Rows[l.Corpus]}
			cells := []string{l.Corpus, k.name, fmt.Sprint(l.Gain[n])}
			for _, f := range figures()[:9] {
				cells = append(cells, f.of(&o).String())
			}
			t.add(cells...)
		}
	}
	t.write(w, markdown)
}
