package remedy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/remediator/remediator/localize"
)

// nextForAbstention is the one thing to do first when localization abstained.
func nextForAbstention(res *localize.Result) string {
	switch {
	case res.Symptom.Kind == localize.SymptomUnknown:
		return "find out why no telemetry of this time came in: is what exports it running, does it export to here, do the clocks agree?"
	case res.Cause == localize.CauseNone && slices.ContainsFunc(res.Gaps, func(g localize.Gap) bool { return g.Code == "no_baseline" }):
		return "look at it by hand: without telemetry of a healthy time there is nothing to compare with"
	case res.Cause == localize.CauseNone:
		return "check the alert rule: the telemetry of this window looks like that of the healthy one"
	case res.Cause == localize.CauseExternal && len(res.Suspects) > 0:
		return fmt.Sprintf("check %s, which failed by itself; no code of this repository is to blame", safe(peerOr(res.Suspects[0])))
	case len(res.Gaps) > 0:
		return res.Gaps[0].Text
	}
	return "look at the suspects and the service graph in the report"
}

func peerOr(s localize.Suspect) string {
	if s.Peer != "" {
		return s.Peer
	}
	return s.Service
}

// nextForSuspect is the first thing to look at by hand.
func nextForSuspect(c *Case) string {
	if len(c.Suspects) == 0 {
		return "look at the service graph in the report"
	}
	s := c.Suspects[0]
	if s.File == "" {
		return fmt.Sprintf("look at %s %s by hand; its code was not found in the repository", safe(s.Service), safe(s.Operation))
	}
	return fmt.Sprintf("look at %s:%d (%s)", s.File, s.Line, s.Function)
}

// advise writes down what a person can check by hand, likeliest first.
func (r *run) advise() {
	c := r.c
	add := func(text, command string) { c.NextSteps = append(c.NextSteps, NextStep{Text: text, Command: command}) }
	if c.Declined != nil {
		add(c.Declined.Next, "")
	}
	for i, s := range c.Suspects {
		if i == 3 {
			break
		}
		if s.File != "" {
			add(fmt.Sprintf("Suspect %d, %s: read the code", s.Rank, strings.TrimSpace(safe(s.Service)+" "+safe(s.Operation))),
				fmt.Sprintf("git show %s:%s | sed -n '%d,%dp'", short(c.Base.Commit), shellWord(s.File), max(s.Line-5, 1), s.Line+25))
		}
		if s.Commit != "" {
			add(fmt.Sprintf("Suspect %d: read the change that is blamed for it", s.Rank), "git show "+short(s.Commit))
		}
	}
	for _, ch := range c.Changes[:min(len(c.Changes), 2)] {
		if len(c.Suspects) == 0 || c.Suspects[0].Commit != ch.SHA {
			add("A change near the incident", "git show "+short(ch.SHA))
		}
	}
	for _, g := range c.Gaps {
		add("Missing telemetry: "+g.Text, "")
	}
}

// shellWord quotes a path for a POSIX shell when it needs it.
func shellWord(s string) string {
	plain := true
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '/' || r == '.' || r == '_' || r == '-') {
			plain = false
		}
	}
	if plain {
		return s
	}
	quoted := "'"
	for _, r := range s {
		if r == '\'' {
			quoted += `'\''`
			continue
		}
		quoted += string(r)
	}
	return quoted + "'"
}
