package replay

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// maxCaseDifferences bounds what one case reports; a body that differs in a thousand
// places is one finding.
const maxCaseDifferences = 50

// Observed is what a build did with the request of one case.
type Observed struct {
	Case     string
	Response Response
	// Error is why there was no answer: "refused", "reset", "timeout"; "" when there was one.
	Error   string
	Latency time.Duration
	// Trace is the service's span tree; Traced says whether one arrived at all.
	Trace      Trace
	Traced     bool
	Downstream []Downstream
	TraceID    string
}

// Compare returns the ways in which what was observed is not what the case holds, most telling
// first. No differences means the build did what was recorded, up to the case's noise.
func Compare(c *Case, o *Observed) []Difference {
	return compareWith(c, o, newAliases())
}

// compareWith compares with a renaming that spans the cases of one replay.
func compareWith(c *Case, o *Observed, names *aliases) []Difference {
	if o.Error != "" {
		return []Difference{{Case: c.ID, Target: "connection", Kind: "changed", Recorded: "answered " + strconv.Itoa(c.Response.Status), Replayed: o.Error}}
	}
	cmp := &comparison{c: c, o: o, noise: newNoiseIndex(c.Noise), names: names}
	cmp.status()
	cmp.headers()
	cmp.body()
	if o.Traced || len(c.Trace.Tree) == 0 {
		cmp.tree()
	} else {
		cmp.add(Difference{Target: "span", Kind: "missing", Recorded: fmt.Sprintf("%d classes of spans", len(c.Trace.Tree)), Replayed: "no span of this exchange arrived"})
	}
	cmp.downstream()
	cmp.expectations()
	cmp.latency()
	explain(cmp.found)
	sortDifferences(cmp.found)
	if len(cmp.found) > maxCaseDifferences {
		cmp.found = cmp.found[:maxCaseDifferences]
	}
	return cmp.found
}

// comparison is one case being compared.
type comparison struct {
	c     *Case
	o     *Observed
	noise noiseIndex
	names *aliases
	found []Difference
}

func (cmp *comparison) add(d Difference) {
	// A little more than what is kept, so that sorting decides what goes.
	if len(cmp.found) < 4*maxCaseDifferences {
		d.Case = cmp.c.ID
		cmp.found = append(cmp.found, d)
	}
}

func (cmp *comparison) status() {
	if cmp.c.Response.Status != cmp.o.Response.Status {
		cmp.add(Difference{Target: "status", Kind: "changed", Recorded: strconv.Itoa(cmp.c.Response.Status), Replayed: strconv.Itoa(cmp.o.Response.Status)})
	}
}

// relevantHeaders are compared even where the recording has none of them, because their
// appearing changes what clients do.
var relevantHeaders = map[string]bool{
	"content-type": true, "content-encoding": true, "location": true, "cache-control": true, "retry-after": true, "www-authenticate": true, "allow": true, "vary": true,
	"set-cookie": true, "access-control-allow-origin": true, "access-control-allow-credentials": true, "content-security-policy": true, "strict-transport-security": true, "link": true, "deprecation": true, "sunset": true,
}

func (cmp *comparison) headers() {
	recorded, replayed := lowerKeys(cmp.c.Response.Headers), lowerKeys(cmp.o.Response.Headers)
	for _, k := range sortedKeys(recorded) {
		if responseNoise[k] {
			continue
		}
		want := recorded[k]
		got, ok := replayed[k]
		switch {
		case !ok:
			if !cmp.ignored("response.header", []string{k}) {
				cmp.add(Difference{Target: "header", Pointer: "/" + escapeToken(k), Kind: "missing", Recorded: clip(want, 200)})
			}
		case sameRedacted(want, got):
			// Only that it is there is known of it.
		case !sameHeader(k, want, got) && !cmp.tolerated("response.header", []string{k}, want, got):
			cmp.add(Difference{Target: "header", Pointer: "/" + escapeToken(k), Kind: "changed", Recorded: clip(want, 200), Replayed: clip(got, 200)})
		}
	}
	for _, k := range sortedKeys(replayed) {
		if _, ok := recorded[k]; !ok && relevantHeaders[k] && !cmp.ignored("response.header", []string{k}) {
			cmp.add(Difference{Target: "header", Pointer: "/" + escapeToken(k), Kind: "unexpected", Replayed: clip(replayed[k], 200)})
		}
	}
}

// sameHeader compares values; of a media type case and spacing mean nothing.
func sameHeader(name, a, b string) bool {
	if a == b {
		return true
	}
	if name != "content-type" && name != "vary" && name != "allow" && name != "cache-control" {
		return false
	}
	clean := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "")) }
	return clean(a) == clean(b)
}

func lowerKeys(h map[string]string) map[string]string {
	out := make(map[string]string, len(h))
	for k, v := range h {
		out[strings.ToLower(k)] = v
	}
	return out
}

func (cmp *comparison) body() {
	rec, got := cmp.c.Response.Body, cmp.o.Response.Body
	if len(rec) == 0 && len(cmp.c.Response.Shape) > 0 {
		want := bodyValue(cmp.c.Response.Shape)
		cmp.documents("response.body", "body", nil, want, shapeOf(bodyValue(got)))
		return
	}
	switch {
	case len(rec) == 0 && len(got) == 0:
	case len(rec) == 0:
		cmp.add(Difference{Target: "body", Kind: "unexpected", Replayed: clip(string(got), 200)})
	case len(got) == 0:
		if !cmp.ignored("response.body", nil) {
			cmp.add(Difference{Target: "body", Kind: "missing", Recorded: clip(string(rec), 200)})
		}
	default:
		cmp.documents("response.body", "body", nil, bodyValue(rec), bodyValue(got))
	}
}

// ignored reports whether a place need not be there.
func (cmp *comparison) ignored(target string, at []string) bool {
	return slices.ContainsFunc(cmp.noise.at(target, at), func(r noiseRule) bool { return r.rule == "ignore" })
}

func (cmp *comparison) tolerated(target string, at []string, recorded, replayed any) bool {
	for _, r := range cmp.noise.at(target, at) {
		if r.tolerates(recorded, replayed, cmp.names) {
			return true
		}
	}
	return false
}

// latency reports an exchange far slower than any recorded one. The bound is the median plus six normalised
// median absolute deviations (Leys et al. 2013, "Detecting outliers"; three is the usual cut for one
// sample, doubled because the machine is another), at least four times the slowest sample, and 100 ms of slack for the
// scheduler. It stands by itself and fails no case: wall clocks of two machines are not comparable closely.
func (cmp *comparison) latency() {
	bound := latencyBound(cmp.c.Latency)
	if bound > 0 && cmp.o.Latency > bound {
		cmp.add(Difference{Target: "latency", Kind: "changed", Recorded: fmt.Sprintf("at most %s expected", bound.Round(time.Microsecond)), Replayed: cmp.o.Latency.Round(time.Microsecond).String(),
			Likely: "reported only: time on another machine fails no case"})
	}
}

func latencyBound(samples []Duration) time.Duration {
	if len(samples) == 0 {
		return 0
	}
	sorted := slices.Clone(samples)
	slices.Sort(sorted)
	median := sorted[len(sorted)/2]
	deviations := make([]Duration, len(sorted))
	for i, s := range sorted {
		deviations[i] = max(s-median, median-s)
	}
	slices.Sort(deviations)
	mad := deviations[len(deviations)/2]
	const normal = 1.4826 // makes the MAD comparable with a standard deviation
	robust := median + Duration(6*normal*float64(mad))
	return time.Duration(max(robust, 4*sorted[len(sorted)-1])) + 100*time.Millisecond
}

func (cmp *comparison) expectations() {
	for _, text := range cmp.c.Expect {
		s, err := parseSelector(text)
		if err != nil {
			continue // refused when the set was read
		}
		if ok, saw := s.judge(cmp.o.Trace.Tree); !ok {
			cmp.add(Difference{Target: "span", Kind: "changed", Recorded: "expected: " + text, Replayed: saw})
		}
	}
}

// targetRank orders differences by how close they are to what a user of the service sees.
var targetRank = map[string]int{"connection": 0, "status": 1, "body": 2, "header": 3, "downstream": 4, "span": 5, "latency": 6}

func sortDifferences(ds []Difference) {
	sort.SliceStable(ds, func(i, j int) bool {
		a, b := &ds[i], &ds[j]
		if a.Case != b.Case {
			return a.Case < b.Case
		}
		if x, y := targetRank[a.Target], targetRank[b.Target]; x != y {
			return x < y
		}
		if a.Pointer != b.Pointer {
			return a.Pointer < b.Pointer
		}
		if a.Kind != b.Kind {
			return a.Kind < b.Kind
		}
		return a.Recorded+a.Replayed < b.Recorded+b.Replayed
	})
}

// explain fills Likely: a missing parent takes its children with it, a failed call fails the answer.
func explain(ds []Difference) {
	var cause string
	for i := range ds {
		d := &ds[i]
		if d.Target == "downstream" && cause == "" {
			cause = fmt.Sprintf("follows from the outgoing call %s (%s)", d.Pointer, d.Kind)
		}
	}
	gone := map[string]bool{}
	for i := range ds {
		if d := &ds[i]; d.Target == "span" && (d.Kind == "missing" || d.Kind == "unexpected") {
			gone[d.Kind+d.Pointer] = true
		}
	}
	for i := range ds {
		d := &ds[i]
		if d.Likely != "" {
			continue
		}
		switch d.Target {
		case "span":
			if j := strings.LastIndex(d.Pointer, pathSeparator); j >= 0 && gone[d.Kind+d.Pointer[:j]] {
				d.Likely = "its parent is " + d.Kind + " too"
			} else if cause != "" && strings.Contains(d.Pointer, "|client|") {
				d.Likely = cause
			}
		case "status", "body":
			d.Likely = cause
		}
	}
}

// fails reports whether a difference makes its case fail.
func (d *Difference) fails() bool { return d.Target != "latency" }
