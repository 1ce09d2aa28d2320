package localize

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/remediator/remediator/telemetry"
)

// judgedFlag is a flag change with the case against it.
type judgedFlag struct {
	flag *FlagChange
	odds float64
	text string
}

// bestFlag judges the flag changes. A flag acts at once, so the time between its change and the
// onset tells much; and either spans that carry the flag fail and others do not, or its name
// has to relate to what is seen.
func (a *analysis) bestFlag(suspects []ranked) *judgedFlag {
	posterior := map[string]float64{}
	for _, s := range suspects {
		posterior[s.service] = s.posterior
	}
	k := &a.k.flag
	symptoms := a.symptomWords()
	agreement := a.flagAgreement()
	var best *judgedFlag
	for i := range a.ev.Flags {
		f := &a.ev.Flags[i]
		lag := time.Unix(0, a.causeOnset).Sub(f.Time)
		odds := 0.0
		if lag < -a.onsetSlack() {
			continue
		}
		// How long a flag takes to show is taken as heavy-tailed (Lomax's distribution with shape 1 and a scale of a
		// minute), while bystanders change at any time.
		odds += k.near - 2*math.Log(1+max(lag.Minutes(), 0))
		if f.Service != "" {
			if p := posterior[f.Service]; p > 0 && (len(suspects) == 0 || a.neighbours(f.Service, suspects[0].service)) {
				odds += -k.placeOdd + k.placeShare*math.Sqrt(p)
			} else {
				odds -= k.elsewhere // a flag acts where it is evaluated, and on whom that calls or answers
			}
		}
		spans := agreement[f.Flag]
		words := bag{}
		words.addWords(f.Flag, 1)
		overlap := 0.0
		for _, w := range sortedWords(words) {
			overlap += symptoms[w]
		}
		switch {
		case spans > k.agreesLeast:
			odds += k.agrees * spans
		case overlap > 0.5:
			odds += min(overlap, 2) * k.words
		default:
			odds -= k.unrelated
		}
		if best == nil || odds > best.odds {
			best = &judgedFlag{f, odds, fmt.Sprintf("the flag %s of %s was changed (%s) %s before the incident began", f.Flag, nonEmpty(f.Service, "the system"), f.Change, round(lag))}
			if spans > k.agreesLeast {
				best.text += fmt.Sprintf("; bad traces evaluated it to a value that good ones did not have (Ochiai %.2f)", spans)
			}
		}
	}
	return best
}

// neighbours says whether two services are one, or call one another.
func (a *analysis) neighbours(x, y string) bool {
	return x == y || a.graph.calls[edgeKey{x, y}] != nil || a.graph.calls[edgeKey{y, x}] != nil
}

// flagAgreement is, for each flag that was changed, Ochiai's coefficient between a value of it in a
// trace's spans and the trace being bad, for the value that agrees best; nothing where no span tells the flag.
func (a *analysis) flagAgreement() map[string]float64 {
	if len(a.ev.Flags) == 0 {
		return nil
	}
	type valued struct{ flag, value string }
	type told struct {
		valued
		rank int // of the attribute's name: the first name that has a value counts
	}
	names := map[string]told{}
	flags := map[string]bool{}
	for i := range a.ev.Flags {
		f := a.ev.Flags[i].Flag
		flags[f] = true
		for n, key := range []string{"feature_flag." + f, "flag." + f, f} {
			if old, taken := names[key]; !taken || n < old.rank {
				names[key] = told{valued{flag: f}, n}
			}
		}
	}
	bad, hits, goods := 0.0, map[valued]float64{}, map[valued]float64{}
	seen := map[valued]bool{}
	see := func(w *window, t int) {
		isBad := w == a.cur && (w.outcomes[t].bad() || w.outcomes[t].diverged)
		if isBad {
			bad++
		}
		seen = emptied(seen)
		note := func(v valued) {
			if v.value == "" || seen[v] {
				return
			}
			seen[v] = true
			if isBad {
				hits[v]++
			} else {
				goods[v]++
			}
		}
		noteAll := func(attrs telemetry.Attrs) {
			var found []told
			evaluated := ""
			for i := range attrs {
				if attrs[i].Key == telemetry.AttrFlagKey && flags[attrs[i].Value] {
					evaluated = attrs[i].Value
				}
				if x, ok := names[attrs[i].Key]; ok && attrs[i].Value != "" {
					x.value = attrs[i].Value
					found = append(found, x)
				}
			}
			if evaluated != "" {
				note(valued{evaluated, attrs.First(telemetry.AttrFlagVariant, "feature_flag.result.value", "feature_flag.value")})
			}
			for n, x := range found {
				better := slices.ContainsFunc(found, func(y told) bool { return y.flag == x.flag && y.rank < x.rank })
				if x.flag != evaluated && !better && n < 64 {
					note(x.valued)
				}
			}
		}
		for _, s := range w.traces[t].Spans {
			noteAll(s.Attrs)
			for e := range s.Events {
				noteAll(s.Events[e].Attrs)
			}
		}
	}
	for _, w := range []*window{a.base, a.cur} {
		for t := range w.traces {
			see(w, t)
		}
	}
	best := map[string]float64{}
	for v, h := range hits {
		if bad > 0 {
			best[v.flag] = max(best[v.flag], h/math.Sqrt(bad*(h+goods[v])))
		}
	}
	return best
}

// favourFlag strengthens the case against changes that set the blamed flag itself, and drops it against those that have
// nothing to do with it: either the flag is to blame or they are.
func (a *analysis) favourFlag(name string) {
	if len(name) < 3 {
		return
	}
	a.judged = slices.DeleteFunc(a.judged, func(j judgedChange) bool {
		return !strings.Contains(j.change.Message, name) && !slices.ContainsFunc(j.change.Files, func(f ChangedFile) bool { return strings.Contains(f.Patch, name) })
	})
	for i := range a.judged {
		j := &a.judged[i]
		if j.facts.class != pathInert && slices.ContainsFunc(j.change.Files, func(f ChangedFile) bool { return strings.Contains(f.Patch, name) }) && len(j.facts.values) > 0 {
			// When it went live is told by the flag's own change; the commit's date says nothing.
			j.add("change_flag", fmt.Sprintf("it sets a value at the flag %s, which is blamed", name), 1, 5)
		}
	}
	sortJudged(a.judged)
}
