package patch

import (
	"fmt"
	"io/fs"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/remediator/remediator/localize"
)

// poolUtilisation is the share of a pool that may be busy on average. Waiting grows with 1/(1-utilisation)
// (M/M/c, Kleinrock, Queueing Systems I, 1975, chapter 3); at 0.7 it is a small part of the service time.
const poolUtilisation = 0.7

// poolCeiling bounds a new pool: PostgreSQL ships with max_connections = 100 for all its clients.
const poolCeiling = 100

// poolFactor bounds the growth in one step; what needs more is a question of design.
const poolFactor = 16

// enlarge looks for the setting that holds the observed size of a saturated pool.
func (r configValue) enlarge(in *Input, i int) ([]Option, []Left) {
	s := in.Suspects[i]
	at := slices.IndexFunc(s.Patterns, func(p localize.Pattern) bool { return p.Kind == localize.PatternPoolWait })
	if at < 0 {
		return nil, nil
	}
	p := s.Patterns[at]
	leave := func(format string, args ...any) ([]Option, []Left) {
		return nil, []Left{{Rung: Config, Recipe: r.Name(), Why: fmt.Sprintf(format, args...)}}
	}
	size, ok := wholeNumber(p.Values["max"])
	if !ok {
		return leave("work waits for a pool whose size the telemetry does not tell; record the pool's maximum as a metric")
	}
	want, why := PoolSize(p)
	if want == 0 {
		return leave("%s", why)
	}
	found := poolSettings(in, i, size)
	if len(found) == 0 {
		return leave("no configuration value of %s is %d, the size of the saturated pool, and named after a pool", safeSubject(s.Service), size)
	}
	best := slices.DeleteFunc(slices.Clone(found), func(f poolSetting) bool { return f.score < found[0].score })
	if len(best) > 1 {
		var places []string
		for _, f := range best {
			places = append(places, fmt.Sprintf("%s (%s:%d)", f.Dotted(), safePath(f.file), f.Line))
		}
		return leave("ambiguous: the pool's size may be set by any of %s", strings.Join(places, ", "))
	}
	f := best[0]
	to := sameQuotes(f.Raw, strconv.Itoa(want))
	return []Option{valueOption(r.Name(), f.file, f.setting, to,
		fmt.Sprintf("Raise %s from %d to %d", keyTitle(f.setting), size, want), why)}, nil
}

// PoolSize is the size a pool needs by Little's law, L = λW (J. D. C. Little, Operations Research 9(3), 1961), with
// headroom; 0 if the pool is large enough or the numbers are missing, and then why says so. While the pool
// keeps up, W is the time a connection is used, at its 95th percentile. A pool that is busy throughout lets
// through what it can and no more, so the measured demand is too small; then those that wait count too, as
// the law allows for the whole of queue and pool.
func PoolSize(p localize.Pattern) (size int, why string) {
	limit, demand, use := p.Values["max"], p.Values["demand_per_second"], p.Values["use_p95_seconds"]
	wait, pending := p.Values["wait_p95_seconds"], p.Values["pending"]
	if !positive(limit) {
		return 0, "work waits for a pool whose size is not recorded; record its maximum as a metric"
	}
	var busy float64
	var words string
	switch {
	case positive(demand) && positive(use):
		busy = demand * use
		words = fmt.Sprintf("%.3g/s, each using a connection for up to %.3gs (p95), keep %.3g connections busy by Little's law (L = λW)", demand, use, busy)
		if busy < 0.5*limit {
			return 0, fmt.Sprintf("work waits for the pool of %g although %s: connections leak or are held while idle, and a larger pool would hide that", limit, words)
		}
		if busy >= 0.8*limit && positive(wait) {
			busy = demand * (use + wait)
			words = fmt.Sprintf("the pool of %g is busy throughout, so with those that wait (p95 %.3gs) %.3g/s amount to %.3g at a time by Little's law (L = λW)", limit, wait, demand, busy)
		}
	case positive(demand) && positive(wait):
		busy = limit + demand*wait
		words = fmt.Sprintf("all %g connections are in use and %.3g/s wait for up to %.3gs (p95), together %.3g at a time by Little's law (L = λW)", limit, demand, wait, busy)
	case positive(pending):
		busy = limit + pending
		words = fmt.Sprintf("all %g connections are in use and %.3g requests wait for one", limit, pending)
	default:
		return 0, "work waits for a pool, but neither its demand nor how many wait is recorded, so its size cannot be computed; record them as metrics"
	}
	need := math.Ceil(busy/poolUtilisation - 1e-9)
	if need <= limit {
		return 0, fmt.Sprintf("%s, for which the pool of %g is large enough; something else holds its connections", words, limit)
	}
	size = min(roundPool(need), poolCeiling, int(limit)*poolFactor)
	if float64(size) <= limit {
		return 0, fmt.Sprintf("the pool of %g is at the bound of %d already; more is a question of design", limit, poolCeiling)
	}
	return size, fmt.Sprintf("%s; %d leaves headroom at %.0f%% utilisation", words, size, poolUtilisation*100)
}

func positive(v float64) bool { return v > 0 && v < 1e9 }

// roundPool rounds up to a number a person would have written.
func roundPool(need float64) int {
	step := 1.0
	switch {
	case need > 50:
		step = 10
	case need > 10:
		step = 5
	case need > 4:
		step = 2
	}
	return int(min(math.Ceil(need/step)*step, 1e6))
}

func wholeNumber(v float64) (int, bool) {
	if v != math.Trunc(v) || v < 1 || v > 1e6 {
		return 0, false
	}
	return int(v), true
}

type poolSetting struct {
	setting
	file  string
	score int
}

// poolSettings lists the settings of the suspect's service that hold the number size under the name of a
// pool, best first.
func poolSettings(in *Input, i, size int) []poolSetting {
	read := namesRead(in, i)
	var out []poolSetting
	for _, file := range settingsFiles(in.Base) {
		src, _, err := ReadBase(in.Base, file)
		if err != nil {
			continue
		}
		all, err := readSettings(file, src)
		if err != nil {
			continue
		}
		for _, s := range all {
			if s.Text != strconv.Itoa(size) || countKey(all, s.Key()) != 1 {
				continue
			}
			score := poolNameScore(s)
			if score == 0 {
				continue
			}
			known := read[normalName(s.Name)]
			switch {
			case ownedBy(in, in.Suspects[i].Service, file) || namedAfter(in.Suspects[i].Service, s):
				score += 2
			case known == 0:
				continue // nothing ties it to this service
			}
			out = append(out, poolSetting{s, file, score + known})
		}
	}
	slices.SortStableFunc(out, func(a, b poolSetting) int { return b.score - a.score })
	return out
}

var poolNames = regexp.MustCompile(`pool(size|max|limit|connections|conns)?|maxopen(conns|connections)?|max(db)?conn(ection)?s?|connections|conns`)

// poolNameScore is 0 for a name that does not say "size of a pool".
func poolNameScore(s setting) int {
	name := normalName(s.Name)
	section := ""
	if n := len(s.Path); n > 1 {
		section = normalName(s.Path[n-2])
	}
	for _, other := range []string{"idle", "min", "timeout", "lifetime", "wait", "age", "interval", "retry", "retries", "port", "replica", "poolmode", "poolname", "spool"} {
		if strings.Contains(name, other) {
			return 0
		}
	}
	switch {
	case strings.Contains(name, "maxopen"), strings.Contains(name, "poolsize"), strings.Contains(name, "poolmax"), strings.Contains(name, "maxpool"):
		return 3
	case poolNames.MatchString(name):
		return 2
	case poolNames.MatchString(section) && (strings.Contains(name, "max") || name == "size" || name == "limit"):
		return 2
	}
	return 0
}

// ownedBy reports whether a file lies in the service's paths, or carries its name on the way.
func ownedBy(in *Input, service, file string) bool {
	for _, glob := range in.Services[service].Paths {
		if MatchGlob(glob, file) {
			return true
		}
	}
	want := normalName(service)
	if want == "" {
		return false
	}
	for part := range strings.SplitSeq(file, "/") {
		name, _, _ := strings.Cut(part, ".")
		if normalName(name) == want {
			return true
		}
	}
	return false
}

func namedAfter(service string, s setting) bool {
	want := normalName(service)
	return len(want) > 2 && slices.ContainsFunc(s.Path, func(k string) bool { return strings.Contains(normalName(k), want) })
}

// MatchGlob matches a path against a glob whose ** stands for any directories; a directory matches
// all below it.
func MatchGlob(glob, file string) bool {
	glob = strings.Trim(strings.TrimPrefix(glob, "./"), "/")
	if glob == "" || glob == "." {
		return true
	}
	return matchParts(strings.Split(glob, "/"), strings.Split(file, "/"))
}

func matchParts(glob, file []string) bool {
	for len(glob) > 0 {
		if glob[0] == "**" {
			for k := range len(file) + 1 {
				if matchParts(glob[1:], file[k:]) {
					return true
				}
			}
			return false
		}
		if len(file) == 0 {
			return false
		}
		if ok, err := path.Match(glob[0], file[0]); err != nil || !ok {
			return false
		}
		glob, file = glob[1:], file[1:]
	}
	return true // the rest of the file's path lies below what the glob names
}

// settingsFiles lists the configuration files of the base in order, at most 500.
func settingsFiles(base fs.FS) []string {
	var out []string
	seen := 0
	_ = fs.WalkDir(base, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // what cannot be read holds no setting for us
		}
		if seen++; seen > 50_000 || len(out) >= 500 {
			return fs.SkipAll
		}
		if d.IsDir() {
			if p != "." && !isSettingsFile(p+"/x.yaml") {
				return fs.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() && isSettingsFile(p) && KindOf(p) == ConfigFile {
			out = append(out, p)
		}
		return nil
	})
	return out
}

var quotedName = regexp.MustCompile("[\"'`:,]([A-Za-z_][A-Za-z0-9_.-]{2,60})[\"'`,]")

// namesRead collects the names in quotes in the code of suspect i, normalised: 2 for those in the function it
// points to, 1 for those in the same directory. Settings are read by such names.
func namesRead(in *Input, i int) map[string]int {
	names := map[string]int{}
	if i >= len(in.Locations) {
		return names
	}
	note := func(text string, weight int) {
		for _, m := range quotedName.FindAllStringSubmatch(text, 10_000) {
			n := normalName(m[1])
			names[n] = max(names[n], weight)
		}
	}
	dirs := map[string]bool{}
	for _, l := range in.Locations[i][:min(5, len(in.Locations[i]))] {
		src, _, err := ReadBase(in.Base, l.File)
		if err != nil {
			continue
		}
		lines := splitLines(src)
		from, to := max(0, l.From-1), min(len(lines), l.To)
		if from < to {
			note(strings.Join(lines[from:to], ""), 2)
		}
		dirs[path.Dir(l.File)] = true
	}
	for dir := range dirs {
		entries, err := fs.ReadDir(in.Base, dir)
		if err != nil {
			continue
		}
		for _, e := range entries[:min(100, len(entries))] {
			if p := path.Join(dir, e.Name()); e.Type().IsRegular() && KindOf(p) == SourceFile {
				if src, _, err := ReadBase(in.Base, p); err == nil {
					note(string(src), 1)
				}
			}
		}
	}
	return names
}
