package localize

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/telemetry"
)

func TestWordsSharedByAllChangesTellNothing(t *testing.T) {
	var changes []Change
	for i := range 10 {
		c := Change{SHA: strings.Repeat(string(rune('a'+i)), 8), Message: "inventory: common change"}
		if i == 3 {
			c.Message = "inventory: common change of reservation"
		}
		changes = append(changes, c)
	}
	r := wordRarity(changes)
	if r["reservation"] < 0.9 || r["inventory"] > 0.4 {
		t.Errorf("rarity of a rare word %.2f, of a common one %.2f", r["reservation"], r["inventory"])
	}
}

func TestStem(t *testing.T) {
	for a, b := range map[string]string{"retries": "retry", "queries": "query", "connections": "connection", "caching": "cach", "expired": "expir", "class": "class", "is": "is"} {
		if got := stem(a); got != b {
			t.Errorf("stem(%q) = %q, want %q", a, got, b)
		}
	}
}

func TestConceptsMeetBetweenSymptomAndCode(t *testing.T) {
	see, change := bag{}, bag{}
	see.addWords("retry attempts exhausted", 1)
	change.addWords("backoff jitter sleep", 1)
	name, strength := sharedConcept(
		conceptWeights(see, 1.5, func(c *concept) []string { return c.symptom }),
		conceptWeights(change, 1.5, func(c *concept) []string { return c.code }))
	if name != "retry" || strength < 0.3 {
		t.Errorf("%q %.2f", name, strength)
	}
	other := bag{}
	other.addWords("colour palette margin", 1)
	if _, s := sharedConcept(conceptWeights(see, 1.5, func(c *concept) []string { return c.symptom }), conceptWeights(other, 1.5, func(c *concept) []string { return c.code })); s != 0 {
		t.Errorf("unrelated words share a concept: %.2f", s)
	}
}

func TestEveryConceptHasBothSides(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range concepts {
		if c.name == "" || len(c.symptom) == 0 || len(c.code) == 0 || seen[c.name] {
			t.Errorf("concept %+v", c)
		}
		seen[c.name] = true
		for _, w := range append(slices.Clone(c.symptom), c.code...) {
			if w != strings.ToLower(w) || strings.ContainsAny(w, " -_.") {
				t.Errorf("%q of %s can never match a word", w, c.name)
			}
		}
	}
}

func TestServiceOfAChangeComesFromItsPaths(t *testing.T) {
	a := &analysis{k: newConstants(nil), services: []string{"ledger", "search"}}
	change := func(paths ...string) *Change {
		c := &Change{}
		for _, p := range paths {
			c.Files = append(c.Files, ChangedFile{Path: p})
		}
		return c
	}
	tests := []struct {
		change *Change
		want   string
	}{
		{change("services/ledger/post.go", "services/ledger/post_test.go"), "ledger"},
		{change("Ledger/post.go"), "ledger"},
		{change("ledger/a.go", "search/b.go"), ""},
		{change("pkg/shared/pool.go"), ""},
		{change("docs/ledger/x.md"), ""},
		{&Change{Service: "named", Files: []ChangedFile{{Path: "ledger/a.go"}}}, "named"},
	}
	for _, tt := range tests {
		if got := a.serviceOfChange(tt.change); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.change.Files, got, tt.want)
		}
	}
}

func TestAChangeIsLiveFromItsDeployment(t *testing.T) {
	a := &analysis{k: newConstants(nil), causeOnset: base.UnixNano(), cur: &window{from: base.Add(-10 * time.Minute).UnixNano(), to: base.Add(30 * time.Minute).UnixNano()}, ev: &Evidence{Deploys: []Deploy{
		{Time: base.Add(-50 * time.Minute), Service: "ledger", SHA: shaOther},
		{Time: base.Add(-10 * time.Minute), Service: "ledger", SHA: shaMoved},
		{Time: base.Add(10 * time.Minute), Service: "ledger", SHA: shaLate},
	}}}
	tests := []struct {
		name           string
		change         Change
		live           time.Duration
		exact, shipped bool
	}{
		{"named by a deployment", Change{SHA: shaMoved, Time: base.Add(-40 * time.Minute), Service: "ledger"}, -10 * time.Minute, true, true},
		{"named by its short hash", Change{SHA: shaMoved[:10], Time: base.Add(-40 * time.Minute), Service: "ledger"}, -10 * time.Minute, true, true},
		{"carried by the next one", Change{SHA: shaGuilty, Time: base.Add(-20 * time.Minute), Service: "ledger"}, -10 * time.Minute, false, true},
		{"of a service never deployed", Change{SHA: shaGuilty, Time: base.Add(-20 * time.Minute), Service: "search"}, -20 * time.Minute, false, false},
		{"carried only afterwards", Change{SHA: shaGuilty, Time: base.Add(-5 * time.Minute), Service: "ledger"}, 10 * time.Minute, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := judgedChange{change: &tt.change, service: tt.change.Service}
			a.judgeTime(&j, nil)
			if got := j.live.Sub(base); got != tt.live || j.exact != tt.exact || j.shipped != tt.shipped {
				t.Errorf("live %v exact %v shipped %v", got, j.exact, j.shipped)
			}
			if late := tt.live > 2*time.Minute; late != (j.odds < -5) {
				t.Errorf("odds %.2f of a change live at %v", j.odds, tt.live)
			}
		})
	}
}

func TestASlowCauseIsDatedByItsFirstSigns(t *testing.T) {
	// A disk fills for ten minutes before requests fail; the commit in between is innocent.
	fill := func(w *world, broken bool) telemetry.Dataset {
		w.run(400, 3*time.Second, func(i int) node {
			l := ledger(10 * ms)
			l.fail = broken && i > 300
			if l.fail {
				l.logs = []string{"ERROR write journal: no space left on device"}
			}
			return chain(l)
		})
		for m := range 20 {
			used := 0.4
			if broken && m > 3 {
				used = min(1, 0.4+0.05*float64(m-3))
				for s := range 4 {
					w.log(time.Duration(m)*time.Minute+time.Duration(s)*time.Second, "ledger", "WARN journal volume above quota, debug records kept")
				}
			}
			w.metric(time.Duration(m)*time.Minute, "ledger", "disk_used_ratio", used+0.001*float64(m%3))
		}
		return w.dataset()
	}
	old, cur := fill(newWorld(base.Add(-time.Hour), 1), false), fill(newWorld(base, 2), true)
	ev := evidence(cur, old)
	ev.Changes = []Change{
		{SHA: shaGuilty, Time: base.Add(2 * time.Minute), Service: "ledger", Message: "ledger: journal settings",
			Files: []ChangedFile{{Path: "ledger/journal.yaml", Patch: "@@ @@\n-level: info\n+level: debug\n-journal_sample: 0.1\n+journal_sample: 1.0\n"}}},
		{SHA: shaMoved, Time: base.Add(12 * time.Minute), Service: "ledger", Message: "ledger: journal space check",
			Files: []ChangedFile{{Path: "ledger/space.go", Patch: "@@ @@\n-\tif free < 10 {\n+\tif free < 5 {\n"}}},
	}
	r := Rank(incident.Incident{}, ev, Options{})
	if len(r.Changes) == 0 || r.Changes[0].SHA != shaGuilty {
		t.Fatalf("%s", says(r))
	}
	if slices.ContainsFunc(r.Changes, func(c RankedChange) bool { return c.SHA == shaMoved }) {
		t.Errorf("a change made when the disk was filling already is blamed:\n%s", says(r))
	}
}

func TestLoneJumpsAmongManySeriesProveNothing(t *testing.T) {
	fill := func(start time.Time, seed uint64, jumps int) telemetry.Dataset {
		w := newWorld(start, seed)
		for s := range 100 {
			for m := range 20 {
				v := 10 + w.rng.Float64()
				if s < jumps && m > 8 {
					v = 500
				}
				w.metric(time.Duration(m)*time.Minute, "svc-"+string(rune('a'+s%26)), "queue_depth_"+string(rune('a'+s/26)), v)
			}
		}
		return w.dataset()
	}
	old := fill(base.Add(-time.Hour), 1, 0)
	if r := Rank(incident.Incident{}, evidence(fill(base, 2, 1), old), Options{}); len(r.Suspects) != 0 {
		t.Errorf("one of a hundred series jumped:\n%s", says(r))
	}
	if r := Rank(incident.Incident{}, evidence(fill(base, 2, 25), old), Options{}); len(r.Suspects) == 0 {
		t.Errorf("a quarter of the series jumped and nobody is named:\n%s", says(r))
	}
}

func TestTwiceTheLoadWithTwiceTheWarningsIsNoRise(t *testing.T) {
	fill := func(start time.Time, n int) telemetry.Dataset {
		w := newWorld(start, 1)
		for i := range n {
			at := time.Duration(i) * 300 * time.Second / time.Duration(n)
			w.log(at, "mail", "INFO message accepted")
			if i%5 == 0 {
				w.log(at, "mail", "WARN recipient slow")
			}
		}
		return w.dataset()
	}
	if r := Rank(incident.Incident{}, evidence(fill(base, 800), fill(base.Add(-time.Hour), 400)), Options{}); len(r.Suspects) != 0 {
		t.Errorf("%s", says(r))
	}
}

func TestNewBranchesOfHealthyWorkAreNoBreaks(t *testing.T) {
	request := func(branch bool) node {
		l := ledger(10 * ms)
		l.logs = []string{"INFO entry received", "INFO cached", "INFO entry stored"}
		if branch {
			l.logs[1] = "INFO computed"
		}
		return chain(l)
	}
	// Both branches are ordinary; the mix of requests changes.
	cur, old := windows(300, func(_ *world, i int) node { return request(i%10 == 0) }, func(_ *world, i int) node { return request(i%2 == 0) })
	if r := Rank(incident.Incident{}, evidence(cur, old), Options{}); len(r.Suspects) != 0 {
		t.Errorf("%s", says(r))
	}
}
