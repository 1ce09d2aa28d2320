package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/internal/bundle"
	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/otlp"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
	"github.com/remediator/remediator/telemetry"
)

// replayedAlert is a Prometheus and a Loki that answer as they did around an alert that was recorded from real ones, as if
// it had begun an hour ago.
type replayedAlert struct {
	url   string
	body  []byte    // of the alert
	began time.Time // of the alert
}

// replayedAnswer is one answer, and the time that was asked for.
type replayedAnswer struct {
	at     float64
	status int
	kind   string
	text   string
}

var (
	recordedTimes = regexp.MustCompile(`\b(179[45][0-9]{6})([0-9]{9})?\b`) // seconds or nanoseconds of the days of the recording
	queriedRange  = regexp.MustCompile(`\[[0-9]+s\]`)
)

// request is what is asked apart from when, and when. Windows may be a little longer than those of the recording.
func request(method, path string, v url.Values) (what string, at float64) {
	for _, name := range []string{"start", "time"} {
		if n, err := strconv.ParseFloat(v.Get(name), 64); err == nil && at == 0 {
			at = n
		}
	}
	if at > 1e15 {
		at /= 1e9
	}
	for _, name := range []string{"start", "end", "time", "step"} {
		v.Del(name)
	}
	return queriedRange.ReplaceAllString(method+" "+path+" "+v.Get("query"), "[]") + " " + v.Get("limit") + v.Get("match[]"), at
}

func replayAlert(t *testing.T) replayedAlert {
	t.Helper()
	from := filepath.Join("..", "..", "internal", "sources", "testdata")
	text, err := os.ReadFile(filepath.Join(from, "alert.json"))
	if err != nil {
		t.Fatal(err)
	}
	var kept struct{ Alert string }
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	recorded, err := time.Parse(time.RFC3339Nano, startsAt.FindStringSubmatch(kept.Alert)[1])
	if err != nil {
		t.Fatal(err)
	}
	by := time.Since(recorded).Truncate(time.Second) - time.Hour
	a := replayedAlert{began: recorded.Add(by)}
	a.body = startsAt.ReplaceAll([]byte(kept.Alert), fmt.Appendf(nil, `"startsAt":"%s"`, a.began.UTC().Format(time.RFC3339Nano)))
	shifted := func(s string) string {
		return recordedTimes.ReplaceAllStringFunc(s, func(m string) string {
			seconds, _ := strconv.ParseInt(m[:10], 10, 64)
			return strconv.FormatInt(seconds+int64(by/time.Second), 10) + m[10:]
		})
	}
	packed, err := os.Open(filepath.Join(from, "alert.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	z, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	if text, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	answers := map[string][]replayedAnswer{}
	for line := range bytes.Lines(text) {
		var e struct {
			Request, Sent, Type, Answer string
			Status                      int
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		method, target, _ := strings.Cut(e.Request, " ")
		u, err1 := url.Parse(shifted(target))
		v, err2 := url.ParseQuery(shifted(e.Sent))
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		for name, values := range u.Query() {
			v[name] = values
		}
		what, at := request(method, u.Path, v)
		answers[what] = append(answers[what], replayedAnswer{at, e.Status, e.Type, shifted(e.Answer)})
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		what, at := request(r.Method, r.URL.Path, r.Form)
		var nearest *replayedAnswer
		for i, other := range answers[what] {
			if nearest == nil || math.Abs(other.at-at) < math.Abs(nearest.at-at) {
				nearest = &answers[what][i]
			}
		}
		if nearest == nil {
			t.Errorf("%q was not recorded", what)
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", nearest.kind)
		w.WriteHeader(nearest.status)
		_, _ = io.WriteString(w, nearest.text)
	}))
	t.Cleanup(s.Close)
	a.url = s.URL
	return a
}

// sources names the servers in a configuration, with the windows of the recording.
func (a replayedAlert) sources() string {
	return fmt.Sprintf("sources:\n  logs: {kind: loki, url: %q}\n  metrics: {kind: prometheus, url: %q}\n  window: {lead: 20s, length: 40s}\n", a.url, a.url)
}

// ledgerRepository is a repository of the service that the alert is about, as it was two hours ago.
func ledgerRepository(t *testing.T, sources string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		".remediator.yaml": "services: {ledger: {paths: [ledger], test: [\"true\"]}}\n" + sources,
		"go.mod":           "module example.org/books\n\ngo 1.26\n",
		"ledger/ledger.go": `// Package ledger books.
package ledger

import (
	"errors"
	"log/slog"
)

// Book books within one of the connections of a pool.
func Book(pool chan struct{}) error {
	select {
	case <-pool:
		return nil
	default:
		slog.Error("no connection left in the pool")
		return errors.New("unavailable")
	}
}
`,
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Now().Add(-2 * time.Hour).Format(time.RFC3339)
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"}, {"-c", "user.name=Books", "-c", "user.email=books@example.org", "commit", "-qm", "Book"}} {
		git := exec.Command("git", args...)
		git.Dir, git.Env = dir, append(os.Environ(), "GIT_AUTHOR_DATE="+at, "GIT_COMMITTER_DATE="+at)
		if out, err := git.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v %s", args, err, out)
		}
	}
	return dir
}

// runAlert runs with an alert alone, and looks for what stays behind in the directory of temporary files.
func runAlert(t *testing.T, alert []byte, repo, out string) (code int, stdout, stderr string) {
	t.Helper()
	tmp, file := t.TempDir(), filepath.Join(t.TempDir(), "alert.json")
	if err := os.WriteFile(file, alert, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", tmp)
	code, stdout, stderr = remediatorCommand(t, "run", "--alert", file, "--repo", repo, "--out", out, "--allow-weak-sandbox")
	noRest(t, tmp)
	return code, stdout, stderr
}

func TestRunFetchesTheTelemetryOfAnAlert(t *testing.T) {
	a := replayAlert(t)
	out := filepath.Join(t.TempDir(), "case")
	code, stdout, stderr := runAlert(t, a.body, ledgerRepository(t, a.sources()), out)
	if code != exitDeclined && code != exitOK {
		t.Fatalf("exit code %d\n%s\n%s", code, stdout, stderr)
	}
	for _, want := range []string{"prometheus at " + a.url + ": incident: ", "loki at " + a.url + ": incident: ", "compared with the stretch right before the incident", "missing: no server of traces is named"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("it does not say %q:\n%s", want, stderr)
		}
	}
	c := loadCase(t, out)
	if c.State != remedy.Declined && c.State != remedy.Proposed || len(c.Suspects) == 0 || c.Suspects[0].Service != "ledger" {
		t.Errorf("the case is %s with suspects %+v", c.State, c.Suspects)
	}
	if page, err := os.ReadFile(filepath.Join(out, "report.html")); err != nil || !bytes.Contains(page, []byte("ledger")) {
		t.Errorf("the report is %.200s (%v)", page, err)
	}
}

func TestRunWithoutTelemetryLeavesNothingBehind(t *testing.T) {
	t.Setenv("FETCH_TEST_TOKEN", "s3same")
	loki, prometheus := servers(t, false)
	for name, c := range map[string]struct {
		sources, want string
		code          int
	}{
		"servers without anything": {sourcesText(loki, prometheus), "no telemetry of the incident was to be had", exitNo},
		"no sources":               {"", "--incident is required", exitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "case")
			_, alert := asked(t, "")
			body, err := os.ReadFile(alert)
			if err != nil {
				t.Fatal(err)
			}
			code, _, stderr := runAlert(t, body, ledgerRepository(t, c.sources), out)
			if code != c.code || !strings.Contains(stderr, c.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s", code, c.code, c.want, stderr)
			}
			if _, err := os.Stat(out); !os.IsNotExist(err) {
				t.Errorf("there is a case: %v", err)
			}
		})
	}
}

// received is a window of telemetry that holds one record, which a service sent by OTLP.
func received(t *testing.T, at time.Time) *otlp.Window {
	t.Helper()
	ring := otlp.NewRing(1<<20, 24*time.Hour, time.Now)
	r, err := otlp.NewReceiver(ring, otlp.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- r.Serve(t.Context(), nil, l) }()
	t.Cleanup(func() { <-done }) // the context of a test ends before its cleanup
	body := fmt.Sprintf(`{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"sender"}}]},"scopeLogs":[{"logRecords":[{"timeUnixNano":"%d","severityNumber":17,"body":{"stringValue":"it broke"}}]}]}]}`, at.UnixNano())
	resp, err := http.Post("http://"+l.Addr().String()+"/v1/logs", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		t.Fatalf("OTLP: %s %s", resp.Status, text)
	}
	w, err := otlp.NewWindow(ring, otlp.WindowOptions{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// A service that names sources works on what they have, and on what it received where they have nothing, and says so.
func TestServiceTakesEvidenceFromItsSources(t *testing.T) {
	t.Setenv("FETCH_TEST_TOKEN", "s3same")
	a := replayAlert(t)
	loki, prometheus := servers(t, false)
	for name, c := range map[string]struct {
		sources, service string
		fallsBack        bool
	}{
		"sources":                  {a.sources(), "ledger", false},
		"sources without anything": {sourcesText(loki, prometheus), "sender", true},
		"sources without a server": {"sources: {deployments: [{kind: git-tags}]}\n", "sender", true},
		"no sources":               {"", "sender", false},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "serve.yaml")
			if err := os.WriteFile(file, []byte("otlp: {settle: 1s}\nalerts: {am: {format: alertmanager}}\n"+c.sources), 0o600); err != nil {
				t.Fatal(err)
			}
			conf, err := config.LoadServer(file)
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			s := &service{log: slog.New(slog.NewTextHandler(&log, nil))}
			s.conf.Store(&conf)
			in, err := incident.Parse(a.body)
			if err != nil {
				t.Fatal(err)
			}
			to, err := newDrawn(filepath.Join(t.TempDir(), "drawn"), a.body)
			if err != nil {
				t.Fatal(err)
			}
			ev, err := s.evidence(t.Context(), received(t, in.StartsAt), &docket.Record{Fingerprint: "f1", Incident: in}, a.body, to)
			if err != nil {
				t.Fatal(err)
			}
			records := map[string]int{}
			for _, l := range ev.Incident.Logs {
				records[l.Resource.Service]++
			}
			if other := map[string]string{"ledger": "sender", "sender": "ledger"}[c.service]; records[c.service] == 0 || records[other] != 0 {
				t.Errorf("records are of %v; missing %v", records, ev.Missing)
			}
			noted := false
			for _, n := range ev.Incident.Notes {
				noted = noted || n == telemetry.Note{Code: "sources", Text: n.Text, Count: 1} && strings.Contains(n.Text, "nothing was to be had of the configured sources")
			}
			if warned := strings.Contains(log.String(), "level=WARN"); noted != c.fallsBack || warned != c.fallsBack {
				t.Errorf("noted: %v, warned: %v\n%s\n%+v", noted, warned, log.String(), ev.Incident.Notes)
			}
			// What is kept with the case is what was worked on.
			kept, err := bundle.Load(to.dir, bundle.Limits{})
			if err != nil || len(kept.Evidence.Incident.Logs) != len(ev.Incident.Logs) || kept.Alert == nil {
				t.Errorf("kept is %+v (%v)", kept, err)
			}
		})
	}
}
