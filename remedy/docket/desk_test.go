package docket_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
)

// TestFromAlertToPullRequest is the whole way.
func TestFromAlertToPullRequest(t *testing.T) {
	w := newWorld(t)
	p := w.process()
	p.alert(w.firing(0))
	p.drain()
	r := w.stage(0, "proposed")
	if len(w.forge.Pulls) != 1 || r.Pull == nil || r.Pull.Number != 1 || r.Pull.Head != r.Summary.Commit || r.Pull.Draft {
		t.Fatalf("pull requests %+v, record has %+v", w.forge.Pulls, r.Pull)
	}
	w.once("evidence", "branch", "pull", "check")
	kinds := []string{}
	for _, s := range w.forge.Order {
		kinds = append(kinds, strings.Fields(s)[0])
	}
	if !slices.Equal(kinds, []string{"evidence", "branch", "pull", "check"}) {
		t.Errorf("made in the order %q", kinds)
	}
	q := w.forge.Requests[0]
	for _, want := range []string{"What broke", "https://remediator.example.com/cases/" + fp(0), "/remediator explain"} {
		if !strings.Contains(q.Body, want) {
			t.Errorf("the body does not have %q:\n%s", want, q.Body)
		}
	}
	if q.Base != "main" || q.Head != r.Summary.Commit || !slices.Equal(q.Labels, []string{"remediator"}) || q.Case != fp(0) {
		t.Errorf("asked for %+v", q)
	}
	c := w.forge.Checks[repo+" "+r.Summary.Commit+" remediator"]
	if c.Status != "completed" || c.Conclusion != "success" || c.Case != fp(0) || len(c.Annotations) != 1 || c.Annotations[0].First != 10 {
		t.Errorf("check run %+v", c)
	}
	if s := w.forge.Statuses[repo+" "+r.Summary.Commit+" remediator/verify"]; s.State != "success" {
		t.Errorf("status %+v", s)
	}
	if got := r.Summary.Touches; len(got) != 1 || got[0].First != 10 || got[0].Last != 10 {
		t.Errorf("touches %+v", got)
	}
	if r.Lease != nil {
		t.Errorf("the lease is still there: %+v", r.Lease)
	}
	if !slices.Contains(w.notifier.Told, "proposed") {
		t.Errorf("people were told %q", w.notifier.Told)
	}
	body, err := docket.CaseFile(p.ctx, p.view, r, "case.json")
	var c2 remedy.Case
	if err != nil || json.Unmarshal(body, &c2) != nil || c2.Fingerprint != fp(0) {
		t.Errorf("case.json is not among the files: %v", err)
	}
	names, err := docket.CaseFiles(p.ctx, p.view, r)
	if err != nil || !slices.Contains(names, "patch.diff") {
		t.Errorf("files %q, %v", names, err)
	}
	p.settle()
	w.once()
	if n := w.runner.Runs(""); n != 1 {
		t.Errorf("%d runs", n)
	}
}
