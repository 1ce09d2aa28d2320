package evaluate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Rate is how often something was so.
type Rate struct {
	Hits int `json:"hits"`
	Of   int `json:"of"`
}

// Share is the rate as a number, 0 where nothing was counted.
func (r Rate) Share() float64 {
	if r.Of == 0 {
		return 0
	}
	return float64(r.Hits) / float64(r.Of)
}

// Metrics are rates by name.
type Metrics map[string]Rate

func (m Metrics) add(name string, hit bool) {
	r := m[name]
	r.Of++
	if hit {
		r.Hits++
	}
	m[name] = r
}

// Names lists the metrics in order.
func (m Metrics) Names() []string { return slices.Sorted(maps.Keys(m)) }

// Row is what became of one case. Ranks are 0 where the answer is not among what was named; a field
// is nil where the label says nothing about it.
type Row struct {
	Case       string     `json:"case"`
	Kind       string     `json:"kind"`
	Answered   bool       `json:"answered"`
	Service    *int       `json:"service_rank,omitempty"`
	File       *int       `json:"file_rank,omitempty"`
	Region     *int       `json:"region_rank,omitempty"`
	Commit     *bool      `json:"commit,omitempty"`
	NoCommit   *bool      `json:"no_commit,omitempty"` // no commit was to be blamed, and none was
	Named      *bool      `json:"named,omitempty"`     // of an outside cause: the first suspect is it, or calls it
	Decoy      *bool      `json:"decoy,omitempty"`
	Abstained  *bool      `json:"abstained,omitempty"`
	Decision   string     `json:"decision"`
	Confidence float64    `json:"confidence"`
	Scoped     bool       `json:"scoped,omitempty"`
	Answer     Prediction `json:"-"`
}

// Score judges predictions by the labels. The names of the metrics, and what they count, are those of the
// scorer that comes with the public corpora, with a few more: region_top1 and region_top3 (the first places in code
// against the labelled lines), named_top1[external] (the first suspect, or the dependency that it calls, is the labelled
// service or another name of it), and acted_on_wrong (decided to act, but there is nothing to act on, or the
// first suspect or the blamed commit is not the one).
func Score(truths map[string]Truth, predictions map[string]Prediction) (Metrics, []Row) {
	m := Metrics{}
	var rows []Row
	for _, id := range slices.Sorted(maps.Keys(truths)) {
		t := truths[id]
		p, answered := predictions[id]
		row := Row{Case: id, Kind: t.Kind, Answered: answered, Decision: p.Decision, Confidence: p.Confidence, Scoped: t.scoped(), Answer: p}
		if t.Service != "" && !t.scoped() {
			r := strictRank(p.Services, func(s string) bool { return strings.TrimSpace(s) == t.Service })
			row.Service = &r
			for _, k := range []int{1, 3, 5} {
				m.add(fmt.Sprintf("service_top%d", k), r > 0 && r <= k)
				m.add(fmt.Sprintf("service_top%d[%s]", k, t.Kind), r > 0 && r <= k)
			}
		}
		wanted := t.wanted()
		if t.Kind == kindExternal && t.Service != "" && !t.scoped() {
			hit := named(&p, &t)
			row.Named = &hit
			m.add("named_top1[external]", hit)
		}
		if len(wanted) > 0 {
			r := strictRank(p.Files, func(f string) bool {
				return slices.ContainsFunc(wanted, func(w string) bool { return sameFile(f, w) })
			})
			row.File = &r
			for _, k := range []int{1, 3} {
				m.add(fmt.Sprintf("file_top%d[%s]", k, t.Kind), r > 0 && r <= k)
			}
		}
		if len(wanted) > 0 && len(t.Lines) == 2 {
			r := regionRank(p.Places, &t)
			row.Region = &r
			for _, k := range []int{1, 3} {
				m.add(fmt.Sprintf("region_top%d", k), r > 0 && r <= k)
			}
		}
		if t.Kind == kindChange && t.Commit != "" {
			hit := sameCommit(p.Commit, t.Commit)
			row.Commit = &hit
			m.add("commit_exact", hit)
		}
		if len(t.Decoys) > 0 {
			hit := slices.ContainsFunc(t.Decoys, func(d string) bool { return sameCommit(p.Commit, d) })
			row.Decoy = &hit
			m.add("decoy_hits", hit)
		}
		if t.scoped() {
			rows = append(rows, row)
			continue
		}
		abstained := p.Decision == "abstain"
		switch {
		case t.blameless():
			row.Abstained = &abstained
			m.add("abstained_on_none", abstained)
			if t.Commit == "none" {
				blamed := p.Commit != "" && p.Commit != "none"
				innocent := !blamed
				row.NoCommit = &innocent
				m.add("blamed_a_commit_on_none", blamed)
			}
		case t.Kind == kindCode || t.Kind == kindChange:
			row.Abstained = &abstained
			m.add("abstained_wrongly", abstained)
		}
		if answered && !abstained {
			m.add("acted_on_wrong", t.blameless() || row.Service != nil && *row.Service != 1 || row.Commit != nil && !*row.Commit)
		}
		rows = append(rows, row)
	}
	return m, rows
}

// named says that the first suspect, or the dependency that it calls, is what the label names.
func named(p *Prediction, t *Truth) bool {
	right := append([]string{t.Service}, t.Also...)
	if slices.Contains(right, p.Peer) {
		return true
	}
	return slices.ContainsFunc(right, func(s string) bool {
		return strictRank(p.Services, func(n string) bool { return n == s }) == 1
	})
}

// right says that the first suspect is the right one.
func (r *Row) right() bool {
	return r.Service != nil && *r.Service == 1 || r.Named != nil && *r.Named
}
