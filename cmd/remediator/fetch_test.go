package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/internal/bundle"
)

// fetching runs the command and returns its exit code and what it said.
func fetching(t *testing.T, args ...string) (code int, out, said string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = execute(context.Background(), append([]string{"fetch"}, args...), stdio{strings.NewReader(""), &stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

// servers are a Loki with a record in every minute and a Prometheus without anything.
func servers(t *testing.T, records bool) (loki, prometheus string) {
	t.Helper()
	l := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer s3same" {
			http.Error(w, "who is it?", http.StatusUnauthorized)
			return
		}
		from, _ := strconv.ParseInt(r.URL.Query().Get("start"), 10, 64)
		to, _ := strconv.ParseInt(r.URL.Query().Get("end"), 10, 64)
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		var values []string
		for at := from; records && at < to && len(values) < limit; at += int64(time.Minute) {
			values = append(values, fmt.Sprintf(`["%d","level=error msg=\"it broke\""]`, at))
		}
		switch r.URL.Path {
		case "/loki/api/v1/labels":
			fmt.Fprint(w, `{"data":["app"]}`)
		case "/loki/api/v1/query_range":
			fmt.Fprintf(w, `{"data":{"resultType":"streams","result":[{"stream":{"app":"orders"},"values":[%s]}]}}`, strings.Join(values, ","))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(l.Close)
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "query_range"):
			fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[]}}`)
		case strings.HasSuffix(r.URL.Path, "rules"):
			fmt.Fprint(w, `{"status":"success","data":{"groups":[]}}`)
		case strings.HasSuffix(r.URL.Path, "metadata"):
			fmt.Fprint(w, `{"status":"success","data":{}}`)
		default:
			fmt.Fprint(w, `{"status":"success","data":[]}`)
		}
	}))
	t.Cleanup(p.Close)
	return l.URL, p.URL
}

// asked writes an alert and a configuration into a new directory.
func asked(t *testing.T, conf string) (dir, alert string) {
	t.Helper()
	dir = t.TempDir()
	alert = filepath.Join(dir, "alert.json")
	body := fmt.Sprintf(`{"version":"4","groupLabels":{"alertname":"Broken"},"alerts":[{"status":"firing","labels":{"alertname":"Broken","service":"orders"},"startsAt":%q}]}`,
		time.Now().Add(-10*time.Minute).UTC().Format(time.RFC3339))
	for name, text := range map[string]string{alert: body, filepath.Join(dir, ".remediator.yaml"): conf} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, alert
}

const repositoryHead = "services: {orders: {paths: [.], test: [make]}}\n"

func sourcesText(loki, prometheus string) string {
	return fmt.Sprintf("sources:\n  logs: {kind: loki, url: %q, token_env: FETCH_TEST_TOKEN}\n  metrics: {kind: prometheus, url: %q}\n", loki, prometheus)
}

func TestFetchWritesABundle(t *testing.T) {
	t.Setenv("FETCH_TEST_TOKEN", "s3same")
	loki, prometheus := servers(t, true)
	for name, conf := range map[string]string{".remediator.yaml": repositoryHead + sourcesText(loki, prometheus), "serve.yaml": sourcesText(loki, prometheus)} {
		dir, alert := asked(t, conf)
		args := []string{"--alert", alert, "--out", filepath.Join(dir, "new", "bundle"), "--repo", dir}
		if name != ".remediator.yaml" {
			args = []string{"--alert", alert, "--out", filepath.Join(dir, "new", "bundle"), "--config", filepath.Join(dir, ".remediator.yaml")}
		}
		code, out, said := fetching(t, args...)
		if code != exitOK {
			t.Fatalf("%s: exit code %d: %s", name, code, said)
		}
		if !strings.Contains(out, "log records") || !strings.Contains(out, "no server of traces is named") || !strings.Contains(out, "a week before") || !strings.Contains(said, "loki at "+loki+": incident: ") {
			t.Errorf("%s: printed\n%s\nsaid\n%s", name, out, said)
		}
		b, err := bundle.Load(filepath.Join(dir, "new", "bundle"), bundle.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(b.Evidence.Incident.Logs); n < 20 || len(b.Evidence.Baseline.Logs) != n || b.Alert == nil {
			t.Errorf("%s: %d and %d records", name, n, len(b.Evidence.Baseline.Logs))
		}
		var sum struct {
			Schema  string   `json:"schema"`
			Missing []string `json:"missing"`
			Reports []any    `json:"reports"`
		}
		text, err := os.ReadFile(filepath.Join(dir, "new", "bundle", "context", "fetch.json"))
		if err != nil || json.Unmarshal(text, &sum) != nil || sum.Schema != "remediator.fetch/v1" || len(sum.Missing) == 0 || len(sum.Reports) != 4 {
			t.Errorf("%s: fetch.json is %s (%v)", name, text, err)
		}
		if strings.Contains(string(text)+out+said, "s3same") {
			t.Error("the token is told")
		}
		// Once more: what is there stays as it is.
		code, _, said = fetching(t, args...)
		if code != exitInput || !strings.Contains(said, "nothing is overwritten") {
			t.Errorf("%s: an existing directory: exit code %d: %s", name, code, said)
		}
		noRest(t, filepath.Join(dir, "new"), "bundle")
	}
}

// noRest says that a directory holds what is named and nothing half-done.
func noRest(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("%s holds %q, want %q", dir, got, names)
	}
}

func TestFetchSaysWhyThereIsNothing(t *testing.T) {
	loki, prometheus := servers(t, false)
	usual := repositoryHead + sourcesText(loki, prometheus)
	for _, c := range []struct {
		name, conf, token string
		change            func(args []string, dir string) []string
		code              int
		want              string
	}{
		{"servers without anything", usual, "s3same", nil, exitNo, "no telemetry of the incident was to be had"},
		{"a wrong token", usual, "wrong", nil, exitNo, "401 Unauthorized: who is it?; set the variable of its credentials"},
		{"no token", usual, "", nil, exitInput, "the environment variable FETCH_TEST_TOKEN"},
		{"no sources", repositoryHead, "", nil, exitInput, "add `sources` to it"},
		{"a mistake in the configuration", repositoryHead + "sources: {logs: {kind: lokki, url: \"http://x\"}}\n", "", nil, exitInput, `did you mean "loki"?`},
		{"no configuration", usual, "", func(a []string, dir string) []string { return append(a, "--repo", filepath.Join(dir, "gone")) }, exitInput, "docs/sources.md"},
		{"no alert", usual, "", func(a []string, dir string) []string { return append(a, "--alert", filepath.Join(dir, "gone")) }, exitInput, "alert:"},
		{"no flags", usual, "", func([]string, string) []string { return nil }, exitUsage, "--alert is required"},
		{"no out", usual, "", func(a []string, _ string) []string { return a[:2] }, exitUsage, "--out is required"},
		{"a configuration as alert", usual, "", func(a []string, dir string) []string {
			return append(a, "--alert", filepath.Join(dir, ".remediator.yaml"))
		}, exitInput, "alert body"},
		{"an unknown format", usual, "", func(a []string, _ string) []string { return append(a, "--format", "xml") }, exitUsage, "unknown format"},
		{"an alert of the future", usual, "s3same", func(a []string, dir string) []string {
			text, err := os.ReadFile(filepath.Join(dir, "alert.json"))
			if err != nil {
				t.Fatal(err)
			}
			later := regexp.MustCompile(`"startsAt":"[^"]*"`).ReplaceAll(text, fmt.Appendf(nil, `"startsAt":%q`, time.Now().Add(48*time.Hour).UTC().Format(time.RFC3339)))
			if err := os.WriteFile(filepath.Join(dir, "alert.json"), later, 0o600); err != nil {
				t.Fatal(err)
			}
			return a
		}, exitInput, "which is in the future"},
		// Parents that were made for nothing go again.
		{"parents that are not there", usual, "s3same", func(a []string, dir string) []string {
			return append(a, "--out", filepath.Join(dir, "a", "b", "bundle"))
		}, exitNo, "no telemetry of the incident was to be had"},
		{"a directory as alert", usual, "s3same", func(a []string, dir string) []string { return append(a, "--alert", dir) }, exitInput, "is a directory: name a file"},
		{"git tags without a repository", repositoryHead + "sources: {logs: {kind: loki, url: \"http://127.0.0.1:1\"}, deployments: [{kind: git-tags}]}\n", "", nil, exitInput, "no repository is known"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("FETCH_TEST_TOKEN", c.token)
			dir, alert := asked(t, c.conf)
			args := []string{"--alert", alert, "--out", filepath.Join(dir, "bundle"), "--repo", dir}
			if c.change != nil {
				args = c.change(args, dir)
			}
			code, _, said := fetching(t, args...)
			if code != c.code || !strings.Contains(said, c.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s", code, c.code, c.want, said)
			}
			noRest(t, dir, ".remediator.yaml", "alert.json")
		})
	}
}

// Mistakes are those of the file that --config names, by the kind of configuration that it is.
func TestFetchNamesTheConfigurationThatIsWrong(t *testing.T) {
	dir, alert := asked(t, "")
	for name, c := range map[string]struct{ text, want string }{
		"other.yaml":  {repositoryHead + "sources: {logs: {kind: lokki, url: \"http://x\"}}\n", "other.yaml:2:"},
		"serve.yaml":  {"listen: 127.0.0.1:1\nworkers: 2\nsources: {logs: {kind: lokki, url: \"http://x\"}}\n", "serve.yaml:3:"},
		"binary.yaml": {"\x00\x01", "binary.yaml:1:"},
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		code, _, said := fetching(t, "--alert", alert, "--out", filepath.Join(dir, "bundle"), "--config", file)
		if code != exitInput || !strings.Contains(said, c.want) || strings.Contains(said, ".remediator.yaml") {
			t.Errorf("%s: exit code %d: %s", name, code, said)
		}
	}
}

func TestMessagesDoNotDriveTheTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain, über, 日本\n\tnext":        "plain, über, 日本\n\tnext",
		"a\x1b[31mred\x1b]0;title\x07\r": "a[31mred]0;title",
		"x\u202egnp.exe\u2066\u200b\x7f": "xgnp.exe",
	} {
		if got := harmless(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
