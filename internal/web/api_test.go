package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"pgregory.net/rapid"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/remedy/docket"
)

func TestListIsFilteredAndPaged(t *testing.T) {
	s := newSite(t)
	for i := range 7 {
		s.record(fp(fmt.Sprintf("aaaaaaa%d", i)), func(r *docket.Record) {
			r.FirstAlert = r.FirstAlert.Add(time.Duration(i) * time.Minute)
			if i%2 == 1 {
				r.Stage, r.Repository = docket.Declined, "acme/bank"
				r.Summary = &docket.Summary{Title: "Retries", Service: "payments", Why: "nothing fits"}
			}
			r.Updated = r.FirstAlert
		})
	}
	var got []string
	cursor := ""
	for {
		var l List
		r := s.call("GET", "/cases?limit=3&cursor="+cursor, readToken, "")
		r.into(t, &l)
		if r.StatusCode != http.StatusOK || l.Total != 7 {
			t.Fatalf("%s, total %d", r.Status, l.Total)
		}
		for _, c := range l.Cases {
			got = append(got, c.Fingerprint[7:8])
		}
		if cursor = l.Next; cursor == "" {
			break
		}
	}
	if want := "6543210"; strings.Join(got, "") != want {
		t.Errorf("paged %v, want newest first: %s", got, want)
	}
	for query, want := range map[string]int{
		"stage=declined": 3, "stage=declined,queued": 7, "stage=declined&stage=queued": 7, "stage=merged": 0, "repository=ACME/bank": 3, "repository=acme/none": 0,
		"service=payments": 3, "service=orders": 4, "since=" + url.QueryEscape(s.clock.Now().Add(5*time.Minute).Format(time.RFC3339)): 2,
	} {
		var l List
		s.call("GET", "/cases?"+query, readToken, "").into(t, &l)
		if l.Total != want || len(l.Cases) != want {
			t.Errorf("%s: %d of %d, want %d", query, len(l.Cases), l.Total, want)
		}
	}
	for _, query := range []string{"stage=gone", "since=yesterday", "limit=0", "limit=201", "limit=x", "cursor=%21", "cursor=eA", "cursor=" + strings.Repeat("A", 500)} {
		if r := s.call("GET", "/cases?"+query, readToken, ""); r.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s, want 400", query, r.Status)
		}
	}
}

// Pages neither skip a case nor show it twice while cases come and move between them.
func TestCursorHoldsWhileCasesMove(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []*docket.Record
		start := time.Unix(1_700_000_000, 0)
		for i := range rapid.IntRange(0, 40).Draw(t, "cases") {
			all = append(all, &docket.Record{Fingerprint: fp(fmt.Sprintf("%08x", i)), FirstAlert: start.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "minute")) * time.Minute)})
		}
		order := func() {
			slices.SortFunc(all, func(a, b *docket.Record) int {
				if c := b.FirstAlert.Compare(a.FirstAlert); c != 0 {
					return c
				}
				return strings.Compare(a.Fingerprint, b.Fingerprint)
			})
		}
		order()
		then := slices.Clone(all)
		limit := rapid.IntRange(1, 7).Draw(t, "limit")
		var seen []string
		cursor := ""
		for page := 0; ; page++ {
			rest, err := after(all, cursor)
			if err != nil {
				t.Fatal(err)
			}
			if len(rest) == 0 {
				break
			}
			n := min(limit, len(rest))
			for _, r := range rest[:n] {
				seen = append(seen, r.Fingerprint)
			}
			cursor = cursorOf(rest[n-1])
			// A new case comes in front, and the last one shown is erased.
			all = append(all, &docket.Record{Fingerprint: fp(fmt.Sprintf("f%07x", page)), FirstAlert: start.Add(time.Hour)})
			if rapid.Bool().Draw(t, "erase") {
				all = slices.DeleteFunc(all, func(r *docket.Record) bool { return r.Fingerprint == rest[n-1].Fingerprint })
			}
			order()
		}
		var want []string
		for _, r := range then {
			want = append(want, r.Fingerprint)
		}
		if !slices.Equal(seen, want) {
			t.Fatalf("saw %v, want %v", seen, want)
		}
	})
}

func TestOneCaseByBeginningOfItsFingerprint(t *testing.T) {
	s := newSite(t)
	s.record(fp("12345678a"), held("severity critical waits for a person"), func(r *docket.Record) {
		r.Incident.Severity = incident.Critical
		r.Pull = &docket.Pull{Number: 4, URL: "https://github.com/acme/shop/pull/4", State: "open"}
		r.History = []docket.Event{{At: r.Updated, Kind: "alert", Text: "the first alert"}}
		r.Lease = &docket.Lease{Owner: "a", Until: r.Updated}
	})
	s.record(fp("12345678b"))
	for given, want := range map[string]int{
		fp("12345678a"): 200, "12345678a": 200, "12345678": 409, "1234567": 404, "12345678c": 404, "1234567G": 404, strings.Repeat("1", 65): 404, fp("12345678a") + "0": 404,
	} {
		r := s.call("GET", "/cases/"+given, readToken, "")
		if r.StatusCode != want {
			t.Errorf("%s: %s, want %d", given, r.Status, want)
		}
		if want != 200 {
			var p Problem
			r.into(t, &p)
			if r.Header.Get("Content-Type") != "application/problem+json" || p.Status != want || p.Detail == "" || p.Type != "about:blank" {
				t.Errorf("%s: %s %s is not a problem detail", given, r.Header.Get("Content-Type"), r.body)
			}
			continue
		}
		var c Case
		r.into(t, &c)
		if c.Fingerprint != fp("12345678a") || !c.Waiting || c.Why != "severity critical waits for a person" || !slices.Equal(c.Actions, []string{"approve", "reject", "retry"}) {
			t.Errorf("%s: %+v", given, c)
		}
		if c.Pull == nil || len(c.History) != 1 {
			t.Errorf("%s: the record is not all there: %s", given, r.body)
		}
	}
}

func TestUnchangedIsNotSentAgain(t *testing.T) {
	s := newSite(t)
	rec := s.record(fp("12345678"))
	r := s.call("GET", "/cases/12345678", readToken, "")
	tag := r.Header.Get("ETag")
	if tag == "" {
		t.Fatal("no ETag")
	}
	for _, header := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
		if r := s.call("GET", "/cases/12345678", readToken, "", "If-None-Match", header); r.StatusCode != http.StatusNotModified || r.body != "" {
			t.Errorf("If-None-Match %s: %s", header, r.Status)
		}
	}
	rec.Alerts++
	if err := s.memory.Put(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	if r := s.call("GET", "/cases/12345678", readToken, "", "If-None-Match", tag); r.StatusCode != http.StatusOK {
		t.Errorf("after a change: %s", r.Status)
	}
}

func TestArtifacts(t *testing.T) {
	s := newSite(t)
	const report = "<!doctype html><script>alert(1)</script>"
	s.record(fp("12345678"), func(r *docket.Record) { r.Files = "cases/" + r.Fingerprint + "/1/" })
	for name, text := range map[string]string{"case.json": "{}", "report.html": report, "patch.diff": "+a", "pull-request.md": "# x", "signing.pub": "key", "odd name;\".bin": "\x00"} {
		s.blob("cases/"+fp("12345678")+"/1/"+name, text)
	}
	s.blob("cases/"+fp("99999999")+"/1/case.json", `"of another case"`)
	s.blob("secret", "of the service")
	var a Artifacts
	s.call("GET", "/cases/12345678/artifacts", readToken, "").into(t, &a)
	if len(a.Artifacts) != 6 || a.Artifacts[0].Name != "case.json" {
		t.Fatalf("%+v", a)
	}
	for _, one := range a.Artifacts {
		r := s.call("GET", strings.TrimPrefix(one.URL, "/api/v1"), readToken, "")
		how := "inline"
		if strings.HasSuffix(one.Name, ".bin") {
			how = "attachment"
		}
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != one.Type || r.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(r.Header.Get("Content-Disposition"), how+"; filename*=UTF-8''") {
			t.Errorf("%s: %s %v", one.Name, r.Status, r.Header)
		}
		if csp := r.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "sandbox; default-src 'none';") || strings.Contains(csp, "allow-") || strings.Contains(csp, "script-src") {
			t.Errorf("%s: policy %q", one.Name, csp)
		}
		if one.Name == "report.html" && r.body != report {
			t.Errorf("the report came as %q", r.body)
		}
	}
	if d := s.call("GET", "/cases/12345678/artifacts/"+url.PathEscape("odd name;\".bin"), readToken, "").Header.Get("Content-Disposition"); strings.ContainsAny(d, "\"\r\n") {
		t.Errorf("a name got into the header as it is: %s", d)
	}
	for _, name := range []string{"gone.json", "..%2f..%2fsecret", "..%2f..%2f" + fp("99999999") + "%2f1%2fcase.json", "%2e%2e", ".", "%00"} {
		if r := s.call("GET", "/cases/12345678/artifacts/"+name, readToken, ""); r.StatusCode == http.StatusOK {
			t.Errorf("%s: %s %q", name, r.Status, r.body)
		}
	}
	s.record(fp("77777777"))
	var none Artifacts
	if r := s.call("GET", "/cases/77777777/artifacts", readToken, ""); r.StatusCode != 200 || !strings.Contains(r.body, `"artifacts":[]`) {
		t.Errorf("a case without files: %s %s %v", r.Status, r.body, none)
	}
}

func TestActionsReachTheDocket(t *testing.T) {
	s := newSite(t)
	s.record(fp("12345678"), held("approval"))
	r := s.call("POST", "/cases/12345678/approve", writeToken, `{"reason":" looks right\n"}`)
	var a Answer
	r.into(t, &a)
	if r.StatusCode != 200 || a.Answer != "Done: approve." || a.Case == nil || a.Case.Fingerprint != fp("12345678") {
		t.Fatalf("%s %s", r.Status, r.body)
	}
	for _, name := range actions[1:] {
		if r := s.call("POST", "/cases/12345678/"+name, adminToken, ""); r.StatusCode != 200 {
			t.Errorf("%s: %s %s", name, r.Status, r.body)
		}
	}
	got := s.actions()
	if len(got) != len(actions) || got[0] != (docket.Action{Case: fp("12345678"), Name: "approve", By: "jane", Via: "api", Reason: "looks right"}) || got[1].By != "root" || got[1].Name != "reject" {
		t.Errorf("%+v", got)
	}
	if log := s.log.String(); !strings.Contains(log, `"action":"approve"`) || !strings.Contains(log, `"by":"jane"`) || !strings.Contains(log, `"role":"approve"`) || !strings.Contains(log, fp("12345678")) {
		t.Errorf("not in the audit log:\n%s", log)
	}
	for _, c := range []struct {
		path, body string
		want       int
	}{
		{"/cases/12345678/explode", "", 404}, {"/cases/87654321/approve", "", 404}, {"/cases/12345678/approve", "{", 400}, {"/cases/12345678/approve", `{"raeson":"x"}`, 400},
		{"/cases/12345678/approve", `{} {}`, 400}, {"/cases/12345678/approve", `[]`, 400}, {"/cases/12345678/approve", `{"reason":"` + strings.Repeat("x", maxReason+1) + `"}`, 400},
		{"/cases/12345678/approve", `{"reason":"` + strings.Repeat("x", maxBody) + `"}`, 413},
	} {
		if r := s.call("POST", c.path, writeToken, c.body); r.StatusCode != c.want {
			t.Errorf("%s %.40s: %s, want %d", c.path, c.body, r.Status, c.want)
		}
	}
	if n := len(s.actions()); n != len(got) {
		t.Errorf("%d actions that were refused reached the docket", n-len(got))
	}
}

func TestErrorsOfTheDocketAreTold(t *testing.T) {
	s := newSite(t)
	s.record(fp("12345678"), held("approval"))
	for want, err := range map[int]error{404: fmt.Errorf("case: %w", docket.ErrNotFound), 409: fmt.Errorf("x: %w", docket.ErrConflict), 500: fmt.Errorf("dial 10.1.2.3: secret-host")} {
		s.answer = func(docket.Action) (string, error) { return "", err }
		r := s.call("POST", "/cases/12345678/approve", writeToken, "{}")
		if r.StatusCode != want || strings.Contains(r.body, "secret-host") {
			t.Errorf("%v: %s %s", err, r.Status, r.body)
		}
	}
	if !strings.Contains(s.log.String(), "secret-host") {
		t.Error("the log does not say what failed")
	}
}

// Somebody who looked at one change must not approve the next.
func TestDecisionOnAChangeThatWasNotSeen(t *testing.T) {
	s := newSite(t)
	rec := s.record(fp("12345678"), held("approval"))
	seen, err := json.Marshal(Ask{HoldSince: rec.Hold.Since})
	if err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(time.Nanosecond)
	rec.Hold = &docket.Hold{Code: "approval", Why: "another change", Since: s.clock.Now()}
	if err := s.memory.Put(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	if r := s.call("POST", "/cases/12345678/approve", writeToken, string(seen)); r.StatusCode != http.StatusConflict {
		t.Errorf("%s %s", r.Status, r.body)
	}
	rec.Hold, rec.Stage = nil, docket.Writing
	if err := s.memory.Put(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	if r := s.call("POST", "/cases/12345678/approve", writeToken, string(seen)); r.StatusCode != http.StatusConflict {
		t.Errorf("%s %s", r.Status, r.body)
	}
	if len(s.actions()) != 0 {
		t.Errorf("it reached the docket: %+v", s.actions())
	}
}

func TestDeadLettersAndBreaker(t *testing.T) {
	s := newSite(t)
	var l LetterList
	if r := s.call("GET", "/dead-letters", readToken, ""); !strings.Contains(r.body, `"dead_letters":[]`) {
		t.Errorf("without any: %s", r.body)
	}
	s.letters = []docket.DeadLetter{{ID: "case/7", Kind: docket.CaseTask, Case: fp("12345678"), At: s.clock.Now(), Error: "out of disk", Tries: 5}}
	s.call("GET", "/dead-letters", readToken, "").into(t, &l)
	if len(l.DeadLetters) != 1 || l.DeadLetters[0].Error != "out of disk" {
		t.Errorf("%+v", l)
	}
	for _, c := range []struct {
		path, token string
		want        int
	}{
		{"/dead-letters/case%2F7/revive", writeToken, 403}, {"/dead-letters/case%2F7/revive", adminToken, 200}, {"/dead-letters/case%2F7/bury", adminToken, 200},
		{"/dead-letters/none/revive", adminToken, 404}, {"/dead-letters/case%2F7/burn", adminToken, 404},
	} {
		if r := s.call("POST", c.path, c.token, "{}"); r.StatusCode != c.want {
			t.Errorf("%s: %s, want %d: %s", c.path, r.Status, c.want, r.body)
		}
	}
	if want := []string{"revive case/7", "bury case/7"}; !slices.Equal(s.moved, want) {
		t.Errorf("%v, want %v", s.moved, want)
	}

	s.breaker = docket.Breaker{Tripped: s.clock.Now(), Why: "12 cases in 10 minutes", Openings: []docket.Opening{{Case: fp("1")}}}
	var b Breaker
	s.call("GET", "/breaker", readToken, "").into(t, &b)
	if !b.Open || b.Why != "12 cases in 10 minutes" || b.Opened != 1 {
		t.Errorf("%+v", b)
	}
	if r := s.call("POST", "/breaker/reset", writeToken, "{}"); r.StatusCode != 403 {
		t.Errorf("reset by approve: %s", r.Status)
	}
	r := s.call("POST", "/breaker/reset", adminToken, `{"reason":"the pool was full"}`)
	b = Breaker{}
	r.into(t, &b)
	if r.StatusCode != 200 || b.Open || b.ResetBy != "root" {
		t.Errorf("%s %+v", r.Status, b)
	}
}

// The description in the repository is the one that is served, and every route is in it.
func TestDescriptionIsWhatIsServed(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Version = "v1" })
	r := s.call("GET", "/openapi.json", "", "")
	const file = "../../docs/schemas/openapi.json"
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal([]byte(r.body), want) {
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(file, []byte(r.body), 0o644); err != nil {
				t.Fatal(err)
			}
		} else {
			t.Errorf("%s is not what is served: run UPDATE=1 go test ./internal/web -run TestDescription", file)
		}
	}
	doc, err := openapi3.NewLoader().LoadFromData([]byte(r.body))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, e := range endpoints {
		item := doc.Paths.Find(e.path)
		if item == nil || item.GetOperation(e.method) == nil {
			t.Errorf("%s %s is served and not described", e.method, e.path)
			continue
		}
		if ids[e.id] {
			t.Errorf("%s is the name of two operations", e.id)
		}
		ids[e.id] = true
		for _, part := range strings.Split(e.path, "/") {
			if name, ok := strings.CutPrefix(part, "{"); ok && item.GetOperation(e.method).Parameters.GetByInAndName("path", strings.TrimSuffix(name, "}")) == nil {
				t.Errorf("%s %s: %s is not described", e.method, e.path, part)
			}
		}
	}
	if len(ids) != len(endpoints) || doc.OpenAPI != "3.1.0" {
		t.Errorf("%d operations, version %s", len(ids), doc.OpenAPI)
	}
	for _, name := range []string{"web.List", "web.Case", "docket.Summary", "web.Event", "docket.DeadLetter"} {
		if doc.Components.Schemas[name] == nil {
			t.Errorf("no schema of %s", name)
		}
	}
}

func TestUnknownPathsOfTheAPI(t *testing.T) {
	s := newSite(t)
	for _, c := range [][2]string{{"GET", "/"}, {"GET", "/nothing"}, {"DELETE", "/cases"}, {"PUT", "/cases/12345678/approve"}} {
		r := s.call(c[0], c[1], readToken, "")
		if r.StatusCode != 404 && r.StatusCode != 405 {
			t.Errorf("%v: %s", c, r.Status)
		}
	}
}
