package sources

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

func usualFacts() Facts {
	return Facts{StartsAt: noon, Now: noon.Add(20 * time.Minute), Settings: WindowSettings{Lead: 15 * time.Minute, Length: time.Hour, Lookback: 8 * 24 * time.Hour}}
}

func TestChoiceOfWindows(t *testing.T) {
	in := Window{noon.Add(-15 * time.Minute), noon.Add(20 * time.Minute)}
	back := func(w Window, d time.Duration) Window { return Window{w.From.Add(-d), w.To.Add(-d)} }
	aWeek, aDay, before := back(in, week), back(in, 24*time.Hour), back(in, 35*time.Minute)
	within := func(w Window, what string, own, minor bool) Disturbance {
		return Disturbance{From: w.From.Add(time.Minute), To: w.From.Add(2 * time.Minute), What: what, Own: own, Minor: minor}
	}
	cases := []struct {
		name   string
		change func(*Facts)
		want   Window
		words  []string
	}{
		{"a week before", func(*Facts) {}, aWeek, []string{"same weekday and hour a week before"}},
		{"an alert a week before", func(f *Facts) { f.Disturbances = []Disturbance{within(aWeek, "alert Other", false, false)} }, aDay,
			[]string{"a day before", "passed over the same weekday and hour a week before (alert Other)"}},
		{"nothing kept for a week", func(f *Facts) { f.Lacking = []Lack{{aWeek, "loki at x"}} }, aDay, []string{"loki at x has nothing of it"}},
		{"a young server", func(f *Facts) { f.Lacking = []Lack{{aWeek, "a"}, {aDay, "a"}} }, before, []string{"right before the incident"}},
		{"a roll-out before the incident", func(f *Facts) {
			f.Lacking = []Lack{{aWeek, "a"}, {aDay, "a"}}
			f.Disturbances = []Disturbance{within(before, "roll-out of x", false, false)}
		}, Window{before.From.Add(time.Minute - 35*time.Minute), before.From.Add(time.Minute)}, []string{"latest undisturbed stretch", "(roll-out of x)"}},
		{"others are put up with", func(f *Facts) {
			f.Disturbances = []Disturbance{{From: in.From.Add(-30 * 24 * time.Hour), To: in.From, What: "alert Elsewhere", Minor: true}}
		}, aWeek, []string{"it holds alert Elsewhere, which no other window is free of"}},
		{"the alert itself is never healthy", func(f *Facts) {
			f.Disturbances = []Disturbance{{From: in.From.Add(-30 * 24 * time.Hour), To: in.From, What: "alert Own", Own: true}}
		}, Window{}, []string{"no healthy window", "alert Own", "widen sources.window.lookback"}},
		{"a short lookback", func(f *Facts) { f.Settings.Lookback = 2 * time.Hour }, before, []string{"right before"}},
		{"no lookback at all", func(f *Facts) { f.Settings.Lookback = time.Minute }, Window{}, []string{"no healthy window"}},
		{"what is not known is said", func(f *Facts) { f.Unknown = []string{"alerts", "roll-outs"} }, aWeek, []string{"not known whether it is free of alerts and roll-outs"}},
		{"only a short stretch is free", func(f *Facts) {
			f.Settings.Lookback = 3 * time.Hour
			f.Disturbances = []Disturbance{{From: noon.Add(-4 * time.Hour), To: in.From.Add(-10 * time.Minute), What: "alert X"}}
		}, Window{in.From.Add(-10 * time.Minute), in.From}, []string{"longest undisturbed stretch"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := usualFacts()
			c.change(&f)
			got := ChooseWindows(f)
			if got.Incident != in || got.Baseline != c.want {
				t.Errorf("got %v and %v, want %v", got.Incident, got.Baseline, c.want)
			}
			for _, words := range c.words {
				if !strings.Contains(got.Reason, words) {
					t.Errorf("the reason lacks %q: %s", words, got.Reason)
				}
			}
		})
	}
}

func TestTheIncidentsWindow(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Facts)
		want   Window
	}{
		{"still firing", func(*Facts) {}, Window{noon.Add(-15 * time.Minute), noon.Add(20 * time.Minute)}},
		{"resolved", func(f *Facts) { f.EndsAt = noon.Add(5 * time.Minute) }, Window{noon.Add(-15 * time.Minute), noon.Add(7 * time.Minute)}},
		{"fires for days", func(f *Facts) { f.Now = noon.Add(72 * time.Hour) }, Window{noon.Add(-15 * time.Minute), noon.Add(45 * time.Minute)}},
		{"a length shorter than the lead still has the alert", func(f *Facts) { f.Settings.Length = time.Minute }, Window{noon.Add(-15 * time.Minute), noon.Add(time.Minute)}},
		{"a clock that is behind", func(f *Facts) { f.Now = noon.Add(-14*time.Minute - 50*time.Second) }, Window{noon.Add(-15 * time.Minute), noon.Add(-14 * time.Minute)}},
		{"ends before it begins", func(f *Facts) { f.EndsAt = noon.Add(-time.Hour) }, Window{noon.Add(-15 * time.Minute), noon.Add(20 * time.Minute)}},
	} {
		f := usualFacts()
		c.change(&f)
		if got := f.incident(); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Whatever the facts are: the healthy window lies before the incident and within the time looked back on, is no longer
// than the incident's, holds nothing that must not be in it, and the choice is the same for the same facts.
func TestAHealthyWindowIsHealthy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minutes := func(label string, lo, hi int) time.Duration {
			return time.Duration(rapid.IntRange(lo, hi).Draw(t, label)) * time.Minute
		}
		f := Facts{StartsAt: noon, Now: noon.Add(minutes("now", 0, 600)),
			Settings: WindowSettings{Lead: minutes("lead", 1, 60), Length: minutes("length", 1, 240), Lookback: minutes("lookback", 1, 9*24*60)}}
		if rapid.Bool().Draw(t, "resolved") {
			f.EndsAt = noon.Add(minutes("end", 1, 300))
		}
		for range rapid.IntRange(0, 12).Draw(t, "disturbances") {
			from := noon.Add(-minutes("from", 0, 9*24*60))
			f.Disturbances = append(f.Disturbances, Disturbance{From: from, To: from.Add(minutes("lasting", 1, 3000)), What: "x",
				Own: rapid.Bool().Draw(t, "own")})
			last := &f.Disturbances[len(f.Disturbances)-1]
			last.Minor = !last.Own && rapid.Bool().Draw(t, "minor")
		}
		for range rapid.IntRange(0, 4).Draw(t, "lacks") {
			from := noon.Add(-minutes("lackfrom", 0, 9*24*60))
			f.Lacking = append(f.Lacking, Lack{Window{from, from.Add(minutes("lacking", 1, 600))}, "s"})
		}
		got := ChooseWindows(f)
		if again := ChooseWindows(f); again != got {
			t.Fatalf("two choices: %v and %v", got, again)
		}
		if !got.Incident.From.Before(got.Incident.To) || got.Incident.From.After(noon) {
			t.Fatalf("the incident is %v", got.Incident)
		}
		if got.NoBaseline() {
			// Then at least nothing as long as the incident is free of everything.
			length := got.Incident.To.Sub(got.Incident.From)
			for _, s := range f.free(Window{noon.Add(-f.Settings.Lookback), got.Incident.From}, false) {
				if s.To.Sub(s.From) >= length {
					t.Fatalf("%v is free and was not taken: %s", s, got.Reason)
				}
			}
			return
		}
		b := got.Baseline
		if !b.From.Before(b.To) || b.To.After(got.Incident.From) || b.From.Before(noon.Add(-f.Settings.Lookback)) || b.To.Sub(b.From) > got.Incident.To.Sub(got.Incident.From) {
			t.Fatalf("healthy %v before %v", b, got.Incident)
		}
		for _, d := range f.Disturbances {
			if !d.Minor && overlap(b, Window{d.From, d.To}) {
				t.Fatalf("%v holds %+v", b, d)
			}
		}
		for _, l := range f.Lacking {
			if overlap(b, l.Window) {
				t.Fatalf("%v is lacking %v", b, l)
			}
		}
		if got.Reason == "" {
			t.Fatal("the choice is not explained")
		}
	})
}
