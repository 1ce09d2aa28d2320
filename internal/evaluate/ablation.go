package evaluate

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/remediator/remediator/localize"
)

// Ablation is what each signal contributes.
type Ablation struct {
	Published Outcome
	Signals   []localize.Signal
	Without   []Outcome // by signal
	Only      []Outcome // by signal
	Spectra   []localize.Spectrum
	Instead   []Outcome // by formula, in the place of the first
	Alone     []Outcome // by formula, without all other signals
}

// spectrumSignal is the signal that the formulas are about.
const spectrumSignal = "ochiai"

// Ablate ranks everything without each signal in turn, and with each signal alone.
func (t *Tool) Ablate(ctx context.Context, corpora []*Corpus, signals []localize.Signal) (*Ablation, error) {
	var names []string
	for _, s := range signals {
		names = append(names, s.Name)
	}
	variants := []Variant{{Name: "published", Options: t.Options}}
	for _, s := range signals {
		o := t.Options
		o.Without = []string{s.Name}
		variants = append(variants, Variant{"without " + s.Name, o})
	}
	for _, s := range signals {
		o := t.Options
		o.Without = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == s.Name })
		variants = append(variants, Variant{"only " + s.Name, o})
	}
	spectra := localize.Spectra()
	for _, s := range spectra {
		o := t.Options
		o.Spectrum = s.Name
		variants = append(variants, Variant{"operations by " + s.Title, o})
	}
	for _, s := range spectra {
		o := t.Options
		o.Spectrum = s.Name
		o.Without = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == spectrumSignal })
		variants = append(variants, Variant{"operations alone, by " + s.Title, o})
	}
	outcomes, err := t.Sweep(ctx, corpora, "ablation", variants, 2)
	if err != nil {
		return nil, err
	}
	rest := outcomes[1:]
	next := func(n int) []Outcome {
		part := rest[:n]
		rest = rest[n:]
		return part
	}
	return &Ablation{Published: outcomes[0], Signals: signals, Without: next(len(signals)), Only: next(len(signals)),
		Spectra: spectra, Instead: next(len(spectra)), Alone: next(len(spectra))}, nil
}

// Table prints the figures of every variant.
func (a *Ablation) Table(w io.Writer, markdown bool) {
	titles := []string{"ranking"}
	for _, f := range figures() {
		titles = append(titles, f.title+":")
	}
	row := func(t *table, name string, o *Outcome) {
		cells := []string{name}
		for _, f := range figures() {
			r, was := f.of(o), f.of(&a.Published)
			cell := r.String()
			if r.Hits != was.Hits {
				cell += fmt.Sprintf(" (%+d)", r.Hits-was.Hits)
			}
			cells = append(cells, cell)
		}
		t.add(cells...)
	}
	without := newTable(titles...)
	row(without, "published", &a.Published)
	for i, s := range a.Signals {
		row(without, "without "+s.Name, &a.Without[i])
	}
	without.write(w, markdown)
	fmt.Fprintln(w)
	only := newTable(titles...)
	row(only, "published", &a.Published)
	for i, s := range a.Signals {
		row(only, "only "+s.Name, &a.Only[i])
	}
	only.write(w, markdown)
	fmt.Fprintln(w)
	instead := newTable(append(titles[:len(titles):len(titles)], "source")...)
	formula := func(name, source string, o *Outcome) {
		row(instead, name, o)
		last := &instead.rows[len(instead.rows)-1]
		*last = append(*last, source)
	}
	for i, s := range a.Spectra {
		formula("operations by "+s.Title, s.Source, &a.Instead[i])
	}
	for i, s := range a.Spectra {
		formula("operations alone, by "+s.Title, s.Source, &a.Alone[i])
	}
	instead.write(w, markdown)
}

// Sensitivity is what each constant matters.
type Sensitivity struct {
	Published       Outcome
	Constants       []localize.Constant
	Halved, Doubled []Outcome // by constant
}

// Sense ranks everything with each constant halved and doubled.
func (t *Tool) Sense(ctx context.Context, corpora []*Corpus, constants []localize.Constant) (*Sensitivity, error) {
	variants := []Variant{{Name: "published", Options: t.Options}}
	for _, factor := range []float64{0.5, 2} {
		for _, c := range constants {
			o := t.Options
			o.Scale = map[string]float64{c.Name: factor}
			variants = append(variants, Variant{fmt.Sprintf("%s times %g", c.Name, factor), o})
		}
	}
	outcomes, err := t.Sweep(ctx, corpora, "sensitivity", variants, 1)
	if err != nil {
		return nil, err
	}
	n := len(constants)
	return &Sensitivity{Published: outcomes[0], Constants: constants, Halved: outcomes[1 : 1+n], Doubled: outcomes[1+n:]}, nil
}

// Table prints, for every constant, which figures change.
func (s *Sensitivity) Table(w io.Writer, markdown bool) {
	t := newTable("constant", "value:", "what it is", "halved, changes", "doubled, changes", "source")
	for i, c := range s.Constants {
		t.add("`"+c.Name+"`", fmt.Sprintf("%g", c.Value), c.Meaning, changesFrom(&s.Published, &s.Halved[i]), changesFrom(&s.Published, &s.Doubled[i]), c.Source)
	}
	t.write(w, markdown)
}

// Worst says over all constants how far each figure goes down and up when one of them is halved or doubled.
func (s *Sensitivity) Worst(w io.Writer, markdown bool) {
	t := newTable("figure", "published:", "least:", "most:", "constants that change it:")
	for _, f := range figures() {
		was := f.of(&s.Published)
		least, most, n := was.Hits, was.Hits, 0
		for i := range s.Constants {
			a, b := f.of(&s.Halved[i]).Hits, f.of(&s.Doubled[i]).Hits
			least, most = min(least, a, b), max(most, a, b)
			if a != was.Hits || b != was.Hits {
				n++
			}
		}
		t.add(f.title, was.String(), fmt.Sprint(least), fmt.Sprint(most), fmt.Sprintf("%d of %d", n, len(s.Constants)))
	}
	t.write(w, markdown)
}
