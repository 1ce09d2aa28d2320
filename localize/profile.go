package localize

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/remediator/remediator/telemetry"
)

// profileConstants judge what grew in profiles.
type profileConstants struct {
	weight               float64
	sure                 slope
	share                float64
	busy                 slope
	common, observed     float64
	hot                  float64
	reasons, hints, fade float64
}

func (c *profileConstants) list(t *table) {
	t.num(&c.weight, "profile.weight", 2.5, "nats for a service whose profile is all growth that its healthy one does not explain", "")
	t.slope(&c.sure, "profile.sure", 2, 6, "z score of a function's growth from which it is evidence", "")
	t.num(&c.share, "profile.share", 0.05, "share of the incident's profile from which growth is worth saying", "")
	t.slope(&c.busy, "profile.busy", 0.01, 0.1, "seconds grown per second from which time is worth anything", "a hundredth of a core is what a service takes that idles")
	t.num(&c.common, "profile.common", 5, "functions of both profiles that must be there to tell the change of load from them", "")
	t.num(&c.observed, "profile.observed", 5, "observations of a function from which it can tell", "the rule of thumb for the normal approximation of a count")
	t.num(&c.hot, "profile.hot", 0.3, "weight of leads from a profile that has no healthy one beside it", "")
	t.num(&c.reasons, "profile.reasons", 3, "functions named per kind of profile", "")
	t.num(&c.hints, "profile.hints", 6, "leads per kind of profile", "")
	t.num(&c.fade, "profile.fade", 0.8, "factor by which each further lead weighs less", "")
}

// function is what a profile's values are attributed to: the innermost function of a stack that is no library's, so that what
// code asks of a library counts as its own.
type function struct{ name, file string }

// usage is the sum of the profiles of one type of one service in one window.
type usage struct {
	unit    string
	total   float64
	samples float64 // observations behind total
	seconds float64
	by      map[function]*usedBy
}

type usedBy struct {
	value float64
	lines map[int]float64
}

// growth is a function that takes more than its healthy profile explains.
type growth struct {
	function
	line        int
	excess      float64 // in the profile's unit
	share, base float64 // of the totals of incident and healthy window
	z           float64
}

// findProfiles compares the profiles of each service and type with the healthy ones, function by function: the differential
// flame graph of Gregg (The Flame Graph, Communications of the ACM 59(6), 2016) as numbers.
//
// Two profiles differ in how long they were recorded and how much load there was; both multiply every function alike. The
// factor is the median of the functions' ratios (the size factor of Anders and Huber, Differential expression analysis for sequence count
// data, Genome Biology 2010, equation 5), which one function that runs wild cannot move, as it does move every share. What is
// beyond the factor is growth; that it is no accident of sampling is judged as a comparison of two Poisson rates (zRate).
func (a *analysis) findProfiles() {
	cur, base := usages(a.ev.Incident.Profiles), usages(a.ev.Baseline.Profiles)
	for _, key := range slices.SortedFunc(maps.Keys(cur), compareUsage) {
		if twin, ok := cur[usageKey{key.service, twinOf(key.typ)}]; ok && twin.total > 0 {
			continue // the same observations, counted
		}
		healthy := base[key]
		if healthy == nil || healthy.total <= 0 {
			a.hotLeads(key, cur[key])
			continue
		}
		a.addGrowth(key, cur[key], healthy)
	}
}

type usageKey struct{ service, typ string }

func compareUsage(a, b usageKey) int {
	return cmp.Or(strings.Compare(a.service, b.service), strings.Compare(a.typ, b.typ))
}

// twinOf is the type that says more about the same observations: pprof counts what it also measures.
func twinOf(typ string) string {
	switch typ {
	case "samples":
		return "cpu"
	case "alloc_objects":
		return "alloc_space"
	case "inuse_objects":
		return "inuse_space"
	case "contentions":
		return "delay"
	}
	return ""
}

// usages adds up profiles by service and type.
func usages(profiles []telemetry.Profile) map[usageKey]*usage {
	out := map[usageKey]*usage{}
	for i := range profiles {
		p := &profiles[i]
		key := usageKey{p.Resource.Service, p.Type}
		u := out[key]
		if u == nil {
			u = &usage{unit: p.Unit, by: map[function]*usedBy{}}
			out[key] = u
		}
		if u.unit != p.Unit {
			continue // two things by one name cannot be added
		}
		u.add(p)
	}
	return out
}

func (u *usage) add(p *telemetry.Profile) {
	own := ownCode(p)
	u.total += float64(p.Total)
	u.seconds += p.Duration.Seconds()
	samples := float64(p.Samples)
	if samples == 0 {
		// The profiler does not say how often it looked, but at least once for each stack.
		samples = float64(len(p.Stacks))
	}
	u.samples += samples
	for _, s := range p.Stacks {
		if len(s.Frames) == 0 {
			continue
		}
		at := s.Frames[0]
		for _, f := range s.Frames {
			if own[f] {
				at = f
				break
			}
		}
		f := &p.Frames[at]
		key := function{f.Function, f.File}
		by := u.by[key]
		if by == nil {
			by = &usedBy{lines: map[int]float64{}}
			u.by[key] = by
		}
		by.value += float64(s.Value)
		by.lines[f.Line] += float64(s.Value)
	}
}

// ownCode tells for each frame whether it is the program's own. Where Go's library lies is told from where its runtime lies.
func ownCode(p *telemetry.Profile) []bool {
	root := ""
	for _, f := range p.Frames {
		if i := strings.LastIndex(f.File, "/src/runtime/"); i >= 0 && strings.HasPrefix(f.Function, "runtime.") {
			root = f.File[:i+len("/src/")]
			break
		}
	}
	own := make([]bool, len(p.Frames))
	for i, f := range p.Frames {
		library := isLibrary(&frame{File: f.File, Function: f.Function, Namespace: f.Function})
		own[i] = f.File != "" && !library && (root == "" || !strings.HasPrefix(f.File, root))
	}
	return own
}

// loadFactor is how much more of everything the second profile holds than the first.
func loadFactor(k *profileConstants, cur, base *usage) float64 {
	var ratios []float64
	for f, b := range base.by {
		c := cur.by[f]
		if c != nil && base.observations(b.value) >= k.observed && cur.observations(c.value) >= k.observed {
			ratios = append(ratios, c.value/b.value)
		}
	}
	if len(ratios) >= int(k.common) {
		return median(ratios)
	}
	if cur.seconds > 0 && base.seconds > 0 {
		return cur.seconds / base.seconds
	}
	return 1 // levels, such as memory in use
}

// observations is how often the profiler saw a part of the total.
func (u *usage) observations(value float64) float64 {
	if u.total <= 0 {
		return 0
	}
	return value * u.samples / u.total
}

// grown lists the functions that grew beyond the factor, most first.
func grown(k *profileConstants, cur, base *usage) (list []growth, factor float64) {
	factor = loadFactor(k, cur, base)
	// One observation of either profile may stand for more or less of the unit than one of the other.
	exposure := factor * cur.worth() / base.worth()
	for f, c := range cur.by {
		healthy := 0.0
		var healthyLines map[int]float64
		if b := base.by[f]; b != nil {
			healthy, healthyLines = b.value, b.lines
		}
		g := growth{function: f, excess: c.value - factor*healthy, share: c.value / cur.total, base: healthy / base.total,
			z: zRate(cur.observations(c.value), exposure, base.observations(healthy), 1)}
		if g.excess/cur.total < k.share || g.z < k.sure.from {
			continue
		}
		most := math.Inf(-1)
		for line, v := range c.lines {
			if more := v - factor*healthyLines[line]; more > most || more == most && line < g.line {
				most, g.line = more, line
			}
		}
		list = append(list, g)
	}
	slices.SortFunc(list, func(x, y growth) int {
		return cmp.Or(cmp.Compare(y.excess, x.excess), strings.Compare(x.name, y.name), strings.Compare(x.file, y.file))
	})
	return list, factor
}

// worth is observations per unit, 1 where nothing was observed.
func (u *usage) worth() float64 {
	if u.total <= 0 || u.samples <= 0 {
		return 1
	}
	return u.samples / u.total
}

func (a *analysis) addGrowth(key usageKey, cur, base *usage) {
	k := &a.k.profile
	list, _ := grown(k, cur, base)
	if len(list) == 0 {
		return
	}
	c := a.board.of(key.service)
	for n, g := range list[:min(len(list), int(k.hints))] {
		sure := k.sure.of(g.z)
		share := g.excess / cur.total
		// Time matters by how much of it there was, other things by their share.
		if cur.unit == "nanoseconds" && cur.seconds > 0 {
			sure *= k.busy.of(g.excess / float64(time.Second) / cur.seconds)
		}
		where := g.name
		if g.file != "" {
			where = fmt.Sprintf("%s (%s:%d)", g.name, path.Base(g.file), g.line)
		}
		if n < int(k.reasons) {
			a.board.add(key.service, Reason{Signal: "profile",
				Text: fmt.Sprintf("%s takes %s of the %s profile instead of %s: %s more than the load explains (z = %.1f)",
					where, percent(g.share), nonEmpty(key.typ, "only"), percent(g.base), grownBy(g.excess, cur), g.z),
				Value: g.share, Baseline: g.base, Weight: k.weight * math.Sqrt(share) * sure})
		}
		c.hints = append(c.hints, profileHint(g, sure*math.Sqrt(share)*math.Pow(k.fade, float64(n))))
	}
}

// hotLeads gives the heaviest functions of a profile as leads. Without a healthy profile they are no evidence: every service has
// some function that takes most.
func (a *analysis) hotLeads(key usageKey, u *usage) {
	k := &a.k.profile
	var list []growth
	for f, by := range u.by {
		g := growth{function: f, share: by.value / u.total}
		most := -1.0
		for line, v := range by.lines {
			if v > most || v == most && line < g.line {
				most, g.line = v, line
			}
		}
		if g.share >= k.share {
			list = append(list, g)
		}
	}
	slices.SortFunc(list, func(x, y growth) int {
		return cmp.Or(cmp.Compare(y.share, x.share), strings.Compare(x.name, y.name), strings.Compare(x.file, y.file))
	})
	c := a.board.of(key.service)
	for n, g := range list[:min(len(list), int(k.hints))] {
		c.hints = append(c.hints, profileHint(g, k.hot*g.share*math.Pow(k.fade, float64(n))))
	}
}

func profileHint(g growth, weight float64) Hint {
	return Hint{Kind: HintFrame, File: g.file, Line: g.line, Function: g.name, Weight: clamp01(weight)}
}

// grownBy writes growth in its unit, per second of recording for time.
func grownBy(v float64, u *usage) string {
	switch {
	case u.unit == "nanoseconds" && u.seconds > 0:
		return fmt.Sprintf("%.2f s each second", v/float64(time.Second)/u.seconds)
	case u.unit == "nanoseconds":
		return seconds(v / float64(time.Second))
	case u.unit == "bytes":
		return fmt.Sprintf("%.1f MiB", v/(1<<20))
	}
	return fmt.Sprintf("%.0f", v)
}
