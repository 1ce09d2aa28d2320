package evaluate

import (
	"context"
	"fmt"
	"sync"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/localize"
)

// kept is one case in memory.
type kept struct {
	in     incident.Incident
	ev     localize.Evidence
	once   sync.Once
	ranked func(localize.Options) localize.Result
}

// ranker ranks the case under any options; what they have in common is looked at once.
func (k *kept) ranker(t *Tool) func(localize.Options) localize.Result {
	k.once.Do(func() {
		if t.Study != nil {
			k.ranked = t.Study(k.in, k.ev)
			return
		}
		k.ranked = func(o localize.Options) localize.Result { return t.Rank(k.in, k.ev, o) }
	})
	return k.ranked
}

// holdRecords bounds what hold keeps: a span with its attributes, and what is known of it, is about a kilobyte.
const holdRecords = 3 << 20

// hold reads corpora once, so that many rankings need not read them again; what would not fit is read every time.
func (t *Tool) hold(ctx context.Context, corpora []*Corpus) ([]*Corpus, error) {
	var out []*Corpus
	records, done := 0, 0
	for _, c := range corpora {
		h := *c
		h.held = map[string]*kept{}
		for _, id := range c.Cases {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			t.progress("reading again what is ranked many times", done, countCases(corpora))
			done++
			if records > holdRecords {
				break
			}
			k, err := t.kept(c, id)
			if err != nil {
				return nil, err
			}
			records += recordsOf(&k.ev)
			h.held[id] = k
		}
		out = append(out, &h)
	}
	return out, nil
}

// kept is a case that is held, or read now.
func (t *Tool) kept(c *Corpus, id string) (*kept, error) {
	if k := c.held[id]; k != nil {
		return k, nil
	}
	in, ev, err := t.load(c, id)
	if err != nil {
		return nil, fmt.Errorf("case %s of %s: %w", id, c.Name, err)
	}
	return &kept{in: in, ev: ev}, nil
}

func recordsOf(ev *localize.Evidence) int { return records(&ev.Incident) + records(&ev.Baseline) }
