package localize

import (
	"slices"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/telemetry"
)

func TestHintsLeadIntoCode(t *testing.T) {
	make1 := func(broken bool) node {
		q := node{service: "ledger", name: "INSERT entries", kind: telemetry.KindClient, self: 2 * ms, attrs: []string{
			telemetry.AttrDBSystem, "mysql", telemetry.AttrDBQuery, "INSERT INTO entries VALUES (?)"}}
		l := server("ledger", "POST /entries", 10*ms, q)
		l.attrs = []string{telemetry.AttrHTTPMethod, "POST", telemetry.AttrHTTPRoute, "/entries", telemetry.AttrCodeFile, "ledger/http.go",
			telemetry.AttrCodeLine, "31", telemetry.AttrCodeFunction, "ledger.handlePost"}
		if broken {
			l.fail = true
			l.logs = []string{"ERROR entry 42 refused by store"}
		}
		return chain(l)
	}
	cur, old := windows(200, func(*world, int) node { return make1(false) }, func(_ *world, i int) node { return make1(i%2 == 0) })
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "ledger" {
		t.Fatalf("%s", says(r))
	}
	hints := r.Suspects[0].Hints
	wants := map[string]func(Hint) bool{
		"span":  func(h Hint) bool { return h.Kind == HintSpan && h.Text == "POST /entries" },
		"route": func(h Hint) bool { return h.Kind == HintRoute && h.Text == "POST /entries" },
		"code": func(h Hint) bool {
			return h.Kind == HintCode && h.File == "ledger/http.go" && h.Line == 31 && h.Function == "ledger.handlePost"
		},
		"log":       func(h Hint) bool { return h.Kind == HintLog && h.Text == "entry <*> refused by store" },
		"statement": func(h Hint) bool { return h.Kind == HintStatement && h.Text == "INSERT INTO entries VALUES (?)" },
	}
	for name, is := range wants {
		if !slices.ContainsFunc(hints, is) {
			t.Errorf("no %s hint in %+v", name, hints)
		}
	}
	for i, h := range hints {
		if h.Weight < 0 || h.Weight > 1 || i > 0 && h.Weight > hints[i-1].Weight {
			t.Errorf("hint %d out of order: %+v", i, h)
		}
	}
}

func TestTidyHintsKeepsTheHeaviestOfEach(t *testing.T) {
	in := []Hint{{Kind: HintLog, Text: "x", Weight: 0.2}, {Kind: HintLog, Text: "x", Weight: 0.6}, {Kind: HintSpan, Text: "y", Weight: 7}}
	out := tidyHints(in)
	if len(out) != 2 || out[0].Text != "y" || out[0].Weight != 1 || out[1].Weight != 0.6 {
		t.Errorf("%+v", out)
	}
	var many []Hint
	for i := range 100 {
		many = append(many, Hint{Kind: HintCode, Line: i})
	}
	if len(tidyHints(many)) != maxHints {
		t.Error("hints are not bounded")
	}
}

func TestTheDeployedCommitIsTold(t *testing.T) {
	ev := nilScenario()
	r := Rank(incident.Incident{}, ev, Options{})
	if got := r.Suspects[0].Commit; got != shaGuilty {
		t.Errorf("commit %q from the deployments, want the last before the end", got)
	}
	for i := range ev.Incident.Spans {
		if s := &ev.Incident.Spans[i]; s.Resource.Service == "ledger" {
			s.Resource.Commit = "1234567890abcdef"
		}
	}
	if got := Rank(incident.Incident{}, ev, Options{}).Suspects[0].Commit; got != "1234567890abcdef" {
		t.Errorf("commit %q, want the one the service says itself", got)
	}
}

func TestTheAlertsOwnServiceIsTheSymptom(t *testing.T) {
	// Both edges fail; the alert is about the lesser one.
	cur, old := windows(300, healthyChain, func(_ *world, i int) node {
		l := ledger(10 * ms)
		l.fail = i%2 == 0
		n := chain(l)
		if i%4 == 0 {
			n.service, n.name = "kiosk", "POST /kiosk"
			n.calls[0].service = "kiosk"
		}
		return n
	})
	r := Rank(incident.Incident{Service: "kiosk"}, evidence(cur, old), Options{})
	if r.Symptom.Service != "kiosk" {
		t.Errorf("symptom at %s", r.Symptom.Service)
	}
	if r.Suspects[0].Service != "ledger" {
		t.Errorf("%s", says(r))
	}
}

func TestCatchAllRootsAreToldApart(t *testing.T) {
	gate := func(callee string, self time.Duration) node {
		return server("gate", "/*", ms, client("gate", "HTTP GET", "", ms, server(callee, "GET /"+callee, self)))
	}
	cur, old := windows(200,
		func(_ *world, i int) node {
			return gate([]string{"slow", "fast"}[i%2], time.Duration(200-190*(i%2))*ms)
		},
		func(_ *world, i int) node {
			d := time.Duration(200-190*(i%2)) * ms
			if i%2 == 1 {
				d = 100 * ms // ten times as long as such requests took, and still below the others
			}
			return gate([]string{"slow", "fast"}[i%2], d)
		})
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "fast" {
		t.Fatalf("the regression hides behind slower requests of the same name:\n%s", says(r))
	}
	// The anonymous call carries the name of what answers it.
	if !slices.ContainsFunc(r.Graph.Edges, func(e Edge) bool { return e.From == "gate" && e.To == "fast" }) {
		t.Errorf("edges %+v", r.Graph.Edges)
	}
}

func TestGapsSayWhatIsMissing(t *testing.T) {
	w := newWorld(base, 1)
	quietLogs(w, 10, "a")
	r := Rank(incident.Incident{}, Evidence{Incident: w.dataset()}, Options{})
	for _, code := range []string{"no_traces", "no_baseline", "no_metrics", "no_changes", "no_deploys"} {
		if !slices.ContainsFunc(r.Gaps, func(g Gap) bool { return g.Code == code && g.Text != "" }) {
			t.Errorf("gap %s is not told: %+v", code, r.Gaps)
		}
	}
	full, old := windows(60, healthyChain, healthyChain)
	r = Rank(incident.Incident{}, evidence(full, old), Options{})
	for _, g := range r.Gaps {
		if g.Code == "no_traces" || g.Code == "no_baseline" || g.Code == "broken_traces" {
			t.Errorf("gap %+v in a window that has it", g)
		}
	}
}

func TestBrokenTracesAreAGap(t *testing.T) {
	cur, old := windows(60, healthyChain, healthyChain)
	kept := cur.Spans[:0]
	for _, s := range cur.Spans {
		if s.Resource.Service != "basket" {
			kept = append(kept, s)
		}
	}
	cur.Spans = kept
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if !slices.ContainsFunc(r.Gaps, func(g Gap) bool { return g.Code == "broken_traces" }) {
		t.Errorf("gaps %+v", r.Gaps)
	}
}
