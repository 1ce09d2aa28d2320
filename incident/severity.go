package incident

import "strings"

// severities maps what alert rules write into the severity label to the scale used here.
// The words are those of the Prometheus community's mixins, PagerDuty, Opsgenie and SEV/P scales.
var severities = map[string]Severity{
	"critical": Critical, "page": Critical, "emergency": Critical, "fatal": Critical, "disaster": Critical,
	"p0": Critical, "p1": Critical, "sev0": Critical, "sev1": Critical, "1": Critical,
	"major": Major, "high": Major, "error": Major, "p2": Major, "sev2": Major, "2": Major,
	"minor": Minor, "warning": Minor, "warn": Minor, "medium": Minor, "low": Minor, "ticket": Minor,
	"info": Minor, "notice": Minor, "p3": Minor, "p4": Minor, "p5": Minor,
	"sev3": Minor, "sev4": Minor, "sev5": Minor, "3": Minor, "4": Minor, "5": Minor,
}

func severityOf(labels map[string]string) Severity {
	word := strings.ToLower(strings.TrimSpace(first(labels, "severity", "priority", "level")))
	word = strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' {
			return -1
		}
		return r
	}, word)
	if s, ok := severities[word]; ok {
		return s
	}
	return Unknown
}

func rank(s Severity) int {
	switch s {
	case Critical:
		return 3
	case Major:
		return 2
	case Minor:
		return 1
	}
	return 0
}

func moreUrgent(a, b Severity) Severity {
	if a == "" || rank(b) > rank(a) {
		return b
	}
	return a
}
