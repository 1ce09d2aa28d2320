package githubtest

import (
	"encoding/json"
	"net/http"
	"regexp"
)

// graphRequest is a GraphQL request. Of GraphQL there is only what REST cannot do: to take a pull request out of
// draft, and to put it back.
type graphRequest struct {
	Query     string          `json:"query"`
	Variables json.RawMessage `json:"variables"`
}

var (
	draftMutation = regexp.MustCompile(`\b(markPullRequestReadyForReview|convertPullRequestToDraft)\b`)
	pullNode      = regexp.MustCompile(`PR_kwDO[0-9a-f]{8,}`)
)

func (s *Server) graphQL(x *exchange) answer {
	if x.fault != nil {
		if a, answers := x.fault.refusal(s.now()); answers {
			return a
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	who, bad := s.authenticate(x.r)
	if bad != nil {
		return *bad
	}
	x.entry.Actor, x.entry.Body = who.name(), string(x.raw)
	var q graphRequest
	if err := json.Unmarshal(x.raw, &q); err != nil {
		return failure(http.StatusBadRequest, "Problems parsing JSON")
	}
	problem := func(kind, text string) answer {
		return ok(object{"data": nil, "errors": []any{object{"type": kind, "message": text}}})
	}
	name := draftMutation.FindString(q.Query)
	node := pullNode.FindString(string(q.Variables) + q.Query)
	if name == "" || node == "" {
		return problem("NOT_IMPLEMENTED", "the stand-in knows markPullRequestReadyForReview and convertPullRequestToDraft only")
	}
	for _, r := range s.repos {
		for _, p := range r.pulls {
			if nodeID("PR", p.id) != node {
				continue
			}
			allowed := who.install != nil && who.reaches(r) && granted(who.permissions, "pull_requests:write") ||
				who.install == nil && (who.account == p.user || atLeast(r.role(who.account), "write"))
			if !allowed {
				return problem("FORBIDDEN", "Resource not accessible by integration")
			}
			p.setDraft(name == "convertPullRequestToDraft", who.account)
			return ok(object{"data": object{name: object{"pullRequest": object{"id": node, "number": p.number, "isDraft": p.draft}, "clientMutationId": nil}}})
		}
	}
	return problem("NOT_FOUND", "Could not resolve to a node with the global id of '"+node+"'")
}

func (p *pull) setDraft(draft bool, by *account) {
	if p.draft == draft {
		return
	}
	p.draft, p.changed = draft, p.repo.s.now()
	action := "ready_for_review"
	if draft {
		action = "converted_to_draft"
	}
	p.emit(action, by, nil)
}
