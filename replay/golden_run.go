package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Run is what one build did in a replay.
type Run struct {
	Sets     []string
	Observed []SetObserved // in order of the sets and of their cases
	Skipped  []Skipped
	// Output is the tail of the service's output.
	Output string
	Spans  int
	Calls  int // outgoing calls the stand-ins answered
	// Notes are remarks that fail nothing, such as calls that belong to no case.
	Notes   []string
	Elapsed time.Duration

	sets []*Set
}

// SetObserved is what was observed of one case of one set.
type SetObserved struct {
	Set string
	Observed
}

// Skipped is a case that was not replayed.
type Skipped struct{ Set, Case, Why string }

// maxDifferences is how many differences a Verdict carries.
const maxDifferences = 100

// Golden replays the golden sets against one build, each set on a freshly started service, and compares.
// The error is about the replay itself (bad input, a cancelled context); a build that does not start, crashes, hangs or
// cannot be observed is the outcome Broken.
func Golden(ctx context.Context, l Launcher, sets []*Set, opts Options) (Verdict, *Run, error) {
	opts = opts.withDefaults()
	run := &Run{}
	if len(sets) == 0 {
		return Verdict{}, run, errors.New("no golden set to replay (record one, or name one under `golden` of the service)")
	}
	began := opts.Now()
	v := Verdict{Outcome: Green}
	var differences []Difference
	for _, set := range correlated(sets) {
		if err := set.Validate(); err != nil {
			return Verdict{}, run, fmt.Errorf("golden set %s: %w", set.ID, err)
		}
		run.Sets, run.sets = append(run.Sets, set.ID), append(run.sets, set)
		r := &setReplay{set: set, opts: opts, run: run}
		broken, err := r.replay(ctx, l)
		if err != nil {
			return Verdict{}, run, err
		}
		if broken != "" {
			v = Verdict{Outcome: Broken, Why: fmt.Sprintf("golden set %s: %s", set.ID, broken), Sets: run.Sets, Cases: len(run.Observed)}
			run.Elapsed = opts.Now().Sub(began)
			return v, run, nil
		}
		ds := compareSet(set, run.observedOf(set.ID))
		if len(sets) > 1 {
			for i := range ds {
				ds[i].Case = set.ID + "/" + ds[i].Case
			}
		}
		differences = append(differences, ds...)
	}
	run.Elapsed = opts.Now().Sub(began)
	v.conclude(run, differences)
	return v, run, nil
}

// conclude turns differences into the outcome and its sentence.
func (v *Verdict) conclude(run *Run, ds []Difference) {
	v.Sets, v.Cases = run.Sets, len(run.Observed)
	failed := map[string]bool{}
	for i := range ds {
		if ds[i].fails() {
			failed[ds[i].Case] = true
		}
	}
	v.Failed = len(failed)
	sortDifferences(ds)
	v.Differences = ds
	if len(ds) > maxDifferences {
		v.Differences, v.Dropped = ds[:maxDifferences], len(ds)-maxDifferences
	}
	if v.Failed > 0 {
		v.Outcome = Red
		first := ds[slices.IndexFunc(ds, func(d Difference) bool { return d.fails() })]
		v.Why = fmt.Sprintf("%d of %d golden cases differ from what was recorded; the first: %s", v.Failed, v.Cases, first)
	} else {
		v.Outcome = Green
		v.Why = fmt.Sprintf("all %d golden cases answer, call and trace as recorded", v.Cases)
	}
	if len(run.Skipped) > 0 {
		v.Why += fmt.Sprintf(" (%d skipped: %s)", len(run.Skipped), run.Skipped[0].Why)
	}
}

// String is the difference in one line.
func (d Difference) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "case %s: %s", d.Case, d.Target)
	if d.Pointer != "" {
		fmt.Fprintf(&b, " %s", d.Pointer)
	}
	fmt.Fprintf(&b, " %s", d.Kind)
	switch {
	case d.Recorded != "" && d.Replayed != "":
		fmt.Fprintf(&b, ": recorded %s, replayed %s", d.Recorded, d.Replayed)
	case d.Recorded != "":
		fmt.Fprintf(&b, ": recorded %s", d.Recorded)
	case d.Replayed != "":
		fmt.Fprintf(&b, ": %s", d.Replayed)
	}
	if d.Likely != "" {
		fmt.Fprintf(&b, " (%s)", d.Likely)
	}
	return b.String()
}

func (r *Run) observedOf(set string) []*Observed {
	var out []*Observed
	for i := range r.Observed {
		if r.Observed[i].Set == set {
			out = append(out, &r.Observed[i].Observed)
		}
	}
	return out
}

// compareSet compares the observations of one replay; a renaming seen in one case holds in the others.
func compareSet(set *Set, observed []*Observed) []Difference {
	byID := make(map[string]*Case, len(set.Cases))
	for i := range set.Cases {
		byID[set.Cases[i].ID] = &set.Cases[i]
	}
	names := newAliases()
	var out []Difference
	for _, o := range observed {
		if c := byID[o.Case]; c != nil {
			out = append(out, compareWith(c, o, names)...)
		}
	}
	return out
}
