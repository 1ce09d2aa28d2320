package evaluate

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"runtime"
	"sync"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/telemetry"
)

// Alarm is a healthy window in which somebody was named.
type Alarm struct {
	Corpus     string  `json:"corpus"`
	Case       string  `json:"case"`
	Window     string  `json:"window"`
	Suspect    string  `json:"suspect"`
	Reason     string  `json:"reason"`
	Confidence float64 `json:"confidence"`
	Acted      bool    `json:"acted"`
}

// Group is the healthy windows of one corpus and one cut.
type Group struct {
	Corpus     string `json:"corpus"`
	Cut        string `json:"cut"`
	Recordings int    `json:"recordings"` // different ones; bundles of one system may share theirs
	Loud       int    `json:"loud"`       // recordings with an alarm
	Named      Rate   `json:"named"`      // windows in which somebody was named
	Acted      Rate   `json:"acted"`      // windows that something would have been done about
	Skipped    int    `json:"skipped"`    // windows with too little in them
}

// Health is what was named where nothing is wrong.
type Health struct {
	Groups []Group `json:"groups"`
	Alarms []Alarm `json:"alarms"`
}

// fewRecords is the least a part needs to be called a window.
const fewRecords = 20

// window is one comparison to be made.
type window struct {
	name               string
	incident, baseline telemetry.Dataset
}

// Healthy compares parts of each bundle's baseline with each other, and, of the bundles in which nothing
// was wrong (whose answers must have been read, so this comes after Evaluate), parts of the incident's window with the
// baseline. Nobody is to be named.
func (t *Tool) Healthy(ctx context.Context, corpora []*Corpus, nothingWrong map[string]bool) (*Health, error) {
	out := &Health{}
	done := 0
	for _, c := range corpora {
		byCut := map[string]*Group{}
		var order []string
		seen := map[string]map[uint64]bool{}
		loud := map[string]map[uint64]bool{}
		for _, id := range c.Cases {
			t.progress("healthy windows", done, countCases(corpora))
			done++
			k, err := t.kept(c, id)
			if err != nil {
				return nil, err
			}
			in, ev := k.in, &k.ev
			digest := fingerprint(&ev.Baseline)
			for _, g := range windowsOf(ev, nothingWrong[id]) {
				group := byCut[g.cut]
				if group == nil {
					group = &Group{Corpus: c.Name, Cut: g.cut}
					byCut[g.cut] = group
					order = append(order, g.cut)
					seen[g.cut], loud[g.cut] = map[uint64]bool{}, map[uint64]bool{}
				}
				group.Skipped += g.skipped
				results, err := t.rankAll(ctx, in, ev, g.windows)
				if err != nil {
					return nil, err
				}
				for i, res := range results {
					seen[g.cut][digest] = true
					named := len(res.Suspects) > 0
					group.Named = count(group.Named, named)
					group.Acted = count(group.Acted, res.Decision == localize.Act)
					if named {
						loud[g.cut][digest] = true
						out.Alarms = append(out.Alarms, Alarm{Corpus: c.Name, Case: id, Window: g.cut + ", " + g.windows[i].name, Suspect: res.Suspects[0].Service,
							Reason: firstReason(&res), Confidence: res.Confidence, Acted: res.Decision == localize.Act})
					}
				}
			}
		}
		for _, cut := range order {
			g := byCut[cut]
			g.Recordings, g.Loud = len(seen[cut]), len(loud[cut])
			out.Groups = append(out.Groups, *g)
		}
	}
	return out, nil
}

func count(r Rate, hit bool) Rate {
	r.Of++
	if hit {
		r.Hits++
	}
	return r
}

func firstReason(res *localize.Result) string {
	if len(res.Suspects[0].Reasons) == 0 {
		return ""
	}
	return res.Suspects[0].Reasons[0].Text
}

// healthyGroup is the windows that one cut makes of one bundle.
type healthyGroup struct {
	cut     string
	windows []window
	skipped int
}

func windowsOf(ev *localize.Evidence, quiet bool) []healthyGroup {
	var out []healthyGroup
	for _, c := range Cuts() {
		g := healthyGroup{cut: c.Name}
		pieces := parts(&ev.Baseline, c.Parts)
		for _, p := range c.Pairs {
			w := window{name: fmt.Sprintf("%d against %d", p[0]+1, p[1]+1), incident: pieces[p[0]]}
			if p[1] < 0 {
				w.name = fmt.Sprint(p[0] + 1)
				w.baseline = others(pieces, p[0])
			} else {
				w.baseline = pieces[p[1]]
			}
			g.keep(w)
		}
		out = append(out, g)
	}
	if !quiet {
		return out
	}
	recorded := healthyGroup{cut: "as recorded"}
	recorded.keep(window{"incident against baseline", ev.Incident, ev.Baseline})
	recorded.keep(window{"baseline against incident", ev.Baseline, ev.Incident})
	pieces := healthyGroup{cut: "part of the incident against the baseline"}
	for _, n := range []int{2, 3, 4} {
		for k, part := range parts(&ev.Incident, n) {
			pieces.keep(window{fmt.Sprintf("part %d of %d", k+1, n), part, ev.Baseline})
		}
	}
	return append(out, recorded, pieces)
}

// keep takes a window unless one of its sides holds too little.
func (g *healthyGroup) keep(w window) {
	if min(records(&w.incident), records(&w.baseline)) < fewRecords {
		g.skipped++
		return
	}
	g.windows = append(g.windows, w)
}

// rankAll ranks windows of one bundle, as many at a time as there are processors.
func (t *Tool) rankAll(ctx context.Context, in incident.Incident, ev *localize.Evidence, windows []window) ([]localize.Result, error) {
	out := make([]localize.Result, len(windows))
	each(len(windows), func(i int) {
		if ctx.Err() != nil {
			return
		}
		e := *ev
		e.Incident, e.Baseline = windows[i].incident, windows[i].baseline
		out[i] = t.Rank(in, e, t.Options)
	})
	return out, ctx.Err()
}

// each calls f for 0 to n-1 on all processors.
func each(n int, f func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// fingerprint tells recordings apart by their spans, or by their log records where there are no spans.
func fingerprint(ds *telemetry.Dataset) uint64 {
	h := fnv.New64a()
	var b [8]byte
	put := func(n int64) {
		binary.LittleEndian.PutUint64(b[:], uint64(n))
		h.Write(b[:])
	}
	for i := range ds.Spans {
		put(ds.Spans[i].Start)
		h.Write(ds.Spans[i].ID[:])
	}
	if len(ds.Spans) == 0 {
		for i := range ds.Logs {
			put(ds.Logs[i].Time)
			io.WriteString(h, ds.Logs[i].Body)
		}
	}
	return h.Sum64()
}

// Totals sums up the groups; recordings of several cuts count once per cut.
func (h *Health) Totals() (named, acted Rate) {
	for _, g := range h.Groups {
		named.Hits, named.Of = named.Hits+g.Named.Hits, named.Of+g.Named.Of
		acted.Hits, acted.Of = acted.Hits+g.Acted.Hits, acted.Of+g.Acted.Of
	}
	return named, acted
}

// Table prints the groups, their sum, and every alarm.
func (h *Health) Table(w io.Writer, markdown bool) {
	t := newTable("corpus", "windows", "number:", "too small:", "recordings:", "somebody named:", "share:", "95 % interval:", "recordings with an alarm:", "acted on:")
	row := func(corpus, cut string, g Group) {
		low, high := Wilson(g.Named)
		recordings, loud := fmt.Sprint(g.Recordings), fmt.Sprint(g.Loud)
		if g.Recordings == 0 {
			recordings, loud = "", ""
		}
		t.add(corpus, cut, fmt.Sprint(g.Named.Of), fmt.Sprint(g.Skipped), recordings, fmt.Sprint(g.Named.Hits), percentOf(g.Named),
			fmt.Sprintf("%.1f to %.1f %%", 100*low, 100*high), loud, fmt.Sprint(g.Acted.Hits))
	}
	sum := Group{}
	for _, g := range h.Groups {
		row(g.Corpus, g.Cut, g)
		sum.Skipped += g.Skipped
	}
	sum.Named, sum.Acted = h.Totals()
	row("all", "", sum)
	t.write(w, markdown)
	if len(h.Alarms) == 0 {
		return
	}
	fmt.Fprintln(w)
	a := newTable("corpus", "case", "window", "named", "confidence:", "acted on", "strongest reason")
	for _, x := range h.Alarms {
		a.add(x.Corpus, x.Case, x.Window, x.Suspect, fmt.Sprintf("%.2f", x.Confidence), yesNo(&x.Acted, "yes", "no"), x.Reason)
	}
	a.write(w, markdown)
}
