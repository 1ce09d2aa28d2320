package localize

import (
	"slices"
)

// blameOdds is how much evidence, in nats, a change needs before it is blamed at all. The
// prior that any given commit broke something is small; 2.0 is odds of 7 to 1 for the change
// over an average commit of the window.
const blameOdds = 2.0

// verdict is what the classification found.
type verdict struct {
	cause Cause
	why   []string
	// outside is how sure it is that no code, configuration or flag of the system is to blame.
	outside float64
	// firm says that even a change that fits is no better explanation, unless it clearly
	// altered behaviour.
	firm bool
	// ours says that a short resource is one that the service sizes itself.
	ours bool
}

func hasPattern(in []Pattern, kind PatternKind) bool {
	return slices.ContainsFunc(in, func(p Pattern) bool { return p.Kind == kind })
}

// classifyCause decides the class of cause. Outside causes are looked for first and must be
// shown by the data itself; a change that fits the failure overrules them, because a bad
// change also makes peers look bad.
func (a *analysis) classifyCause(suspects []ranked) verdict {
	var outside verdict
	for _, find := range []func([]ranked) verdict{a.resolutionFailure, a.demandSurge, a.poisonRecord, a.peerFault} {
		if v := find(suspects); v.outside > outside.outside {
			outside = v
		}
	}
	best := a.bestChange()
	flag := a.bestFlag(suspects)
	if outside.outside > 0.5 && (best == nil || outside.firm && best.facts.risk() < 0.6 || best.odds < blameOdds+2*outside.outside || best.relation < 0.5) && (flag == nil || flag.odds < blameOdds+2*outside.outside) {
		a.judged = nil
		return outside
	}
	switch {
	case flag != nil && flag.odds >= blameOdds && (best == nil || flag.odds >= best.odds):
		// Changes that fit stay listed: one of them may be what turned the flag, or what it let loose.
		a.favourFlag(flag.flag.Flag)
		return verdict{cause: CauseFlag, why: []string{flag.text}}
	case best != nil && best.odds >= blameOdds:
		cause := CauseCode
		if best.facts.class == pathConfig {
			cause = CauseConfig
		}
		return verdict{cause: cause}
	}
	if len(suspects) > 0 && hasPattern(suspects[0].pattern, PatternPoolWait) {
		a.judged = nil
		return verdict{cause: CauseResource, ours: true, why: []string{"the service's own pool is short; its size is a value that can be changed"}}
	}
	a.judged = nil
	if len(suspects) == 0 {
		return verdict{cause: CauseUnclear}
	}
	// Without a change to blame the kind of evidence against the first suspect decides.
	code, resource := 0.0, 0.0
	for _, r := range suspects[0].reasons {
		switch r.Signal {
		case "sequence", "exception", "repeated", "shape", "handling":
			code += r.Weight
		case "errors":
			code += 0.7 * r.Weight
		case "resource_metric":
			resource += r.Weight
		case "network":
			resource += r.Weight
		case "latency":
			code += 0.3 * r.Weight
			resource += 0.3 * r.Weight
		}
	}
	switch {
	case resource > code && resource > 0.5:
		return verdict{cause: CauseResource, why: []string{"what moved are resources or the network, and no change explains it"}}
	case code > 0.5:
		return verdict{cause: CauseCode}
	}
	return verdict{cause: CauseUnclear, why: []string{"the evidence does not tell code from environment"}}
}

// bestChange is the change with the strongest case, nil when there is none.
func (a *analysis) bestChange() *judgedChange {
	if len(a.judged) == 0 {
		return nil
	}
	return &a.judged[0]
}
