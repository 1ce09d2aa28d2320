package localize

import (
	"slices"
)

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
	finders := []func([]ranked) verdict{a.resolutionFailure, a.certificateFailure, a.volumeFailure, a.poisonRecord, a.peerFault}
	if a.suffers() {
		finders = append(finders, a.demandSurge)
	}
	for _, find := range finders {
		if v := find(suspects); v.outside > outside.outside {
			outside = v
		}
	}
	k, blame := &a.k.cause, a.k.change.blame
	overrule := blame + k.overrule*outside.outside
	best := a.bestChange()
	flag := a.bestFlag(suspects)
	if outside.outside > k.outside && (best == nil || outside.firm && best.facts.risk(&a.k.risk) < k.risk || best.odds < overrule || best.relation < k.relation) && (flag == nil || flag.odds < overrule) {
		a.judged = nil
		return outside
	}
	switch {
	case flag != nil && flag.odds >= blame && (best == nil || flag.odds >= best.odds):
		// Changes that fit stay listed: one of them may be what turned the flag, or what it let loose.
		a.favourFlag(flag.flag.Flag)
		return verdict{cause: CauseFlag, why: []string{flag.text}}
	case best != nil && best.odds >= blame:
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
		case "errors", "hidden":
			code += k.errors * r.Weight
		case "silence", "shared":
			// What stopped without a change of its own was stopped.
			resource += r.Weight
		case "resource_metric":
			resource += r.Weight
		case "network":
			resource += r.Weight
		case "latency":
			code += k.latency * r.Weight
			resource += k.latency * r.Weight
		}
	}
	switch {
	case resource > code && resource > k.least:
		return verdict{cause: CauseResource, why: []string{"what moved are resources or the network, and no change explains it"}}
	case code > k.least:
		return verdict{cause: CauseCode}
	}
	return verdict{cause: CauseUnclear, why: []string{"the evidence does not tell code from environment"}}
}

// suffers says that requests at the edge fail or last longer than when healthy. A system that is asked for more
// than it can do shows it there; where all are served as before, more requests are only that, and what
// else changed has a cause of its own.
func (a *analysis) suffers() bool {
	return a.base.empty() || a.k.combine.presentEdge.of(a.worst) > 0
}

// bestChange is the change with the strongest case, nil when there is none.
func (a *analysis) bestChange() *judgedChange {
	if len(a.judged) == 0 {
		return nil
	}
	return &a.judged[0]
}
