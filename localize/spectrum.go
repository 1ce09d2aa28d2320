package localize

import "math"

// Spectrum is a formula that says how well "something was wrong there" agrees with "the trace was bad".
type Spectrum struct {
	Name   string `json:"name"` // what Options.Spectrum knows it by
	Title  string `json:"title"`
	Source string `json:"source"`
	of     func(spectrum) float64
}

// spectrum counts the traces of one operation.
type spectrum struct {
	badHit, goodHit float64 // bad and good traces in which it was abnormal
	bad, good       float64 // all bad and all good traces
}

// ochiaiName is the formula that the ranking goes by.
const ochiaiName = "ochiai"

// Spectra lists the formulas; the first is the one that the ranking goes by. Definitions are those of Wong et al., A Survey
// on Software Fault Localization (IEEE TSE 2016), section 3. Evidence is weighed by how sure it is, so what has no upper
// bound of 1 is brought to 0..1 without changing the order of any two operations of one incident.
func Spectra() []Spectrum {
	return []Spectrum{
		{ochiaiName, "Ochiai", "Abreu, Zoeteweij, van Gemund, On the Accuracy of Spectrum-based Fault Localization (2007)", func(s spectrum) float64 {
			return s.badHit / math.Sqrt(s.bad*(s.badHit+s.goodHit))
		}},
		{"tarantula", "Tarantula", "Jones and Harrold, Empirical Evaluation of the Tarantula Automatic Fault-Localization Technique (ASE 2005)", func(s spectrum) float64 {
			bad, good := s.badHit/s.bad, s.goodHit/max(s.good, 1)
			return bad / max(bad+good, math.SmallestNonzeroFloat64)
		}},
		{"dstar", "D*2", "Wong et al., The DStar Method for Effective Software Fault Localization (IEEE Transactions on Reliability 2014)", func(s spectrum) float64 {
			// x / (1 + x) of D*2 = badHit^2 / (goodHit + bad - badHit), which is beyond all bounds where it is abnormal in exactly the bad traces.
			square := s.badHit * s.badHit
			return square / max(square+s.goodHit+s.bad-s.badHit, math.SmallestNonzeroFloat64)
		}},
		{"jaccard", "Jaccard", "Chen et al., Pinpoint: Problem Determination in Large, Dynamic Internet Services (DSN 2002)", func(s spectrum) float64 {
			return s.badHit / (s.bad + s.goodHit)
		}},
		{"op2", "Op2", "Naish, Lee, Ramamohanarao, A Model for Spectra-based Software Diagnosis (TOSEM 2011)", func(s spectrum) float64 {
			// badHit - goodHit / (good + 1) lies above -1 and up to all bad traces.
			return max(s.badHit-s.goodHit/(s.good+1), 0) / s.bad
		}},
	}
}

// spectrumOf finds a formula; what is not known is Ochiai, see Options.Check.
func spectrumOf(name string) Spectrum {
	list := Spectra()
	for _, s := range list {
		if s.Name == name {
			return s
		}
	}
	return list[0]
}
