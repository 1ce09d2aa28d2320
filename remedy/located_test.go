package remedy_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/remedy"
)

// TestLocatedDecides: the hook sees the suspects, nothing has been built by then, and its decline ends the case.
func TestLocatedDecides(t *testing.T) {
	f := newFixture()
	var seen []remedy.Suspect
	f.located = func(_ context.Context, c *remedy.Case) (*remedy.Decline, error) {
		seen = c.Suspects
		if len(f.bench.ran) > 0 {
			t.Errorf("%q ran before it was known whether the case goes on", f.bench.ran)
		}
		return &remedy.Decline{Code: "joined", Why: "another case has this cause", Next: "look there"}, nil
	}
	c := f.run(t, nil)
	if len(seen) == 0 || seen[0].Service == "" {
		t.Errorf("the hook saw the suspects %+v", seen)
	}
	if c.State != remedy.Declined || c.Declined.Code != "joined" || len(f.bench.ran) > 0 || len(f.repo.commits) > 0 {
		t.Errorf("state %s, declined %+v, ran %q", c.State, c.Declined, f.bench.ran)
	}
	if !slices.Contains(f.artifacts.order, "evidence.sigstore.json") {
		t.Errorf("the end is not written down: %q", f.artifacts.order)
	}

	f = newFixture()
	calls := 0
	f.located = func(context.Context, *remedy.Case) (*remedy.Decline, error) { calls++; return nil, nil }
	if c := f.run(t, nil); c.State != remedy.Proposed || calls != 1 {
		t.Errorf("state %s after %d calls of a hook that says nothing", c.State, calls)
	}
	f = newFixture()
	f.incident = "healthy-steady"
	f.located = func(context.Context, *remedy.Case) (*remedy.Decline, error) {
		t.Error("a case without a cause was asked about its cause")
		return nil, nil
	}
	f.run(t, nil)
}

// anySuspect proposes for whichever suspect it is shown, and remembers whom.
type anySuspect struct {
	recipe
	shown *[]string
}

func (a anySuspect) Propose(in *patch.Input, i int) ([]patch.Option, []patch.Left) {
	*a.shown = append(*a.shown, in.Suspects[i].Service+" "+in.Suspects[i].Commit)
	return a.recipe.Propose(in, i)
}

// TestSuspectOfAnotherRepositoryIsPassedOver: the first suspect ran a commit that is not of this repository; the
// next one is tried instead of giving up.
func TestSuspectOfAnotherRepositoryIsPassedOver(t *testing.T) {
	all := newFixture().run(t, nil)
	k := slices.IndexFunc(all.Suspects, func(s remedy.Suspect) bool { return s.Service != all.Suspects[0].Service })
	if k < 0 {
		t.Fatalf("the recorded incident has suspects of one service only: %+v", all.Suspects)
	}
	f := newFixture()
	f.repo.lacks = strings.Repeat("e", 40)
	f.evidence = func(ev *localize.Evidence) {
		for i := range ev.Incident.Spans {
			if r := ev.Incident.Spans[i].Resource; r.Service == all.Suspects[0].Service {
				r.Commit = f.repo.lacks
			}
		}
	}
	var shown []string
	f.recipes = []patch.Recipe{anySuspect{recipe{rung: patch.Code}, &shown}}
	c := f.run(t, nil)
	if c.Declined != nil && c.Declined.Code == "deployed_commit_missing" {
		t.Fatalf("declined although %s is of this repository: %+v", all.Suspects[k].Service, c.Declined)
	}
	if len(c.Suspects) != len(all.Suspects) || c.Suspects[0].Service != all.Suspects[0].Service {
		t.Errorf("the suspects shown are not those that were ranked: %+v", c.Suspects)
	}
	if len(shown) == 0 {
		t.Error("nothing was tried for the suspects whose code is here")
	}
	for _, s := range shown {
		if strings.HasSuffix(s, f.repo.lacks) {
			t.Errorf("something was to be drafted for %s, whose code is elsewhere", s)
		}
	}
	if want := "not in the repository"; !slices.ContainsFunc(c.Caveats, func(s string) bool { return strings.Contains(s, want) }) {
		t.Errorf("no caveat says %q: %q", want, c.Caveats)
	}
}

func TestBranchNames(t *testing.T) {
	fp := strings.Repeat("ab", 16)
	for round, want := range []string{"remediator/abababababab", "remediator/abababababab-2", "remediator/abababababab-3"} {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			if got := remedy.BranchName(fp, round); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
	f := newFixture()
	f.round = 1
	if c := f.run(t, nil); c.Commit == nil || c.Commit.Branch != remedy.BranchName(c.Fingerprint, 1) {
		t.Errorf("the commit of the second round is %+v", c.Commit)
	}
}
