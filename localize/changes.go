package localize

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// judgedChange is a change with the case against it.
type judgedChange struct {
	change   *Change
	facts    diffFacts
	service  string // the service it most likely runs in
	live     time.Time
	shipped  bool // a deployment names it or carries it
	exact    bool // a deployment names its hash
	relation float64
	odds     float64
	reasons  []Reason
	without  []string // signals to leave out
}

// onsetSlack is how much later than the estimated onset a change may have become live and still
// be blamed: onsets are estimates, the rougher the longer the window, and deployment records
// are written late.
func (a *analysis) onsetSlack() time.Duration {
	return max(time.Second, time.Duration(min(a.k.change.slackMost*1e9, a.k.change.slackShare*float64(a.cur.to-a.cur.from))))
}

// findChanges judges every change by four questions, each a likelihood ratio in nats: was it
// live before the incident began, and how long before; does it run where the suspects are; can it
// change behaviour at all; and does what it changes fit what is seen. A commit that is merely near
// in time and place stays innocent when its content does not fit: most commits in any window are
// innocent, and blaming one of them costs more than blaming none.
func (a *analysis) findChanges(suspects []ranked) {
	if len(a.ev.Changes) == 0 {
		return
	}
	symptoms := a.symptomWords()
	symptomConcepts := conceptWeights(symptoms, a.k.fit.conceptScale, func(c *concept) []string { return c.symptom })
	rarity := wordRarity(a.ev.Changes)
	posterior := map[string]float64{}
	for _, s := range suspects {
		posterior[s.service] = s.posterior
	}
	rollouts, names := a.findRollouts(), a.nameStems()
	slow := takesTime(symptomConcepts)
	for i := range a.ev.Changes {
		c := &a.ev.Changes[i]
		j := judgedChange{change: c, facts: digest(c), without: a.opt.Without}
		j.service = a.serviceOfChange(c)
		a.judgeTime(&j, posterior)
		a.judgePlace(&j, posterior)
		a.judgeRange(&j, rollouts, slow)
		a.judgeRisk(&j)
		j.judgeFit(&a.k.fit, names, symptoms, symptomConcepts, rarity)
		a.judged = append(a.judged, j)
	}
	sortJudged(a.judged)
}

// sortJudged orders changes by the case against them, strongest first.
func sortJudged(judged []judgedChange) {
	slices.SortStableFunc(judged, func(x, y judgedChange) int {
		if x.odds != y.odds {
			return int(math.Copysign(1, y.odds-x.odds))
		}
		return strings.Compare(x.change.SHA, y.change.SHA)
	})
}

func (j *judgedChange) add(signal, text string, value, weight float64) {
	if slices.Contains(j.without, signal) {
		return
	}
	j.odds += weight
	j.reasons = append(j.reasons, Reason{Signal: signal, Text: text, Value: value, Weight: weight})
}

// judgeTime asks when the change became live. A deployment that names the hash tells; else the
// first later deployment of its service carried it; else the commit's own time stands in.
func (a *analysis) judgeTime(j *judgedChange, posterior map[string]float64) {
	c := j.change
	j.live = c.Time
	names := map[string]bool{}
	for _, d := range a.ev.Deploys {
		if !sameCommit(d.SHA, c.SHA) {
			continue
		}
		if !j.exact {
			j.live, j.shipped, j.exact = d.Time, true, true
		}
		names[d.Service] = true
	}
	// A hash that was rolled out to several services is the head of a shared repository, not
	// the reason of a deployment.
	head := len(names) > 1
	if j.exact && !head && j.service == "" {
		for n := range names {
			j.service = n
		}
	}
	if !j.exact {
		for _, d := range a.ev.Deploys {
			if !d.Time.Before(c.Time) && d.Service != "" && d.Service == j.service {
				j.live, j.shipped = d.Time, true
				break
			}
		}
	}
	if a.causeOnset == 0 {
		return
	}
	// The first signs are dated by metrics and logs, roughly; the onset by what users noticed. What became
	// live in between may be late by the error of the estimate.
	lag := time.Unix(0, a.causeOnset).Sub(j.live)
	after := -lag
	if lag < 0 {
		lag = time.Unix(0, a.onset).Sub(j.live)
		if lag > 0 {
			lag = 0
		}
	}
	what := "committed"
	if j.shipped {
		what = "deployed"
	}
	switch {
	case lag < -a.onsetSlack() && a.undated && j.live.UnixNano() <= a.cur.to:
		j.add("change_time", fmt.Sprintf("%s within the incident's window; when it began is not known", what), lag.Seconds(), 0)
	case lag < -a.onsetSlack():
		j.add("change_time", fmt.Sprintf("%s %s after the incident began", what, round(-lag)), lag.Seconds(), -a.k.change.late)
	case after > a.onsetSlack():
		w := a.k.change.near - min(a.k.change.lateMost, after.Seconds()/a.k.change.interval)
		j.add("change_time", fmt.Sprintf("%s %s after the first signs, but before users noticed", what, round(after)), after.Seconds(), w)
	default:
		// Faults that need time to show (a cache that runs dry, a disk that fills) are common
		// enough that a long lag speaks against a change only slowly: the odds fall with the
		// square root of the lag beyond ten minutes.
		w := a.k.change.near - a.k.change.lagSlope*math.Log(1+max(lag.Minutes(), 0)/a.k.change.lagMinutes)
		if j.shipped && !a.undated {
			w += a.promptness(lag, after, posterior[j.service], j.facts.risk(&a.k.risk))
		}
		j.add("change_time", fmt.Sprintf("%s %s before the incident began", what, round(lag)), lag.Seconds(), w)
	}
	if len(a.ev.Deploys) > 0 {
		switch {
		case j.exact && !head:
			j.add("change_deployed", "a deployment names this commit", 1, a.k.change.named)
		case !j.shipped:
			j.add("change_deployed", "no deployment is known to carry it", 0, -a.k.change.unshipped)
		}
	}
}

// promptness is how much better a roll-out explains the incident that follows it at once, in nats. Of the harmful ones some
// show within a minute, heavy-tailed (Lomax's distribution with shape 1, as for flags), the others at
// any time later; the odds of the mixture are those of the one and the other by their shares. It speaks for a change as far as
// the telemetry blames its service, since among many services some are always rolled out, and as far as it can alter
// behaviour, since a roll-out carries harmless commits beside the harmful one.
func (a *analysis) promptness(lag, after time.Duration, blame, risk float64) float64 {
	k := &a.k.change
	if after > 0 {
		return 0 // it came after the first signs
	}
	t := 1 + lag.Minutes()/k.promptMinutes
	w := math.Log(1 - min(k.prompt, 0.9) + k.promptOdds/(t*t))
	if w > 0 {
		w *= math.Sqrt(blame) * clamp01(risk/a.k.risk.average)
	}
	return w
}

// judgePlace asks whether the change runs where the suspects are. Code without a service of
// its own may be shared by all.
func (a *analysis) judgePlace(j *judgedChange, posterior map[string]float64) {
	p := posterior[j.service]
	switch {
	case j.service == "":
		j.add("change_place", "its paths belong to no single service", 0, -a.k.change.placeless)
	case j.facts.class == pathConfig && !a.isService(j.service):
		j.add("change_place", fmt.Sprintf("it was rolled out as %s, which has no telemetry: what it configures may be any service", j.service), 0, -a.k.change.placeless)
	case p > 0:
		j.add("change_place", fmt.Sprintf("it runs in %s, which the telemetry blames with %s", j.service, percent(p)), p, -a.k.change.placeOdd+a.k.change.placeShare*math.Sqrt(p))
	case a.calledBySuspects(j.service, posterior):
		j.add("change_place", fmt.Sprintf("it runs in %s, which a suspect calls", j.service), 0, -a.k.change.called)
	default:
		j.add("change_place", fmt.Sprintf("it runs in %s, which the telemetry does not blame", j.service), 0, -a.k.change.elsewhere)
	}
}

func (a *analysis) calledBySuspects(service string, posterior map[string]float64) bool {
	if a.calledBy == nil {
		a.calledBy = map[string][]string{}
		for k := range a.graph.calls {
			if posterior[k.from] > 0 {
				a.calledBy[k.to] = append(a.calledBy[k.to], k.from)
			}
		}
	}
	return len(a.calledBy[service]) > 0
}

// judgeRisk asks whether the change can alter behaviour.
func (a *analysis) judgeRisk(j *judgedChange) {
	k := &a.k.risk
	r := j.facts.risk(k)
	text := "its text changes behaviour: "
	switch f := &j.facts; {
	case f.class == pathInert:
		text = "it touches documentation, tests, style or build files only"
	case !f.known:
		text = "its text is not known, only its paths"
	case f.dependency:
		text = "it changes versions of dependencies only"
	case f.onlyWords:
		text = "it changes comments and messages only"
	case f.disrupts != "":
		text = "its migration changes what is in use: " + shorten(f.disrupts, 80)
	case f.rewritten > 0 && len(f.values) == 0 && f.callsLost == 0 && f.guardsLost == 0:
		text += fmt.Sprintf("%.0f statements compute something else", f.rewritten)
	case r < 0.2:
		text = "it says the same in other words"
	default:
		text += strings.Join(f.doings(), ", ")
	}
	// The odds of a change with this risk against an average one.
	j.add("change_risk", text, r, math.Log(max(r, k.inert)/k.average))
}

// doings names what the change does.
func (d *diffFacts) doings() []string {
	var out []string
	for _, v := range d.values[:min(len(d.values), 3)] {
		out = append(out, fmt.Sprintf("%s becomes %s in %q", v.from, v.to, shorten(v.line, 60)))
	}
	if d.guardsLost > 0 {
		out = append(out, fmt.Sprintf("%.0f checks removed", d.guardsLost))
	}
	if d.callsLost > 0 {
		out = append(out, fmt.Sprintf("%.0f calls removed", d.callsLost))
	}
	if d.constantsLost > 0 {
		out = append(out, "a constant removed")
	}
	if d.loopCalls {
		out = append(out, "a call in a loop added")
	} else if d.callsGained > 0 {
		out = append(out, fmt.Sprintf("%.0f calls added", d.callsGained))
	}
	if len(out) == 0 {
		out = append(out, fmt.Sprintf("%d lines removed, %d added", len(d.removed), len(d.added)))
	}
	return out
}

// nameStems are the words of the services' names: that a change shares them with what is seen is said by
// its place already.
func (a *analysis) nameStems() map[string]bool {
	out := map[string]bool{}
	for _, s := range a.services {
		for _, w := range nameWords(s) {
			out[stem(w)] = true
		}
	}
	return out
}

// serviceOfChange is the service the record names, else one whose name, or a part of it that
// tells it from others, is a directory of all changed paths.
func (a *analysis) serviceOfChange(c *Change) string {
	if c.Service != "" {
		return c.Service
	}
	if a.directories == nil {
		a.directories = make(map[string]string, len(a.services))
		for _, s := range a.services {
			a.directories[strings.ToLower(s)] = s
		}
	}
	found := ""
	for _, f := range c.Files {
		if classifyPath(f.Path) == pathInert {
			continue
		}
		hit := ""
		for _, dir := range strings.Split(strings.ToLower(f.Path), "/") {
			if s, ok := a.directories[dir]; ok {
				hit = s
			}
		}
		if hit == "" || found != "" && found != hit {
			return ""
		}
		found = hit
	}
	return found
}

// sameCommit compares hashes of which one may be shortened.
func sameCommit(a, b string) bool {
	if len(a) < 7 || len(b) < 7 {
		return false
	}
	return strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
}

func round(d time.Duration) string {
	if d < 0 {
		d = 0
	}
	if d > time.Minute {
		return d.Round(time.Minute).String()
	}
	return d.Round(time.Second).String()
}

// title is the first line of a commit message.
func title(message string) string {
	t, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	return shorten(strings.TrimSpace(t), 120)
}
