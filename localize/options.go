package localize

// Options configure Rank. The zero value is the default.
type Options struct {
	// Threshold is the confidence below which Rank abstains. Default 0.8: acting pays above k / (1 + k) where a wrong
	// claim costs k times what a right one brings, and people who were sent the wrong way once stop listening; k is 4.
	Threshold float64
	// Suspects bounds how many suspects are listed. Default 10.
	Suspects int
	// Without names signals to leave out, for measuring what each contributes.
	Without []string
	// Scale multiplies constants of the ranking, by the names that Constants lists, for measuring how
	// much an answer hangs on them.
	Scale map[string]float64
	// Spectrum names the formula of Spectra that operations are compared with the bad traces by; empty is Ochiai.
	Spectrum string
	// Calibration turns posteriors into confidences; nil is the published one.
	Calibration *Calibration
}

// defaultThreshold is that of Options.Threshold.
const defaultThreshold = 0.8

func (o Options) withDefaults() Options {
	if o.Threshold <= 0 {
		o.Threshold = defaultThreshold
	}
	if o.Suspects <= 0 {
		o.Suspects = 10
	}
	return o
}
