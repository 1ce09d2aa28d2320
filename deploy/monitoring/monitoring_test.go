// Package monitoring_test checks that the documented metrics, the alert rules and the dashboard speak of what a
// service really measures.
package monitoring_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/remediator/remediator/internal/selftelemetry"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
	"github.com/remediator/remediator/telemetry"
)

// quiet is an observer that does nothing.
type quiet struct{}

func (quiet) Begin(remedy.State, *remedy.Case)              {}
func (quiet) Note(string)                                   {}
func (quiet) End(remedy.State, *remedy.Case, time.Duration) {}

// scrape makes a service's telemetry, lets everything happen once that can, and returns what Prometheus would read.
func scrape(t *testing.T) string {
	t.Helper()
	ctx, now := context.Background(), time.Now
	tel, err := selftelemetry.NewService(ctx, "v1.2.3", func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	defer tel.Close(ctx)
	in, err := tel.Instruments(now)
	if err != nil {
		t.Fatal(err)
	}
	rec := &docket.Record{FirstAlert: now().Add(-time.Minute)}
	for _, kind := range []string{"alert", "opened", "declined", "held", "proposed", "merged", "ran", "effect"} {
		in.Docket(docket.Observation{Kind: kind, Record: rec, Key: "pull:x", Elapsed: time.Second})
	}
	in.Docket(docket.Observation{Kind: "effect", Key: "check", Err: errors.New("502")})
	in.Alert("am", "accepted", time.Millisecond)
	for _, transport := range []string{"grpc", "http"} {
		in.Received("traces", transport, 5)
		in.Refused("traces", transport, "busy", 0)
		in.Refused("traces", transport, "time", 2)
	}
	in.Stored("traces", 1000)
	in.Model("", time.Second, 500, 100)
	in.Model("timeout", time.Second, 0, 0)
	in.GitHubRate("core", 5000, 4999)
	in.GitHubRetry("secondary")
	if err := tel.WatchState(now, func(context.Context) (selftelemetry.State, error) {
		return selftelemetry.State{Cases: map[string]int{"queued": 1}, Tasks: map[string]selftelemetry.Tasks{"case": {Waiting: 1}}, DeadLetters: 1,
			Bytes: map[string]int64{"telemetry": 1}, Oldest: now().Add(-time.Hour)}, nil
	}); err != nil {
		t.Fatal(err)
	}
	o, done, err := tel.Observe(ctx, quiet{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c := &remedy.Case{State: remedy.Declined, Declined: &remedy.Decline{Code: "no_suspect"}}
	c.Evidence.Counts = localize.Counts{Spans: 10, Traces: 5}
	c.Evidence.Notes = []telemetry.Note{{Code: telemetry.NoteBrokenTrace, Count: 1}}
	o.Begin(remedy.Located, c)
	o.End(remedy.Located, c, time.Second)
	done(c, nil)
	w := httptest.NewRecorder()
	tel.Scrape().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// series is one metric with its kind and labels.
type series struct {
	kind   string
	labels []string
}

var (
	typeLine   = regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`)
	sampleLine = regexp.MustCompile(`(?m)^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? \S+$`)
	labelName  = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="`)
	tableLine  = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `([^`]+)` \\| (\\w+) \\|([^|]*)\\| [^|]+ \\|$")
	code       = regexp.MustCompile("`([^`]+)`")
)

// ours says that a metric is not the runtime's.
func ours(name string) bool {
	return strings.HasPrefix(name, "remediator_") || strings.HasPrefix(name, "gen_ai_")
}

func scraped(t *testing.T) map[string]series {
	t.Helper()
	text := scrape(t)
	all := map[string]series{}
	for _, m := range typeLine.FindAllStringSubmatch(text, -1) {
		if ours(m[1]) {
			all[m[1]] = series{kind: m[2]}
		} else if !strings.HasPrefix(m[1], "go_") && !strings.HasPrefix(m[1], "process_") && m[1] != "target_info" {
			t.Errorf("%s is scraped and has nobody's prefix", m[1])
		}
	}
	for _, m := range sampleLine.FindAllStringSubmatch(text, -1) {
		name := base(m[1], all)
		s, ok := all[name]
		if !ok {
			continue
		}
		for _, l := range labelName.FindAllStringSubmatch(m[2], -1) {
			if l[1] != "le" && !slices.Contains(s.labels, l[1]) {
				s.labels = append(s.labels, l[1])
			}
		}
		slices.Sort(s.labels)
		all[name] = s
	}
	return all
}

// base is the metric that a sample belongs to.
func base(sample string, all map[string]series) string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if name, ok := strings.CutSuffix(sample, suffix); ok && all[name].kind == "histogram" {
			return name
		}
	}
	return sample
}

func TestEveryMetricIsDocumentedAndThere(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]series{}
	for _, m := range tableLine.FindAllStringSubmatch(string(readme), -1) {
		s := series{kind: m[3]}
		for _, l := range code.FindAllStringSubmatch(m[4], -1) {
			s.labels = append(s.labels, l[1])
		}
		slices.Sort(s.labels)
		documented[m[2]] = s
		if got := strings.NewReplacer(".", "_").Replace(m[1]); !strings.HasPrefix(m[2], got) {
			t.Errorf("%s does not become %s", m[1], m[2])
		}
	}
	all := scraped(t)
	if len(documented) == 0 || len(all) == 0 {
		t.Fatalf("%d documented, %d scraped", len(documented), len(all))
	}
	for name, want := range documented {
		if got, ok := all[name]; !ok {
			t.Errorf("%s is documented and not measured", name)
		} else if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s is documented as %v and measured as %v", name, want, got)
		}
	}
	for name := range all {
		if _, ok := documented[name]; !ok {
			t.Errorf("%s is measured and not documented", name)
		}
	}
}

// rules are the file of alert rules, as far as it matters here.
type rules struct {
	Groups []struct {
		Rules []struct {
			Record, Alert, Expr string
			Annotations, Labels map[string]string
		}
	}
}

func readRules(t *testing.T) rules {
	t.Helper()
	data, err := os.ReadFile("alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var r rules
	if err := yaml.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

type query struct{ where, expr string }

func queries(t *testing.T) []query {
	t.Helper()
	var out []query
	for _, g := range readRules(t).Groups {
		for _, r := range g.Rules {
			out = append(out, query{r.Record + r.Alert, r.Expr})
		}
	}
	data, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			ID            int
			Type, Title   string
			GridPos       struct{ X, Y, W, H int }
			Targets       []struct{ Expr string }
			Panels        []any
			FieldConfig   struct{ Defaults struct{ Unit string } }
			Datasource    *struct{ UID string }
			Description   string
			LibraryPanels any
		}
		Templating struct{ List []struct{ Name string } }
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&d); err != nil {
		t.Fatal(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		t.Error("the dashboard has something behind its end")
	}
	if len(d.Templating.List) != 1 || d.Templating.List[0].Name != "datasource" {
		t.Error("the dashboard does not let people choose where it looks")
	}
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 || p.GridPos.W < 1 {
			t.Errorf("panel %q lies wrong: %+v", p.Title, p.GridPos)
		}
		ids[p.ID] = true
		if p.Type == "row" {
			continue
		}
		if len(p.Targets) == 0 || p.Datasource == nil || p.Datasource.UID != "${datasource}" {
			t.Errorf("panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			out = append(out, query{p.Title, target.Expr})
		}
	}
	return out
}

var (
	identifier = regexp.MustCompile(`[a-zA-Z_][a-zA-Z0-9_:]*`)
	selector   = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}`)
	matcher    = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)\s*[=!]`)
	grouping   = regexp.MustCompile(`by \(([^)]*)\)`)
	quoted     = regexp.MustCompile(`"[^"]*"`)
)

// TestQueriesNameWhatExists: a typing error in a rule is an alert that never fires.
func TestQueriesNameWhatExists(t *testing.T) {
	all := scraped(t)
	recorded := map[string]bool{}
	for _, g := range readRules(t).Groups {
		for _, r := range g.Rules {
			if r.Record != "" {
				recorded[r.Record] = true
			}
		}
	}
	used := map[string]bool{}
	for _, q := range queries(t) {
		var labels []string // of all metrics in the query
		n := 0
		for _, name := range identifier.FindAllString(quoted.ReplaceAllString(q.expr, ""), -1) {
			switch {
			case strings.Contains(name, ":"):
				if n++; !recorded[name] {
					t.Errorf("%s: nobody records %s", q.where, name)
				}
			case ours(name) && !strings.HasPrefix(name, "gen_ai_token") && name != "gen_ai_operation_name":
				n++
				s, ok := all[base(name, all)]
				if !ok || s.kind == "histogram" && base(name, all) == name {
					t.Errorf("%s: there is no %s", q.where, name)
				}
				used[base(name, all)] = true
				labels = append(labels, s.labels...)
			case name == "go_goroutines" || name == "process_resident_memory_bytes":
				n++
			}
		}
		if n == 0 {
			t.Errorf("%s: %s names no metric", q.where, q.expr)
		}
		for _, s := range selector.FindAllStringSubmatch(q.expr, -1) {
			for _, m := range matcher.FindAllStringSubmatch(quoted.ReplaceAllString(s[2], ""), -1) {
				if !slices.Contains(all[base(s[1], all)].labels, m[1]) {
					t.Errorf("%s: %s has no label %s", q.where, s[1], m[1])
				}
			}
		}
		for _, g := range grouping.FindAllStringSubmatch(q.expr, -1) {
			for _, l := range strings.Split(g[1], ",") {
				if l = strings.TrimSpace(l); l != "le" && !slices.Contains(labels, l) {
					t.Errorf("%s: no metric of it has a label %s", q.where, l)
				}
			}
		}
	}
	for name := range all {
		if !used[name] {
			t.Errorf("%s is measured, and neither an alert nor the dashboard shows it", name)
		}
	}
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed, so the rules were not run (Debian: apt-get install prometheus)")
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPromtoolAcceptsTheRules(t *testing.T) { promtool(t, "check", "rules", "alerts.yaml") }

func TestRulesDoWhatTheySay(t *testing.T) { promtool(t, "test", "rules", "rules.test.yaml") }

// TestEveryAlertIsTested: each fires in one test and stays silent in another.
func TestEveryAlertIsTested(t *testing.T) {
	data, err := os.ReadFile("rules.test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tests []struct {
			Rules []struct {
				Alertname string `yaml:"alertname"`
				Alerts    []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, r := range test.Rules {
			if len(r.Alerts) > 0 {
				fires[r.Alertname] = true
			} else {
				silent[r.Alertname] = true
			}
		}
	}
	n := 0
	for _, g := range readRules(t).Groups {
		for _, r := range g.Rules {
			if r.Alert == "" {
				continue
			}
			n++
			if !fires[r.Alert] || !silent[r.Alert] {
				t.Errorf("%s: fires in a test %v, is silent in one %v", r.Alert, fires[r.Alert], silent[r.Alert])
			}
			if s := r.Labels["severity"]; s != "page" && s != "ticket" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s has no severity, summary or description", r.Alert)
			}
		}
	}
	if n < 10 {
		t.Errorf("%d alerts", n)
	}
}

// TestDashboardIsPromQL: promtool parses every query as a rule.
func TestDashboardIsPromQL(t *testing.T) {
	var b strings.Builder
	b.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for i, q := range queries(t) {
		fmt.Fprintf(&b, "  - record: dashboard:%d\n    expr: %q\n", i, strings.ReplaceAll(q.expr, "$__rate_interval", "5m"))
	}
	path := filepath.Join(t.TempDir(), "dashboard.yaml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", path)
}
