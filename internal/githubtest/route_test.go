package githubtest_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/remediator/remediator/internal/githubtest"
)

func TestMatch(t *testing.T) {
	const at = "/repos/{owner}/{repo}"
	for _, tc := range []struct {
		template, path string
		want           map[string]string
	}{
		{at, "/repos/a/b", map[string]string{"owner": "a", "repo": "b"}},
		{at, "/repos/a", nil},
		{at, "/repos/a/b/c", nil},
		{at + "/git/ref/{ref}", "/repos/a/b/git/ref/heads/x/y", map[string]string{"owner": "a", "repo": "b", "ref": "heads/x/y"}},
		{at + "/commits/{ref}/check-runs", "/repos/a/b/commits/x/y/check-runs", map[string]string{"owner": "a", "repo": "b", "ref": "x/y"}},
		{at + "/compare/{basehead}", "/repos/a/b/compare/main...x%2Fy", map[string]string{"owner": "a", "repo": "b", "basehead": "main...x/y"}},
		{at + "/labels/{name}", "/repos/a/b/labels/sev%201", map[string]string{"owner": "a", "repo": "b", "name": "sev 1"}},
		{at + "/labels/{name}", "/repos/a/b/labels/", nil},
	} {
		got, fits := githubtest.Match(tc.template, tc.path)
		if fits != (tc.want != nil) || fits && !maps.Equal(got, tc.want) {
			t.Errorf("Match(%s, %s) = %v, %v; want %v", tc.template, tc.path, got, fits, tc.want)
		}
	}
}

// TestMatchPutsTogetherAgain: filling the variables into the template gives the path back.
func TestMatchPutsTogetherAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(githubtest.RouteNames()).Draw(t, "route")
		_, template, _ := strings.Cut(name, " ")
		path := template
		for strings.Contains(path, "{") {
			open, end := strings.Index(path, "{"), strings.Index(path, "}")
			value := rapid.StringMatching(`[a-z0-9.-]{1,8}`).Draw(t, "value")
			if path[open:end+1] == "{ref}" {
				value += rapid.SampledFrom([]string{"", "/x", "/y/z"}).Draw(t, "more")
			}
			path = path[:open] + value + path[end+1:]
		}
		args, fits := githubtest.Match(template, path)
		if !fits {
			t.Fatalf("%s does not match %s", path, template)
		}
		again := template
		for k, v := range args {
			again = strings.ReplaceAll(again, "{"+k+"}", v)
		}
		if again != path {
			t.Fatalf("%s -> %v -> %s", path, args, again)
		}
	})
}

func TestOverlayKeepsWhatTheStateDoesNotSay(t *testing.T) {
	base := map[string]any{"a": 1, "b": map[string]any{"c": 2, "d": nil}, "l": []any{1, 2}}
	got := githubtest.Overlay(base, map[string]any{"b": map[string]any{"d": 3}, "l": []any{}, "a": nil})
	want := map[string]any{"a": nil, "b": map[string]any{"c": 2, "d": 3}, "l": []any{}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// FuzzCalls sends bodies of any kind to calls that write; the stand-in must answer, and with JSON.
func FuzzCalls(f *testing.F) {
	for _, seed := range []string{`{}`, `null`, `[]`, `{"tree":[{"path":"a","mode":"100644","sha":null}]}`, `{"ref":"refs/heads/../x","sha":"` + strings.Repeat("0", 40) + `"}`, `{"title":1}`, `"x"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 1<<16 {
			return
		}
		s, _ := start(t, githubtest.Options{Undescribed: true})
		c := with(t, s, nil).WithAuthToken(s.InstallationToken(shop))
		for _, path := range []string{"git/trees", "git/refs", "git/commits", "pulls", "check-runs", "labels"} {
			var raw json.RawMessage
			if json.Valid(body) {
				raw = body
			}
			if err := do(t, c, "POST", "repos/acme/shop/"+path, raw); err != nil && status(err) == 0 {
				t.Errorf("%s: %v", path, err)
			}
		}
	})
}
