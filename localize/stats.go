package localize

import (
	"math"
	"slices"
)

// quantile is the q-quantile of sorted values, interpolated between neighbours (Hyndman and
// Fan, Sample Quantiles in Statistical Packages, 1996, definition 7); 0 for none.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	pos := q * float64(len(sorted)-1)
	i := int(pos)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	step := sorted[i+1] - sorted[i]
	if math.IsInf(step, 0) {
		return sorted[i] // further apart than a number can say
	}
	return sorted[i] + (pos-float64(i))*step
}

func sorted(v []float64) []float64 {
	out := slices.Clone(v)
	slices.Sort(out)
	return out
}

func median(v []float64) float64 { return quantile(sorted(v), 0.5) }

// mad is the median absolute deviation, scaled to estimate a standard deviation.
func mad(v []float64) float64 {
	m := median(v)
	dev := make([]float64, len(v))
	for i, x := range v {
		dev[i] = math.Abs(x - m)
	}
	return 1.4826 * median(dev)
}

// cliff is Cliff's delta (Cliff, Dominance Statistics, 1993): how much more often a value of
// a is above one of b than below, -1..1.
func cliff(a, b []float64) float64 {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	sb := sorted(b)
	sum := 0
	for _, x := range a {
		lo, _ := slices.BinarySearch(sb, x)
		hi, _ := slices.BinarySearch(sb, math.Nextafter(x, math.Inf(1)))
		sum += lo - (len(sb) - hi)
	}
	return float64(sum) / float64(len(a)*len(b))
}

// zProportions is the z score of two shares k1/n1 and k2/n2 being equal, with Agresti and
// Caffo's adjustment of one success and one failure each, which keeps it honest for small
// counts. Positive when the first is larger.
func zProportions(k1, n1, k2, n2 float64) float64 {
	if n1 <= 0 || n2 <= 0 {
		return 0
	}
	p1, p2 := (k1+1)/(n1+2), (k2+1)/(n2+2)
	se := math.Sqrt(p1*(1-p1)/(n1+2) + p2*(1-p2)/(n2+2))
	if se == 0 {
		return 0
	}
	return (p1 - p2) / se
}

// zRate is the z score of k1 events among exposure t1 having the same rate as k2 among t2
// (conditional binomial test, Przyborowski and Wilenski 1940, normal approximation with
// continuity correction). Positive when the first rate is larger.
func zRate(k1, t1, k2, t2 float64) float64 {
	n := k1 + k2
	if n == 0 || t1 <= 0 || t2 <= 0 {
		return 0
	}
	p := t1 / (t1 + t2)
	d := k1 - n*p
	switch {
	case d > 0.5:
		d -= 0.5
	case d < -0.5:
		d += 0.5
	default:
		return 0
	}
	return d / math.Sqrt(n*p*(1-p))
}

// binomialTail is how likely at least k of k+rest events fall where each falls with probability p:
// the regularised incomplete beta function I_p(k, rest+1), by its continued fraction (Press et al., Numerical
// Recipes, 2007, section 6.4; Lentz's method). It takes counts that are no whole numbers.
func binomialTail(k, rest, p float64) float64 {
	switch {
	case k <= 0 || p >= 1:
		return 1
	case p <= 0:
		return 0
	}
	a, b := k, rest+1
	ga, _ := math.Lgamma(a)
	gb, _ := math.Lgamma(b)
	gab, _ := math.Lgamma(a + b)
	front := math.Exp(gab - ga - gb + a*math.Log(p) + b*math.Log1p(-p))
	if p < (a+1)/(a+b+2) {
		return front * betaFraction(a, b, p) / a
	}
	return 1 - front*betaFraction(b, a, 1-p)/b
}

// upperNormal is how likely a standard normal value is above z.
func upperNormal(z float64) float64 { return 0.5 * math.Erfc(z/math.Sqrt2) }

// betaFraction is the continued fraction of the incomplete beta function.
func betaFraction(a, b, x float64) float64 {
	const tiny, steps, exact = 1e-300, 300, 1e-12
	away := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/away(1-(a+b)*x/(a+1))
	f := d
	for i := range steps {
		m := float64(i + 1)
		up := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d, c = 1/away(1+up*d), away(1+up/c)
		f *= d * c
		down := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d, c = 1/away(1+down*d), away(1+down/c)
		f *= d * c
		if math.Abs(d*c-1) < exact {
			break
		}
	}
	return f
}

// clamp01 bounds x to 0..1.
func clamp01(x float64) float64 { return min(max(x, 0), 1) }

// ramp grows from 0 at lo to 1 at hi.
func ramp(x, lo, hi float64) float64 {
	if hi <= lo {
		return 0
	}
	return clamp01((x - lo) / (hi - lo))
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
