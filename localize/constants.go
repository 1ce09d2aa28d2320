package localize

import (
	"fmt"
	"math"
	"strings"
)

// Constant is one number that the ranking rests on.
type Constant struct {
	Name    string  `json:"name"` // what Options.Scale knows it by
	Value   float64 `json:"value"`
	Meaning string  `json:"meaning"`
	Source  string  `json:"source,omitempty"` // where it comes from; empty: its sensitivity is measured instead
}

// Constants lists the numbers that the ranking rests on, in the order of the stages that use them.
// Of a slope, the two bounds between which a doubt becomes a certainty, the lower bound is listed;
// Options.Scale moves both.
func Constants() []Constant {
	t := tableOf(&constants{})
	out := make([]Constant, len(t))
	for i, e := range t {
		out[i] = Constant{Name: e.name, Value: e.values[0], Meaning: e.meaning, Source: e.source}
	}
	return out
}

// Check says which names of Without and Scale nothing in the ranking goes by, and which factors are
// no factors. Rank leaves these out of account and says so in Result.Why, so that a measurement of
// a misspelt name is not mistaken for a constant without influence.
func (o Options) Check() error {
	if w := o.wrong(); len(w) > 0 {
		return fmt.Errorf("options of the ranking: %s; localize.Constants, localize.Signals and localize.Spectra list the names", strings.Join(w, "; "))
	}
	return nil
}

func (o Options) wrong() []string {
	var out []string
	known := map[string]bool{}
	for _, c := range Constants() {
		known[c.Name] = true
	}
	for _, name := range sortedWords(o.Scale) {
		switch f := o.Scale[name]; {
		case !known[name]:
			out = append(out, fmt.Sprintf("no constant is called %q", shorten(name, 60)))
		case !isFactor(f):
			out = append(out, fmt.Sprintf("%g is no factor for %s", f, name))
		}
	}
	signals := map[string]bool{}
	for _, s := range Signals() {
		signals[s.Name] = true
	}
	for _, name := range o.Without {
		if !signals[name] {
			out = append(out, fmt.Sprintf("no signal is called %q", shorten(name, 60)))
		}
	}
	if o.Spectrum != "" && spectrumOf(o.Spectrum).Name != o.Spectrum {
		out = append(out, fmt.Sprintf("no formula is called %q", shorten(o.Spectrum, 60)))
	}
	return out
}

func isFactor(f float64) bool { return f > 0 && !math.IsInf(f, 0) }

// slope is the bounds between which a doubt becomes a certainty.
type slope struct{ from, to float64 }

func (s slope) of(x float64) float64 { return ramp(x, s.from, s.to) }

// entry binds a constant to the fields that hold it.
type entry struct {
	name, meaning, source string
	fields                []*float64
	values                []float64
}

// table is filled in the order of the stages.
type table []entry

func (t *table) num(field *float64, name string, value float64, meaning, source string) {
	*t = append(*t, entry{name, meaning, source, []*float64{field}, []float64{value}})
}

func (t *table) slope(field *slope, name string, from, to float64, meaning, source string) {
	*t = append(*t, entry{name, fmt.Sprintf("%s (in full at %.4g)", meaning, to), source, []*float64{&field.from, &field.to}, []float64{from, to}})
}

// tableOf lists the constants and where c holds them.
func tableOf(c *constants) table {
	var t table
	c.weight.list(&t)
	c.combine.list(&t)
	c.window.list(&t)
	c.symptom.list(&t)
	c.onset.list(&t)
	c.errors.list(&t)
	c.latency.list(&t)
	c.network.list(&t)
	c.spectrum.list(&t)
	c.sequence.list(&t)
	c.logs.list(&t)
	c.metrics.list(&t)
	c.pool.list(&t)
	c.shape.list(&t)
	c.profile.list(&t)
	c.change.list(&t)
	c.fit.list(&t)
	c.risk.list(&t)
	c.flag.list(&t)
	c.outside.list(&t)
	c.hidden.list(&t)
	c.cause.list(&t)
	c.silence.list(&t)
	c.messages.list(&t)
	c.amplify.list(&t)
	c.shared.list(&t)
	c.restarts.list(&t)
	c.dimension.list(&t)
	return t
}

// newConstants are the constants, multiplied as the scale says.
func newConstants(scale map[string]float64) *constants {
	c := &constants{}
	for _, e := range tableOf(c) {
		f, ok := scale[e.name]
		if !ok || !isFactor(f) {
			f = 1
		}
		for i, v := range e.values {
			*e.fields[i] = v * f
		}
	}
	return c
}
