package github_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/remediator/remediator/internal/github"
)

func TestManifestAsksForNoMoreThanTheTable(t *testing.T) {
	m, err := github.NewManifest("https://remediator.example.com/", "remediator-acme")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Public      bool              `json:"public"`
		Hook        map[string]any    `json:"hook_attributes"`
		Permissions map[string]string `json:"default_permissions"`
		Events      []string          `json:"default_events"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"metadata": "read", "contents": "write", "pull_requests": "write", "checks": "write", "statuses": "write", "issues": "read"}
	if fmt.Sprint(got.Permissions) != fmt.Sprint(want) {
		t.Errorf("permissions %v, want %v", got.Permissions, want)
	}
	if got.Public || got.Hook["url"] != "https://remediator.example.com/webhooks/github" || got.Hook["active"] != true {
		t.Errorf("%s", raw)
	}
	for _, p := range github.Never() {
		if _, asked := got.Permissions[p.Name]; asked {
			t.Errorf("asks for %s, which it never does", p.Name)
		}
	}
	if len(got.Events) != len(github.Events()) {
		t.Errorf("events %v", got.Events)
	}
	for _, bad := range [][2]string{{"remediator.example.com", "x"}, {"ftp://x", "x"}, {"https://u:p@x", "x"}, {"https://x?y", "x"}, {"https://x", ""}, {"https://x", strings.Repeat("n", 35)}} {
		if _, err := github.NewManifest(bad[0], bad[1]); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
}

func TestManifestPageCannotBeInjected(t *testing.T) {
	m, err := github.NewManifest("https://remediator.example.com", `x"><script>alert(1)`)
	if err != nil {
		t.Fatal(err)
	}
	page, err := m.Page("https://github.com", "acme")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(page), "<script") || !strings.Contains(string(page), `action="https://github.com/organizations/acme/settings/apps/new"`) {
		t.Errorf("%s", page)
	}
	for _, bad := range [][2]string{{"javascript:alert(1)", ""}, {"https://github.com", "a/b"}, {"github.com", ""}} {
		if _, err := m.Page(bad[0], bad[1]); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
}

func TestDocumentShowsThePermissions(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "github-app.md")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?s)<!-- permissions -->\n(.*)<!-- /permissions -->`).FindSubmatch(raw)
	if found == nil || string(found[1]) != github.PermissionTable() {
		t.Errorf("%s differs from the table that the App is made from; put there:\n%s", path, github.PermissionTable())
	}
}

func TestAppIsCreatedFromACode(t *testing.T) {
	w := newWorld(t)
	app, err := github.CreateApp(t.Context(), github.Options{URL: w.APIURL()}, w.ManifestCode())
	if err != nil {
		t.Fatal(err)
	}
	if app.ID == 0 || !strings.Contains(string(app.PrivateKey), "PRIVATE KEY") {
		t.Errorf("App %d %s without its secrets", app.ID, app.Slug)
	}
	for _, code := range []string{"", "a/b", "../x", "never-issued"} {
		if _, err := github.CreateApp(t.Context(), github.Options{URL: w.APIURL()}, code); err == nil {
			t.Errorf("code %q was accepted", code)
		}
	}
}

func TestPageThatGitHubRedirectsTo(t *testing.T) {
	for query, want := range map[string]int{"?code=abc_123-x": 200, "": 400, "?code=%3Cscript%3E": 400, "?code=a%20b": 400} {
		w := httptest.NewRecorder()
		github.CreatedPage().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/app/created"+query, nil))
		if w.Code != want || strings.Contains(w.Body.String(), "<") || want == 200 && !strings.Contains(w.Body.String(), "--code abc_123-x") {
			t.Errorf("%q: %d %s", query, w.Code, w.Body)
		}
	}
}
