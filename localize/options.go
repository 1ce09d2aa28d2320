package localize

// Options configure Rank. The zero value is the default.
type Options struct {
	// Threshold is the confidence below which Rank abstains. Default 0.5.
	Threshold float64
	// Suspects bounds how many suspects are listed. Default 10.
	Suspects int
	// Without names signals to leave out, for measuring what each contributes.
	Without []string
	// Scale multiplies constants of the ranking, by the names that Constants lists, for measuring how
	// much an answer hangs on them.
	Scale map[string]float64
	// Calibration turns posteriors into confidences; nil is the published one.
	Calibration *Calibration
}

func (o Options) withDefaults() Options {
	if o.Threshold <= 0 {
		o.Threshold = 0.5
	}
	if o.Suspects <= 0 {
		o.Suspects = 10
	}
	return o
}
