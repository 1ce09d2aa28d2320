package workflow

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	headSHA = "1111111111111111111111111111111111111111"
	baseSHA = "2222222222222222222222222222222222222222"
)

// pullEvent is the event of a pull request from a branch of a repository; "" stands for a fork that was deleted.
func pullEvent(branch, from string) string {
	repo := "null"
	if from != "" {
		repo = `{"full_name":"` + from + `"}`
	}
	return `{"action":"opened","number":7,"pull_request":{"number":7,"head":{"ref":"` + branch + `","sha":"` + headSHA + `","repo":` + repo +
		`},"base":{"ref":"main","sha":"` + baseSHA + `","repo":{"full_name":"acme/shop"}}}}`
}

// environment makes a lookup of variables, with an event file where there is one.
func environment(t *testing.T, event, body string, more map[string]string) func(string) string {
	t.Helper()
	dir := t.TempDir()
	vars := map[string]string{
		"GITHUB_EVENT_NAME": event, "GITHUB_REPOSITORY": "acme/shop", "GITHUB_WORKSPACE": dir, "RUNNER_TEMP": dir,
		"GITHUB_OUTPUT": filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(dir, "summary"),
	}
	if body != "" {
		vars["GITHUB_EVENT_PATH"] = filepath.Join(dir, "event.json")
		if err := os.WriteFile(vars["GITHUB_EVENT_PATH"], []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for k, v := range more {
		vars[k] = v
	}
	return func(name string) string { return vars[name] }
}

func TestAdmit(t *testing.T) {
	run := func(from string) string {
		return `{"workflow_run":{"head_repository":{"full_name":"` + from + `"}}}`
	}
	for _, tc := range []struct{ name, event, body, says string }{
		{"own pull request", "pull_request", pullEvent("topic", "acme/shop"), ""},
		{"own pull request, other case", "pull_request", pullEvent("topic", "Acme/Shop"), ""},
		{"fork", "pull_request", pullEvent("topic", "mallory/shop"), `the fork "mallory/shop"`},
		{"deleted fork", "pull_request", pullEvent("topic", ""), "a fork that is gone"},
		{"review of a fork", "pull_request_review", pullEvent("topic", "mallory/shop"), "refuses pull requests from forks"},
		{"target", "pull_request_target", pullEvent("topic", "acme/shop"), "refuses pull_request_target"},
		{"run of a fork", "workflow_run", run("mallory/shop"), "refuses pull requests from forks"},
		{"own run", "workflow_run", run("acme/shop"), ""},
		{"by hand", "workflow_dispatch", `{"inputs":{}}`, ""},
		{"schedule without a file", "schedule", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e, err := ReadEvent(environment(t, tc.event, tc.body, nil))
			if err != nil {
				t.Fatal(err)
			}
			err = e.Admit()
			if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
		})
	}
}

func TestEventsThatAreNone(t *testing.T) {
	for _, tc := range []struct{ name, event, body, says string }{
		{"not JSON", "push", "{", "event:"},
		{"no pull request", "pull_request", "{}", "without a pull request"},
		{"no commits", "pull_request", strings.ReplaceAll(pullEvent("x", "acme/shop"), headSHA, "--upload-pack=x"), "names no commits"},
		{"not in a workflow", "", "", "use the action in a GitHub Actions workflow"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := ReadEvent(environment(t, tc.event, tc.body, nil))
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
		})
	}
}

func FuzzEvent(f *testing.F) {
	for _, seed := range []string{pullEvent("topic", "acme/shop"), pullEvent("topic", ""), `{}`, `null`, `{"workflow_run":{}}`, `[]`} {
		f.Add("pull_request", []byte(seed))
		f.Add("workflow_run", []byte(seed))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		e := Event{Name: name, Repository: "acme/shop"}
		if e.parse(data) != nil || e.Admit() != nil {
			return
		}
		if e.Number != 0 && (!commitHash.MatchString(e.Head.SHA) || !commitHash.MatchString(e.Base.SHA)) {
			t.Errorf("admitted %+v", e)
		}
	})
}
