package evaluate

import (
	"fmt"
	"io"
	"math"

	"github.com/remediator/remediator/localize"
)

// calibrationTerms is how many numbers a calibration has.
const calibrationTerms = 4

// terms are the numbers that a calibration multiplies with its own.
func (s *Sample) terms() [calibrationTerms]float64 {
	x := [calibrationTerms]float64{localize.LogOdds(s.Posterior), 1}
	if !s.Grounds.Baseline {
		x[2] = 1
	}
	if !s.Grounds.Traces {
		x[3] = 1
	}
	return x
}

// fitting is what Fit minimises: the log loss against Platt's targets, and the priors.
type fitting struct {
	samples   []Sample
	high, low float64 // targets of right and of wrong ones
}

// prior is the weight of the squares of a calibration's numbers: hardly any on slope and offset, that of a unit normal
// distribution on the offsets of missing evidence.
var prior = [calibrationTerms]float64{1e-3, 1e-3, 1, 1}

func (f *fitting) target(i int) float64 {
	if f.samples[i].Right {
		return f.high
	}
	return f.low
}

// loss is what is minimised.
func (f *fitting) loss(w [calibrationTerms]float64) float64 {
	sum := 0.0
	for k := range w {
		sum += prior[k] * w[k] * w[k] / 2
	}
	for i := range f.samples {
		x, t := dot(w, f.samples[i].terms()), f.target(i)
		// -t*ln(p) - (1-t)*ln(1-p) for p = 1/(1+exp(-x)), without overflow.
		sum += max(x, 0) - t*x + math.Log1p(math.Exp(-math.Abs(x)))
	}
	return sum
}

// slope is the gradient of the loss and its matrix of second derivatives.
func (f *fitting) slope(w [calibrationTerms]float64) (gradient [calibrationTerms]float64, hessian [calibrationTerms][calibrationTerms]float64) {
	for k := range w {
		gradient[k], hessian[k][k] = prior[k]*w[k], prior[k]
	}
	for i := range f.samples {
		x := f.samples[i].terms()
		p := 1 / (1 + math.Exp(-dot(w, x)))
		for k := range w {
			gradient[k] += (p - f.target(i)) * x[k]
			for j := range w {
				hessian[k][j] += p * (1 - p) * x[k] * x[j]
			}
		}
	}
	return gradient, hessian
}

func dot(a, b [calibrationTerms]float64) float64 {
	sum := 0.0
	for k := range a {
		sum += a[k] * b[k]
	}
	return sum
}

// Fit finds the calibration under which what was seen is likeliest, by Newton's method with step halving, with Platt's
// targets (which keep a clean sweep from meaning certainty) and a unit normal prior on the offsets of missing evidence,
// of which there are few examples. A slope that would turn the order around becomes zero: then a posterior says nothing.
func Fit(samples []Sample) localize.Calibration {
	hits := 0.0
	for i := range samples {
		if samples[i].Right {
			hits++
		}
	}
	misses := float64(len(samples)) - hits
	f := fitting{samples: samples, high: (hits + 1) / (hits + 2), low: 1 / (misses + 2)}
	var w [calibrationTerms]float64
	at := f.loss(w)
	for range 100 {
		gradient, hessian := f.slope(w)
		step := solve(hessian, gradient)
		better := false
		for scale := 1.0; scale > 1e-9 && !better; scale /= 2 {
			next := w
			for k := range w {
				next[k] -= scale * step[k]
			}
			if l := f.loss(next); l < at-1e-12 {
				w, at, better = next, l, true
			}
		}
		if !better {
			break
		}
	}
	return localize.Calibration{Slope: max(w[0], 0), Offset: w[1], NoBaseline: w[2], NoTraces: w[3]}
}

// solve is Gaussian elimination with pivoting; the matrix is positive definite by the priors.
func solve(m [calibrationTerms][calibrationTerms]float64, v [calibrationTerms]float64) [calibrationTerms]float64 {
	const n = calibrationTerms
	for c := range n {
		best := c
		for r := c + 1; r < n; r++ {
			if math.Abs(m[r][c]) > math.Abs(m[best][c]) {
				best = r
			}
		}
		m[c], m[best] = m[best], m[c]
		v[c], v[best] = v[best], v[c]
		for r := c + 1; r < n; r++ {
			f := m[r][c] / m[c][c]
			for k := c; k < n; k++ {
				m[r][k] -= f * m[c][k]
			}
			v[r] -= f * v[c]
		}
	}
	for c := n - 1; c >= 0; c-- {
		for k := c + 1; k < n; k++ {
			v[c] -= m[c][k] * v[k]
		}
		v[c] /= m[c][c]
	}
	return v
}

// Quality is how far confidences can be taken for frequencies.
type Quality struct {
	Samples int     `json:"samples"`
	Mean    float64 `json:"mean_confidence"`
	Right   Rate    `json:"right"`
	Brier   float64 `json:"brier"`    // mean squared distance from what was so; 0.25 for always saying one half
	LogLoss float64 `json:"log_loss"` // nats per case; 0.69 for always saying one half
	ECE     float64 `json:"ece"`      // expected calibration error over ten bins (Naeini et al., AAAI 2015)
}

// bins of a reliability table.
const bins = 10

// Bin is the cases whose confidence lies in one tenth.
type Bin struct {
	From, To float64
	Mean     float64 // of their confidences
	Right    Rate
}

// Judge measures confidences given by c, capped as the product caps them.
func Judge(samples []Sample, c localize.Calibration) (Quality, []Bin) {
	var q Quality
	sums := make([]float64, bins)
	list := make([]Bin, bins)
	for i := range samples {
		s := &samples[i]
		p := min(c.Of(s.Posterior, s.Grounds), localize.MaxConfidence)
		q.Samples++
		q.Mean += p
		q.Right = count(q.Right, s.Right)
		hit := 0.0
		if s.Right {
			hit = 1
		}
		q.Brier += (p - hit) * (p - hit)
		said := p
		if !s.Right {
			said = 1 - p
		}
		q.LogLoss -= math.Log(max(said, 1e-12))
		b := min(int(p*bins), bins-1)
		sums[b] += p
		list[b].Right = count(list[b].Right, s.Right)
	}
	n := max(float64(q.Samples), 1)
	q.Mean, q.Brier, q.LogLoss = q.Mean/n, q.Brier/n, q.LogLoss/n
	var filled []Bin
	for b := range list {
		list[b].From, list[b].To = float64(b)/bins, float64(b+1)/bins
		if list[b].Right.Of == 0 {
			continue
		}
		list[b].Mean = sums[b] / float64(list[b].Right.Of)
		q.ECE += math.Abs(list[b].Mean-list[b].Right.Share()) * float64(list[b].Right.Of) / n
		filled = append(filled, list[b])
	}
	return q, filled
}

// Reliability is how confidences compare with what was so, before and after calibration.
type Reliability struct {
	Samples   []Sample             `json:"samples"`
	Published localize.Calibration `json:"published"`
	Fitted    localize.Calibration `json:"fitted"` // what these samples alone would give
}

// Reliable judges the published calibration by samples.
func Reliable(samples []Sample) *Reliability {
	return &Reliability{Samples: samples, Published: localize.PublishedCalibration(), Fitted: Fit(samples)}
}

// acting are the samples that would have been acted on if the confidence was enough.
func acting(samples []Sample) []Sample {
	var out []Sample
	for _, s := range samples {
		if s.Willing {
			out = append(out, s)
		}
	}
	return out
}

// Table prints reliability tables and the price of each threshold.
func (r *Reliability) Table(w io.Writer, markdown bool) {
	heading := func(text string) {
		if markdown {
			fmt.Fprintf(w, "### %s\n\n", text)
		} else {
			fmt.Fprintf(w, "%s\n\n", text)
		}
	}
	heading("Summary")
	t := newTable("cases", "confidence", "number:", "mean confidence:", "right:", "Brier score:", "log loss:", "calibration error:")
	groups := []struct {
		name    string
		samples []Sample
	}{{"all in which somebody is named", r.Samples}, {"of these, not declined for another reason", acting(r.Samples)}}
	kinds := []struct {
		name string
		c    localize.Calibration
	}{{"uncalibrated", localize.Uncalibrated()}, {"published", r.Published}}
	for _, g := range groups {
		for _, k := range kinds {
			q, _ := Judge(g.samples, k.c)
			t.add(g.name, k.name, fmt.Sprint(q.Samples), fmt.Sprintf("%.2f", q.Mean), percentOf(q.Right), fmt.Sprintf("%.3f", q.Brier), fmt.Sprintf("%.3f", q.LogLoss), fmt.Sprintf("%.3f", q.ECE))
		}
	}
	t.write(w, markdown)
	for _, g := range groups {
		for _, k := range kinds {
			fmt.Fprintln(w)
			heading(fmt.Sprintf("Reliability, %s: %s", k.name, g.name))
			_, list := Judge(g.samples, k.c)
			t := newTable("confidence", "cases:", "mean confidence:", "right:", "share right:", "95 % interval:")
			for _, b := range list {
				low, high := Wilson(b.Right)
				t.add(fmt.Sprintf("%.1f to %.1f", b.From, b.To), fmt.Sprint(b.Right.Of), fmt.Sprintf("%.2f", b.Mean), fmt.Sprint(b.Right.Hits), percentOf(b.Right), fmt.Sprintf("%.0f to %.0f %%", 100*low, 100*high))
			}
			t.write(w, markdown)
		}
	}
	fmt.Fprintln(w)
	heading("What each threshold costs")
	r.thresholds(w, markdown)
	fmt.Fprintln(w)
	heading("Parameters")
	p := newTable("calibration", "slope:", "offset:", "without a baseline:", "without many traces:")
	for _, k := range append(kinds, struct {
		name string
		c    localize.Calibration
	}{"fitted to these cases", r.Fitted}) {
		p.add(k.name, fmt.Sprintf("%.2f", k.c.Slope), fmt.Sprintf("%.2f", k.c.Offset), fmt.Sprintf("%.2f", k.c.NoBaseline), fmt.Sprintf("%.2f", k.c.NoTraces))
	}
	p.write(w, markdown)
}

// thresholds says how often the tool would act, and be right, above each threshold, and what that is worth when
// a wrong claim costs as much as so many right ones bring.
func (r *Reliability) thresholds(w io.Writer, markdown bool) {
	prices := []float64{1, 2, 3, 5}
	titles := []string{"threshold:", "acts:", "of cases:", "right:", "wrong:", "share right:", "95 % interval:"}
	for _, p := range prices {
		titles = append(titles, fmt.Sprintf("right less %g x wrong:", p))
	}
	t := newTable(titles...)
	for _, threshold := range []float64{0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95} {
		var right Rate
		for _, s := range acting(r.Samples) {
			if min(r.Published.Of(s.Posterior, s.Grounds), localize.MaxConfidence) >= threshold {
				right = count(right, s.Harmless)
			}
		}
		low, high := Wilson(right)
		wrong := right.Of - right.Hits
		cells := []string{fmt.Sprintf("%.2f", threshold), fmt.Sprint(right.Of), percentOf(Rate{right.Of, len(r.Samples)}), fmt.Sprint(right.Hits), fmt.Sprint(wrong), percentOf(right), fmt.Sprintf("%.0f to %.0f %%", 100*low, 100*high)}
		for _, p := range prices {
			cells = append(cells, fmt.Sprintf("%.0f", float64(right.Hits)-p*float64(wrong)))
		}
		t.add(cells...)
	}
	t.write(w, markdown)
}
