package evaluate

import (
	"context"
	"fmt"
)

// Report is what one corpus showed.
type Report struct {
	Corpus  string   `json:"corpus"`
	Content Content  `json:"content"`
	Source  string   `json:"source,omitempty"`
	Cases   int      `json:"cases"`
	Metrics Metrics  `json:"metrics"`
	Rows    []Row    `json:"rows,omitempty"`
	Costs   []Cost   `json:"costs,omitempty"` // by row
	Answers []Answer `json:"-"`               // in the corpus' order
}

// Evaluate ranks a corpus of bundles, and only then reads the labels and scores.
func (t *Tool) Evaluate(ctx context.Context, c *Corpus) (*Report, error) {
	if c.Content != Bundles {
		return nil, fmt.Errorf("%s holds %s, nothing that can be ranked", c.Dir, c.Content)
	}
	answers, err := t.Run(ctx, c)
	if err != nil {
		return nil, err
	}
	predictions, truths, costs := map[string]Prediction{}, map[string]Truth{}, map[string]Cost{}
	for i, id := range c.Cases {
		if truths[id], err = c.Truth(id); err != nil {
			return nil, err
		}
		predictions[id], costs[id] = answers[i].Prediction, answers[i].Cost
	}
	r := &Report{Corpus: c.Name, Content: c.Content, Source: c.Source, Cases: len(c.Cases), Answers: answers}
	r.Metrics, r.Rows = Score(truths, predictions)
	for i := range r.Rows {
		r.Costs = append(r.Costs, costs[r.Rows[i].Case])
	}
	return r, nil
}
