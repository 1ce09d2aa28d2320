package localize

import "math"

// Calibration turns the posterior of the combination into a confidence: how often a first suspect with this
// posterior, on this kind of evidence, is the right one. The posterior itself is no such frequency. Its order is
// good, but it takes the signals to be independent, which they are not, so it is too sure (Domingos and Pazzani, On
// the Optimality of the Simple Bayesian Classifier, 1997; Niculescu-Mizil and Caruana, Predicting Good Probabilities
// with Supervised Learning, ICML 2005).
//
// The form is Platt's sigmoid on the log-odds of the posterior (Platt, Probabilistic Outputs for Support Vector
// Machines, 1999; it is the beta calibration of Kull, Silva Filho and Flach, AISTATS 2017, with both of its slopes
// equal), with one offset for each kind of evidence that is missing:
//
//	confidence = 1 / (1 + exp(-(slope * ln(posterior / (1 - posterior)) + offset + missing kinds)))
//
// It is monotone, so calibration changes no ranking. Few numbers are all that a few dozen recorded
// incidents can bear; an isotonic fit would follow each of them.
type Calibration struct {
	Slope  float64 `json:"slope"`
	Offset float64 `json:"offset"`
	// Added where this kind of evidence is missing.
	NoBaseline float64 `json:"no_baseline"`
	NoTraces   float64 `json:"no_traces"`
}

// Uncalibrated leaves the posterior as it is.
func Uncalibrated() Calibration { return Calibration{Slope: 1} }

// PublishedCalibration is what confidences are made with. The numbers were fitted by the command that
// docs/localization/reliability.md names, which also shows how far they can be trusted. That of missing traces cannot come
// from there, where every case has some: it was fitted to all cases with their traces taken away, with the other numbers
// as they are (docs/localization.md, "How robust it is").
func PublishedCalibration() Calibration {
	return Calibration{Slope: 0.31, Offset: 1.47, NoBaseline: -0.41, NoTraces: -0.54}
}

// MaxConfidence is where confidence ends: the signals are not independent, as the combination takes them to be, and
// no number of recorded cases so far tells 99 from 100 in a hundred.
const MaxConfidence = 0.99

// Grounds are the kinds of evidence that a confidence rests on.
type Grounds struct {
	Baseline bool `json:"baseline"` // anything healthy to compare with
	Traces   bool `json:"traces"`   // any of the incident: who called whom, and what became of it
}

// GroundsOf looks at what there is.
func GroundsOf(ev *Evidence) Grounds {
	return Grounds{
		Baseline: len(ev.Baseline.Spans)+len(ev.Baseline.Logs)+len(ev.Baseline.Metrics) > 0,
		Traces:   len(ev.Incident.Spans) > 0,
	}
}

// posteriorLimit bounds log-odds: a hundred labelled incidents do not tell posteriors beyond it apart, and a single
// one far out would turn the whole sigmoid.
const posteriorLimit = 0.01

// LogOdds is what Calibration works on.
func LogOdds(posterior float64) float64 {
	p := min(max(posterior, posteriorLimit), 1-posteriorLimit)
	return math.Log(p / (1 - p))
}

// Of is the confidence that a posterior is worth.
func (c Calibration) Of(posterior float64, g Grounds) float64 {
	x := c.Slope*LogOdds(posterior) + c.Offset
	if !g.Baseline {
		x += c.NoBaseline
	}
	if !g.Traces {
		x += c.NoTraces
	}
	return logistic(x)
}

// confidence is the calibrated confidence in a service. The sigmoid was fitted to first suspects; what it leaves to all
// others is divided among them by their posteriors.
func (a *analysis) confidence(present, posterior, best float64) float64 {
	c := PublishedCalibration()
	if a.opt.Calibration != nil {
		c = *a.opt.Calibration
	}
	first := min(c.Of(clamp01(present*best), GroundsOf(a.ev)), MaxConfidence)
	if posterior >= best {
		return first
	}
	return min((1-first)*posterior/max(1-best, posterior), first)
}
