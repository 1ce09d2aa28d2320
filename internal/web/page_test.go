package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
	"github.com/remediator/remediator/replay"
)

// hostile is what an attacker may put into a header that ends up in telemetry.
const hostile = "\"><script>alert(1)</script><img src=x onerror=alert(2)> \u202egnp.exe\u202c {{.}} javascript:alert(3) \x1b[31m\u2028' onload='x"

// workedOut stores a case with all its files.
func (s *site) workedOut(fingerprint, text string, change ...func(*docket.Record)) *docket.Record {
	s.t.Helper()
	rec := s.record(fingerprint, held(text), func(r *docket.Record) {
		r.Files = "cases/" + fingerprint + "/1/"
		r.Incident.Name, r.Incident.Service, r.Repository = text, text, text
		r.Incident.Annotations = map[string]string{"summary": text}
		r.Summary = &docket.Summary{Title: text, State: remedy.Proposed, Autonomy: remedy.Draft, Rung: "code", Recipe: text, Service: text, Confidence: 0.91, Proved: true, Why: text, Next: text,
			Base: "1111111111111111", Branch: text, Commit: "2222222222222222", Culprit: "3333333333333333"}
		r.Decision = &docket.Decision{Approve: true, By: text, Via: "api", Reason: text, At: r.Updated}
		r.Pull = &docket.Pull{Number: 12, URL: "https://github.com/acme/shop/pull/12", State: "open", Draft: true}
		r.History = []docket.Event{{At: r.Updated, Kind: "alert", Text: text, By: text}}
	})
	for _, f := range change {
		f(rec)
		if err := s.memory.Put(s.t.Context(), rec); err != nil {
			s.t.Fatal(err)
		}
	}
	c := remedy.Case{
		Schema: remedy.Schema, Fingerprint: fingerprint, Title: text,
		Symptom:  localize.Symptom{Service: text, Operation: text, Kind: localize.SymptomErrors, Errors: localize.Shift{Incident: 0.2}},
		Suspects: []remedy.Suspect{{Rank: 1, Service: text, Operation: text, Peer: "bank", File: "pay/retry.go", Line: 42, Function: text, Commit: "3333333333333333", Confidence: 0.91, Reasons: []localize.Reason{{Text: text}}}},
		Options: []remedy.Option{
			{Rung: patch.Revert, Title: text, Outcome: remedy.Rejected, Why: text},
			{Rung: patch.Code, Title: text, Outcome: remedy.Chosen, Why: text},
		},
		Patch: &remedy.Patch{Patch: patch.Patch{Summary: []string{text}, Flag: &patch.Flag{Name: "payments-backoff"}, Risks: []string{text}}},
		Verdicts: &remedy.Verdicts{Proved: true, Why: text, NotProved: []string{text},
			Checks:  []remedy.Check{{Name: text, Want: "green", Got: "green", OK: true, Why: text}, {Name: "lint", Want: "green", Got: "red"}},
			Replays: []remedy.Replay{{Name: "incident_base", Build: text, Want: replay.Red, OK: true, Verdict: replay.Verdict{Outcome: replay.Red, Why: text}}}},
		NextSteps: []remedy.NextStep{{Text: text, Command: text}},
	}
	data, err := json.Marshal(c)
	if err != nil {
		s.t.Fatal(err)
	}
	s.blob(rec.Files+caseFile, string(data))
	s.blob(rec.Files+diffFile, "diff --git a/pay/retry.go b/pay/retry.go\n--- a/pay/retry.go\n+++ b/pay/retry.go\n@@ -40,3 +40,4 @@ func retry()\n \tfor i := range 4 {\n-\t\tcall()\n+\t\twait(i) // "+strings.ReplaceAll(text, "\n", " ")+"\n+\t\tcall()\n")
	s.blob(rec.Files+reportFile, "<!doctype html><title>report</title><h1>The report</h1><svg width=10 height=10></svg>")
	return rec
}

// elements calls visit for every element of a page and fails on what can run a script.
func elements(t *testing.T, page string, visit func(*html.Node)) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || strings.HasPrefix(strings.TrimSpace(strings.ToLower(a.Val)), "javascript:") {
				t.Errorf("<%s %s=%q> can run something", n.Data, a.Key, a.Val)
			}
		}
		visit(n)
	}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func TestAttackMarkupInACase(t *testing.T) {
	s := newSite(t, onLoopback)
	s.workedOut(fp("12345678"), hostile, func(r *docket.Record) { r.Pull.URL = "javascript:alert(1)" })
	s.record(fp("22222222"), func(r *docket.Record) {
		r.Incident.Name, r.Incident.Service, r.Repository, r.Failure = hostile, hostile, hostile, hostile
	})
	s.breaker = docket.Breaker{Tripped: s.clock.Now(), Why: hostile}
	s.letters = []docket.DeadLetter{{ID: hostile, Kind: hostile, Error: hostile, At: s.clock.Now()}}
	b := s.browser()
	for _, path := range []string{"/", "/?stage=held&service=" + url.QueryEscape(hostile), "/cases/" + fp("12345678"), "/cases/" + fp("22222222"), "/nothing/" + url.PathEscape(hostile), "/cases/" + url.PathEscape(hostile), "/?stage=" + url.QueryEscape(hostile)} {
		r := b.get(path)
		csp := r.Header.Get("Content-Security-Policy")
		nonce := regexp.MustCompile(`script-src 'nonce-([A-Z0-9]+)'`).FindStringSubmatch(csp)
		if nonce == nil || !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "base-uri 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", path, csp)
			continue
		}
		scripts := 0
		elements(t, r.body, func(n *html.Node) {
			switch n.Data {
			case "script":
				scripts++
				if attr(n, "nonce") != nonce[1] || n.FirstChild != nil || !strings.HasPrefix(attr(n, "src"), "/assets/page-") {
					t.Errorf("%s: a script that is not the page's own", path)
				}
			case "img", "object", "embed", "base", "svg":
				t.Errorf("%s: <%s> got in", path, n.Data)
			case "a":
				if u := attr(n, "href"); u != "" && !strings.HasPrefix(u, "/") && !strings.HasPrefix(u, "#") && !strings.HasPrefix(u, "https://github.com/") {
					t.Errorf("%s: link to %q", path, u)
				}
			case "iframe":
				if !has(n, "sandbox") || attr(n, "sandbox") != "" {
					t.Errorf("%s: the report is framed without a sandbox", path)
				}
			}
		})
		if scripts != 1 {
			t.Errorf("%s: %d scripts", path, scripts)
		}
		for _, bad := range []string{"\u202e", "\u2028", "\x1b"} {
			if strings.Contains(r.body, bad) {
				t.Errorf("%s: %q got through", path, bad)
			}
		}
	}
}

func TestOverviewPutsWhatWaitsFirst(t *testing.T) {
	s := newSite(t, onLoopback)
	b := s.browser()
	if r := b.get("/"); !strings.Contains(r.body, "No cases yet") {
		t.Error("the page of a new service does not say so")
	}
	s.record(fp("aaaaaaaa"), func(r *docket.Record) {
		r.Stage = docket.Running
		r.Attempt, r.Progress = 2, "located"
	})
	s.record(fp("bbbbbbbb"), func(r *docket.Record) {
		r.Stage = docket.Declined
		r.Summary = &docket.Summary{Title: "No cause in the code", Why: "too few traces"}
	})
	s.record(fp("cccccccc"), held("severity critical"))
	s.record(fp("dddddddd"), func(r *docket.Record) {
		held("5 pull requests an hour")(r)
		r.Hold.Until = r.Updated.Add(time.Hour)
	})
	s.record(fp("eeeeeeee"), func(r *docket.Record) { r.Stage, r.Failure = docket.Failed, "the clone failed" })
	s.breaker = docket.Breaker{Tripped: s.clock.Now(), Why: "12 cases in 10 minutes"}
	s.letters = []docket.DeadLetter{{ID: "9", Kind: docket.CaseTask, Error: "out of disk"}}
	r := b.get("/")
	at := -1
	for _, text := range []string{"1 case waits for a person", "Everything is held.", "12 cases in 10 minutes", "Waits for a person", "severity critical", "Under way", "located", "Failed", "the clone failed", "Ended", "too few traces", "out of disk"} {
		next := strings.Index(r.body[max(at, 0):], text)
		if next < 0 {
			t.Fatalf("%q is not on the page, or not where it belongs", text)
		}
		at = max(at, 0) + next
	}
	under := r.body[strings.Index(r.body, `id="g-under-way"`):strings.Index(r.body, `id="g-failed"`)]
	if !strings.Contains(under, "5 pull requests an hour") {
		t.Error("a hold that ends by itself is shown as waiting for a person")
	}
	for path, want := range map[string]string{"/?stage=held": "2 found", "/?service=orders&stage=failed": "1 found", "/?repository=no/ne": "No case fits."} {
		if r := b.get(path); !strings.Contains(r.body, want) {
			t.Errorf("%s: no %q", path, want)
		}
	}
	if r := b.get("/?stage=gone"); r.StatusCode != http.StatusBadRequest || !strings.Contains(r.body, "there is no stage") {
		t.Errorf("%s", r.Status)
	}
}

func TestMostUrgentIsDecidedOnFirst(t *testing.T) {
	s := newSite(t, onLoopback)
	for i, severity := range []incident.Severity{incident.Minor, incident.Critical, incident.Unknown, incident.Major} {
		s.record(fp(fmt.Sprintf("%08x", i)), held("x"), func(r *docket.Record) {
			r.Incident.Severity = severity
			r.FirstAlert = r.FirstAlert.Add(time.Duration(i) * time.Minute)
		})
	}
	page := s.browser().get("/").body
	at := 0
	for _, i := range []int{1, 3, 0, 2} {
		next := strings.Index(page[at:], "/cases/"+fp(fmt.Sprintf("%08x", i)))
		if next < 0 {
			t.Fatalf("case %d is not where its severity belongs", i)
		}
		at += next
	}
}

func TestManyCasesArePaged(t *testing.T) {
	s := newSite(t, onLoopback)
	for i := range 130 {
		s.record(fp(fmt.Sprintf("%08x", i)), func(r *docket.Record) { r.Stage = docket.Declined })
	}
	b := s.browser()
	if r := b.get("/"); strings.Count(r.body, `<li class="row`) != groupSize || !strings.Contains(r.body, fmt.Sprintf("%d more", 130-groupSize)) {
		t.Errorf("%d rows on the first page", strings.Count(r.body, `<li class="row`))
	}
	seen, path := map[string]bool{}, "/?stage=merged,refused,declined,joined"
	for path != "" {
		r := b.get(path)
		path = ""
		elements(t, r.body, func(n *html.Node) {
			if n.Data == "a" && attr(n, "class") == "title" {
				seen[attr(n, "href")] = true
			}
			if n.Data == "a" && attr(n, "rel") == "next" {
				path = attr(n, "href")
			}
		})
	}
	if len(seen) != 130 {
		t.Errorf("%d of 130 cases on the pages", len(seen))
	}
}

func TestPageOfACaseHasAllThatADecisionNeeds(t *testing.T) {
	s := newSite(t, onLoopback)
	rec := s.workedOut(fp("12345678"), "bounded retries")
	b := s.browser()
	if r := b.get("/cases/12345678"); r.StatusCode != http.StatusFound || r.Header.Get("Location") != "/cases/"+fp("12345678") {
		t.Errorf("the short form: %s", r.Status)
	}
	r := b.get("/cases/" + fp("12345678"))
	for _, text := range []string{
		"waits for you", "Your decision", "20.0 % of requests failed", "pay/retry.go:42", "3333333333", "wait(i)", "NOT AS WANTED", "payments-backoff", "revert the culprit", "rejected",
		"Pull request #12", "What was not proved", "History", "patch.diff", "report.html", "Approved", `formaction="/cases/` + fp("12345678") + `/approve"`, rec.Hold.Since.UTC().Format(time.RFC3339Nano),
	} {
		if !strings.Contains(r.body, text) {
			t.Errorf("%q is not on the page", text)
		}
	}
	if r := b.get("/api/v1/cases/" + fp("12345678") + "/artifacts/report.html"); !strings.Contains(r.Header.Get("Content-Security-Policy"), "frame-ancestors 'self'") {
		t.Errorf("the page cannot frame the report: %s", r.Header.Get("Content-Security-Policy"))
	}
}

func TestDecisionOnThePage(t *testing.T) {
	s := newSite(t)
	rec := s.workedOut(fp("12345678"), "bounded retries")
	path := "/cases/" + fp("12345678")
	reader := s.browser().login(readToken)
	if page := reader.get(path).body; strings.Contains(page, "formaction") || !strings.Contains(page, "takes the role approve") {
		t.Error("somebody who may only read is offered a decision")
	}
	if r := reader.post(path+"/approve", url.Values{"csrf": {reader.csrf(reader.get(path).body)}}); r.StatusCode != http.StatusForbidden {
		t.Errorf("a reader decides: %s", r.Status)
	}
	b := s.browser().login(writeToken)
	page := b.get(path).body
	form := url.Values{"csrf": {b.csrf(page)}, "reason": {"read <the> diff"}, "hold_since": {rec.Hold.Since.Format(time.RFC3339Nano)}}
	s.answer = func(docket.Action) (string, error) { return "Approved; <b>the</b> proposal is being written.", nil }
	r := b.post(path+"/approve", form)
	if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != path {
		t.Fatalf("%s", r.Status)
	}
	if got := s.actions(); len(got) != 1 || got[0] != (docket.Action{Case: fp("12345678"), Name: "approve", By: "jane", Via: "page", Reason: "read <the> diff"}) {
		t.Errorf("%+v", got)
	}
	const said = "Approved; &lt;b&gt;the&lt;/b&gt; proposal is being written."
	if r := b.get(path); !strings.Contains(r.body, said) {
		t.Error("the page does not say what came of it")
	}
	if r := b.get(path); strings.Contains(r.body, said) {
		t.Error("it says so for ever")
	}
	rec.Hold.Since = rec.Hold.Since.Add(time.Second)
	if err := s.memory.Put(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	if r := b.post(path+"/approve", form); r.StatusCode != http.StatusConflict || !strings.Contains(r.body, "moved on") {
		t.Errorf("a decision on what was replaced: %s", r.Status)
	}
	form.Set("hold_since", "never")
	if r := b.post(path+"/approve", form); r.StatusCode != http.StatusBadRequest {
		t.Errorf("a broken form: %s", r.Status)
	}
	if len(s.actions()) != 1 {
		t.Errorf("%+v", s.actions())
	}
}

func TestDeadLettersAndBreakerOnThePage(t *testing.T) {
	s := newSite(t)
	s.record(fp("12345678"))
	s.letters = []docket.DeadLetter{{ID: "case/7 x", Kind: docket.CaseTask, Case: fp("12345678"), Error: "out of disk"}}
	s.breaker = docket.Breaker{Tripped: s.clock.Now(), Why: "12 cases"}
	if page := s.browser().login(writeToken).get("/").body; strings.Contains(page, "Back to work") || strings.Contains(page, "Let cases go on") {
		t.Error("somebody who may not is offered it")
	}
	b := s.browser().login(adminToken)
	page := b.get("/").body
	var targets []string
	elements(t, page, func(n *html.Node) {
		if n.Data == "form" && attr(n, "action") != "/logout" && attr(n, "method") == "post" {
			targets = append(targets, attr(n, "action"))
		}
	})
	if len(targets) != 3 {
		t.Fatalf("forms %q", targets)
	}
	for _, target := range targets {
		if r := b.post(target, url.Values{"csrf": {b.csrf(page)}, "reason": {"fixed"}}); r.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %s", target, r.Status)
		}
	}
	if want := []string{"revive case/7 x", "bury case/7 x"}; !slices.Equal(s.moved, want) || s.breaker.ResetBy != "root" {
		t.Errorf("%v, breaker %+v", s.moved, s.breaker)
	}
}

func TestFilesThatAreGoneOrDamaged(t *testing.T) {
	s := newSite(t, onLoopback)
	s.record(fp("11111111"), held("x"), func(r *docket.Record) { r.Files = "cases/1/1/" })
	s.record(fp("22222222"), held("x"), func(r *docket.Record) { r.Files = "cases/2/1/" })
	s.blob("cases/2/1/case.json", `{"suspects": 7}`)
	s.blob("cases/2/1/patch.diff", strings.Repeat("+line\n", maxDiffLines+5))
	b := s.browser()
	if r := b.get("/cases/" + fp("11111111")); r.StatusCode != 200 || !strings.Contains(r.body, "were erased") || !strings.Contains(r.body, "Your decision") {
		t.Errorf("%s without its files", r.Status)
	}
	if r := b.get("/cases/" + fp("22222222")); r.StatusCode != 200 || !strings.Contains(r.body, "case.json cannot be shown here") || !strings.Contains(r.body, "5 more lines") {
		t.Errorf("%s with damaged files", r.Status)
	}
}

func TestEveryStageExplainsItself(t *testing.T) {
	s := newSite(t, onLoopback)
	b := s.browser()
	for i, stage := range stages {
		id := fp(fmt.Sprintf("%08x", i))
		s.record(id, func(r *docket.Record) { r.Stage, r.JoinedTo = stage, fp("99999999") })
		r := b.get("/cases/" + id)
		if r.StatusCode != 200 || strings.Contains(r.body, "<bdi></bdi></div>") {
			t.Errorf("%s: %s", stage, r.Status)
		}
		rec, err := s.memory.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if whyOf(rec) == "" || stageWord(rec) == "" || tone(rec) == "" {
			t.Errorf("%s has no words", stage)
		}
	}
	if all := s.call("GET", "/cases", "", ""); strings.Contains(all.body, `"why":""`) {
		t.Errorf("a case without a reason: %s", all.body)
	}
}

// Labels, headings, languages: what a reader with a screen reader or a keyboard needs.
func TestPagesAreAccessible(t *testing.T) {
	s := newSite(t, onLoopback)
	s.workedOut(fp("12345678"), "bounded retries")
	s.breaker = docket.Breaker{Tripped: s.clock.Now(), Why: "x"}
	s.letters = []docket.DeadLetter{{ID: "9", Kind: docket.CaseTask}}
	away := newSite(t)
	for _, page := range []string{s.browser().get("/").body, s.browser().get("/cases/" + fp("12345678")).body, s.browser().get("/none").body, away.browser().get("/login").body} {
		labels, ids, h1 := map[string]bool{}, map[string]int{}, 0
		lang := ""
		elements(t, page, func(n *html.Node) {
			if n.Data == "label" {
				labels[attr(n, "for")] = true
			}
			if id := attr(n, "id"); id != "" {
				ids[id]++
			}
			if n.Data == "h1" {
				h1++
			}
			if n.Data == "html" {
				lang = attr(n, "lang")
			}
		})
		if h1 != 1 || lang != "en" {
			t.Errorf("%d main headings, language %q", h1, lang)
		}
		for id, n := range ids {
			if n > 1 {
				t.Errorf("%d elements are called %s", n, id)
			}
		}
		elements(t, page, func(n *html.Node) {
			switch {
			case (n.Data == "input" && attr(n, "type") != "hidden" && !has(n, "hidden") || n.Data == "select" || n.Data == "textarea") && !labels[attr(n, "id")]:
				t.Errorf("<%s name=%s> has no label", n.Data, attr(n, "name"))
			case n.Data == "iframe" && attr(n, "title") == "":
				t.Error("the frame has no title")
			}
			if ref := attr(n, "aria-labelledby"); ref != "" && ids[ref] == 0 {
				t.Errorf("aria-labelledby names %s, which is not there", ref)
			}
		})
	}
}

func TestAssetsMayBeKeptForEver(t *testing.T) {
	s := newSite(t)
	page := s.browser().get("/login").body
	n := 0
	elements(t, page, func(e *html.Node) {
		src := attr(e, "src") + attr(e, "href")
		if !strings.HasPrefix(src, "/assets/") {
			return
		}
		n++
		if r := s.browser().get(src); r.StatusCode != 200 || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") || len(r.body) < 1000 {
			t.Errorf("%s: %s", src, r.Status)
		}
	})
	if n != 2 {
		t.Errorf("%d assets", n)
	}
	if r := s.browser().get("/assets/page.css"); r.StatusCode != http.StatusNotFound {
		t.Errorf("without its digest: %s", r.Status)
	}
}

func TestLoginSaysWhatIsWrong(t *testing.T) {
	s := newSite(t)
	r := s.browser().post("/login", url.Values{"token": {"wrong"}})
	if r.StatusCode != http.StatusUnauthorized || !strings.Contains(r.body, "not known") || strings.Contains(r.body, `value="wrong"`) {
		t.Errorf("%s", r.Status)
	}
	s.tokens = nil
	if r := s.browser().get("/login"); !strings.Contains(r.body, "No token is configured") {
		t.Error("nobody is told that no token is configured")
	}
}

func FuzzPlain(f *testing.F) {
	for _, seed := range []string{hostile, "", "a\u202eb", "\xff\xfe", strings.Repeat("é", 700)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := plain(s)
		if len([]rune(out)) > 601 || strings.ContainsAny(out, "\n\r\t\u202e\u2066\u2028\x1b\x00") {
			t.Errorf("%q became %q", s, out)
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add(cursorOf(&docket.Record{Fingerprint: fp("a")}))
	f.Add("MTIzLg")
	all := []*docket.Record{{Fingerprint: fp("a"), FirstAlert: time.Unix(9, 0)}, {Fingerprint: fp("b"), FirstAlert: time.Unix(5, 0)}}
	f.Fuzz(func(t *testing.T, s string) {
		if rest, err := after(all, s); err == nil && len(rest) > len(all) {
			t.Error("more than there is")
		}
	})
}
