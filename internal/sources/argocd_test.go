package sources

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const argoHash = "1a2b3c4d5e6f70819293a4b5c6d7e8f901234567"

// Two applications as Argo CD's API shows them, shortened: one of a repository, one of a chart with values from another
// source, whose last sync failed.
const argoList = `{"metadata":{"resourceVersion":"81"},"items":[
{"metadata":{"name":"cart-prod","namespace":"argocd","labels":{"app.kubernetes.io/name":"cart"}},
 "spec":{"project":"shop","destination":{"server":"https://kubernetes.default.svc","namespace":"shop"}},
 "status":{"history":[
  {"id":0,"revision":"` + argoHash + `","deployedAt":"2026-03-01T09:00:05Z","deployStartedAt":"2026-03-01T09:00:00Z","source":{"repoURL":"https://git.example/shop.git","path":"cart","targetRevision":"v1.2.0"}},
  {"id":1,"revision":"ffff3c4d5e6f70819293a4b5c6d7e8f901234567","deployedAt":"2026-03-02T12:10:00Z","source":{"repoURL":"https://git.example/shop.git","path":"cart","targetRevision":"HEAD"}}],
  "operationState":{"phase":"Succeeded","startedAt":"2026-03-02T12:09:50Z","syncResult":{"revision":"ffff3c4d5e6f70819293a4b5c6d7e8f901234567","source":{}}},
  "summary":{"images":["registry.example/cart:1.3.0"]}}},
{"metadata":{"name":"queue","namespace":"argocd"},"spec":{"destination":{"namespace":"infra"}},
 "status":{"history":[{"id":7,"revisions":["4.1.2","` + argoHash + `"],"deployedAt":"2026-03-02T12:20:00Z",
   "sources":[{"repoURL":"https://charts.example","chart":"nats","targetRevision":"4.1.*"},{"repoURL":"https://git.example/values.git","ref":"values","targetRevision":"main"}]}],
  "operationState":{"phase":"Failed","startedAt":"2026-03-02T12:30:00Z","syncResult":{"revision":"","revisions":["4.2.0","` + argoHash + `"],"sources":[{"chart":"nats"},{}]}}}}]}`

// argoOf is a server that takes what the OpenAPI document of Argo CD 3.6 allows and nothing else.
func argoOf(t *testing.T, o ArgoCDOptions, answer http.HandlerFunc) *ArgoCD {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/api/v1/applications" {
			t.Errorf("%s %s is not asked for by anybody", r.Method, r.URL)
		}
		for name := range r.URL.Query() {
			if name != "selector" {
				t.Errorf("parameter %s is not documented", name)
			}
		}
		if r.Header.Get("Authorization") != "Bearer argo-token" {
			http.Error(w, `{"error":"no session information","code":16,"message":"no session information"}`, http.StatusUnauthorized)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	c := testClient(t, "argocd", server.URL)
	c.o.Token = "argo-token"
	return NewArgoCD(c, o)
}

func argoText(t *testing.T, a *ArgoCD, w Window) string {
	t.Helper()
	deploys, err := a.Deploys(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range deploys {
		out = append(out, fmt.Sprintf("%s %s %.4s %s", d.Time.Format(time.RFC3339), d.Service, d.SHA, d.Version))
	}
	return strings.Join(out, "\n")
}

func TestArgoCDSaysWhatWasSynced(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, argoList) }
	week := Window{testNoon.Add(-7 * 24 * time.Hour), testNoon.Add(time.Hour)}
	for name, c := range map[string]struct {
		o    ArgoCDOptions
		w    Window
		want string
	}{
		"all": {ArgoCDOptions{Selector: "team=shop"}, week, "2026-03-01T09:00:00Z cart 1a2b v1.2.0\n2026-03-02T12:10:00Z cart ffff \n" +
			"2026-03-02T12:20:00Z queue 1a2b 4.1.2\n2026-03-02T12:30:00Z queue 1a2b 4.2.0"},
		"a namespace": {ArgoCDOptions{Namespaces: []string{"shop"}}, hourFrom(testNoon), "2026-03-02T12:10:00Z cart ffff "},
		"the window":  {ArgoCDOptions{}, Window{testNoon.Add(10 * time.Minute), testNoon.Add(20 * time.Minute)}, "2026-03-02T12:10:00Z cart ffff "},
	} {
		if got := argoText(t, argoOf(t, c.o, answer), c.w); got != c.want {
			t.Errorf("%s: roll-outs are\n%s, want\n%s", name, got, c.want)
		}
	}
	if got := argoText(t, argoOf(t, ArgoCDOptions{}, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"metadata":{},"items":null}`) }), week); got != "" {
		t.Errorf("roll-outs of nothing are %q", got)
	}
}

func TestArgoCDFaults(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"login page":   {"<html>log in</html>", "a page instead of JSON"},
		"wrong JSON":   {`{"status":"success"}`, "without a list of applications"},
		"half JSON":    {`{"items":[{`, "not the expected JSON"},
		"deep nesting": {`{"items":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}", "nested too deeply"},
		"wrong times":  {`{"items":[{"status":{"history":[{"deployedAt":"yesterday"}]}}]}`, "not the expected JSON"},
	} {
		_, err := argoOf(t, ArgoCDOptions{}, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, c.body) }).Deploys(t.Context(), hourFrom(testNoon))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	a := argoOf(t, ArgoCDOptions{}, nil)
	a.c.o.Token = "expired"
	var status *StatusError
	if _, err := a.Deploys(t.Context(), hourFrom(testNoon)); !errors.As(err, &status) || status.Status != http.StatusUnauthorized {
		t.Errorf("error is %v", err)
	}
	many := `{"items":[` + strings.Repeat(`{"metadata":{"name":"a"}},`, mostApplications) + `{}]}`
	var part *Incomplete
	if _, err := argoOf(t, ArgoCDOptions{}, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, many) }).Deploys(t.Context(), hourFrom(testNoon)); !errors.As(err, &part) || !strings.Contains(err.Error(), "set a selector") {
		t.Errorf("error is %v", err)
	}
}
