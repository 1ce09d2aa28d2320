package evaluate

import "github.com/remediator/remediator/localize"

// Sample is what one incident says about how far a confidence can be trusted.
type Sample struct {
	Corpus    string           `json:"corpus"`
	Case      string           `json:"case"`
	Kind      string           `json:"kind"`
	Posterior float64          `json:"posterior"` // of the first suspect, as the combination gives it
	Grounds   localize.Grounds `json:"grounds"`
	Right     bool             `json:"right"`    // the first suspect is the right one
	Willing   bool             `json:"willing"`  // nothing but the confidence could keep the tool from acting
	Harmless  bool             `json:"harmless"` // acting on it is right: there is something to act on, and this is it
}

// anyConfidence is a threshold that every confidence reaches.
const anyConfidence = 1e-12

// Samples are the cases of reports in which somebody was named and whose labels say who is right.
func Samples(reports []*Report) []Sample {
	var out []Sample
	for _, r := range reports {
		rows := map[string]*Row{}
		for i := range r.Rows {
			rows[r.Rows[i].Case] = &r.Rows[i]
		}
		for i := range r.Answers {
			a := &r.Answers[i]
			row := rows[a.Prediction.Case]
			if len(a.Result.Suspects) == 0 || row.Scoped || row.Service == nil && row.Kind != kindNone {
				continue
			}
			blameless := row.Kind == kindNone || row.Kind == kindExternal
			out = append(out, Sample{Corpus: r.Corpus, Case: row.Case, Kind: row.Kind, Posterior: a.Result.Suspects[0].Posterior, Grounds: a.Grounds,
				Right: row.right(), Willing: a.Willing, Harmless: row.right() && !blameless})
		}
	}
	return out
}
