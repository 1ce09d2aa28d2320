package github_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remediator/remediator/internal/github"
	"github.com/remediator/remediator/remedy/docket"
)

const secret = "it is not a secret"

// inbox takes events the way a queue does: an id that came before is no second event.
type inbox struct {
	mu     sync.Mutex
	events []docket.ForgeEvent
	ids    map[string]bool
	fail   error
}

func (i *inbox) receive(_ context.Context, e docket.ForgeEvent) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.fail != nil {
		return i.fail
	}
	if i.ids == nil {
		i.ids = map[string]bool{}
	}
	if !i.ids[e.Delivery] {
		i.ids[e.Delivery] = true
		i.events = append(i.events, e)
	}
	return nil
}

func (i *inbox) kinds() []docket.EventKind {
	i.mu.Lock()
	defer i.mu.Unlock()
	var all []docket.EventKind
	for _, e := range i.events {
		all = append(all, e.Kind)
	}
	return all
}

// listen connects the stand-in's webhooks with a client.
func (w *world) listen(t *testing.T, c *github.Client) *inbox {
	t.Helper()
	in := &inbox{}
	server := httptest.NewServer(c.Webhook(func() []byte { return []byte(secret) }, in.receive, nil))
	t.Cleanup(server.Close)
	w.SetWebhook(server.URL+"/webhooks/github", secret)
	return in
}

func (w *world) drain(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := w.Drain(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestWhatPeopleDoBecomesEvents(t *testing.T) {
	w, c, change, p := proposed(t)
	id := must(c.EnsureCheck(t.Context(), repo, runOf(change.SHA, "completed", "failure")))(t)
	w.drain(t)
	in := w.listen(t, c)
	alice := w.As("alice")
	comment := must(alice.Comment(w.repo, p.Number, "Hm.\n\n/remediator retry with care"))(t)
	if err := alice.EditComment(w.repo, comment, "/remediator approve"); err != nil {
		t.Fatal(err)
	}
	must(alice.Comment(w.repo, p.Number, "> /remediator approve"))(t)
	if err := c.EnsureComment(t.Context(), repo, p.Number, "k", "x\n\n/remediator approve"); err != nil {
		t.Fatal(err)
	}
	if err := alice.Rerequest(w.repo, id); err != nil {
		t.Fatal(err)
	}
	theirs := must(alice.PushCommit(w.repo, branch, "mine", map[string][]byte{"a": []byte("b")}))(t)
	base := must(alice.PushCommit(w.repo, "main", "go on", map[string][]byte{"c": []byte("d")}))(t)
	must(alice.PushCommit(w.repo, "feature", "elsewhere", map[string][]byte{"e": []byte("f")}))(t)
	if err := alice.Close(w.repo, p.Number); err != nil {
		t.Fatal(err)
	}
	if err := alice.Reopen(w.repo, p.Number); err != nil {
		t.Fatal(err)
	}
	if err := alice.MarkReady(w.repo, p.Number); err != nil {
		t.Fatal(err)
	}
	must(alice.Merge(w.repo, p.Number))(t)
	w.drain(t)
	in.mu.Lock()
	defer in.mu.Unlock()
	seen := map[docket.EventKind][]docket.ForgeEvent{}
	for _, e := range in.events {
		if e.Repository != repo || e.Delivery == "" || e.At.IsZero() {
			t.Errorf("%+v", e)
		}
		seen[e.Kind] = append(seen[e.Kind], e)
	}
	if got := seen[docket.CommandComment]; len(got) != 1 || got[0].Command != "retry" || got[0].Argument != "with care" || got[0].User != "alice" || got[0].Comment != comment || got[0].Number != p.Number {
		t.Errorf("commands %+v", got)
	}
	if got := seen[docket.CheckRerun]; len(got) != 1 || got[0].Case != fingerprint || got[0].Head != change.SHA || got[0].User != "alice" {
		t.Errorf("re-runs %+v", got)
	}
	if got := seen[docket.PullPushed]; len(got) != 1 || got[0].Head != theirs || got[0].Branch != branch || got[0].Bot {
		t.Errorf("pushes to the branch %+v", got)
	}
	if got := seen[docket.BasePushed]; len(got) == 0 || got[0].Head != base || got[0].Branch != "main" {
		t.Errorf("pushes to the target %+v", got)
	}
	for _, kind := range []docket.EventKind{docket.PullClosed, docket.PullReopened, docket.PullMerged} {
		if got := seen[kind]; len(got) != 1 || got[0].Number != p.Number || got[0].Branch != branch {
			t.Errorf("%s: %+v", kind, got)
		}
	}
}

func sign(body []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write(body)
	return "sha256=" + hex.EncodeToString(h.Sum(nil))
}

// post delivers a payload by hand.
func post(h http.Handler, event string, body []byte, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/webhooks/github", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-GitHub-Event", event)
	r.Header.Set("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
	r.Header.Set("X-Hub-Signature-256", sign(body))
	for _, f := range change {
		f(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// handler is a webhook of an App that speaks to nobody.
func handler(t *testing.T, in *inbox) http.Handler {
	t.Helper()
	w := offline(t)
	return w.Webhook(func() []byte { return []byte(secret) }, in.receive, nil)
}

func offline(t *testing.T) *github.Client {
	t.Helper()
	c, err := github.New(github.Options{URL: "https://ghe.invalid/api/v3/", AppID: 7, PrivateKey: keyPEM()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func comment(change func(map[string]any)) []byte {
	p := map[string]any{
		"action":     "created",
		"repository": map[string]any{"id": 1, "full_name": repo, "default_branch": "main"},
		"sender":     map[string]any{"login": "alice", "type": "User"},
		"issue":      map[string]any{"number": 3, "pull_request": map[string]any{}},
		"comment":    map[string]any{"id": 9, "body": "/remediator approve", "user": map[string]any{"login": "alice", "type": "User"}},
	}
	if change != nil {
		change(p)
	}
	b, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return b
}

func TestDeliveriesThatAreRefused(t *testing.T) {
	body := comment(nil)
	sha1Of := func() string {
		h := hmac.New(sha1.New, []byte(secret))
		h.Write(body)
		return "sha1=" + hex.EncodeToString(h.Sum(nil))
	}
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for name, c := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"unsigned":         {set("X-Hub-Signature-256", ""), 401},
		"another secret":   {set("X-Hub-Signature-256", "sha256="+strings.Repeat("0", 64)), 401},
		"half a signature": {set("X-Hub-Signature-256", sign(body)[:40]), 401},
		"downgraded to SHA-1": {func(r *http.Request) {
			r.Header.Set("X-Hub-Signature-256", sha1Of())
			r.Header.Set("X-Hub-Signature", sha1Of())
		}, 401},
		"SHA-1 alone":    {func(r *http.Request) { r.Header.Del("X-Hub-Signature-256"); r.Header.Set("X-Hub-Signature", sha1Of()) }, 401},
		"no id":          {set("X-GitHub-Delivery", ""), 400},
		"id with a line": {set("X-GitHub-Delivery", "a\nb"), 400},
		"media type":     {set("Content-Type", "text/plain"), 415},
		"GET":            {func(r *http.Request) { r.Method = http.MethodGet }, 405},
	} {
		t.Run(name, func(t *testing.T) {
			in := &inbox{}
			if got := post(handler(t, in), "issue_comment", body, c.change); got.Code != c.want {
				t.Errorf("answered %d %s, want %d", got.Code, got.Body, c.want)
			}
			if len(in.events) != 0 {
				t.Errorf("taken over: %+v", in.events)
			}
		})
	}
	in := &inbox{}
	if got := post(handler(t, in), "issue_comment", []byte("{not JSON")); got.Code != 400 {
		t.Errorf("not JSON: %d", got.Code)
	}
	noSecret := offline(t).Webhook(func() []byte { return nil }, in.receive, nil)
	h := hmac.New(sha256.New, nil)
	h.Write(body)
	if got := post(noSecret, "issue_comment", body, set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(h.Sum(nil)))); got.Code != 503 {
		t.Errorf("without a secret everybody could sign: %d", got.Code)
	}
	if len(in.events) != 0 {
		t.Errorf("%+v", in.events)
	}
}

func TestDeliveryTooLarge(t *testing.T) {
	in := &inbox{}
	body := append(comment(nil), bytes.Repeat([]byte(" "), 26<<20)...)
	if got := post(handler(t, in), "issue_comment", body); got.Code != http.StatusRequestEntityTooLarge || len(in.events) != 0 {
		t.Errorf("answered %d, %d events", got.Code, len(in.events))
	}
}

func TestAnsweredOnlyWhenStored(t *testing.T) {
	in := &inbox{fail: errors.New("disk full")}
	h := handler(t, in)
	if got := post(h, "issue_comment", comment(nil)); got.Code != http.StatusServiceUnavailable {
		t.Errorf("answered %d for what was not stored", got.Code)
	}
	in.fail = nil
	for range 2 { // GitHub delivers again under the same id
		if got := post(h, "issue_comment", comment(nil)); got.Code != http.StatusAccepted {
			t.Errorf("answered %d", got.Code)
		}
	}
	if len(in.events) != 1 || in.events[0].Delivery != "72d3162e-cc78-11e3-81ab-4c9367dc0958" || in.events[0].Command != "approve" {
		t.Errorf("%+v", in.events)
	}
}

func TestFormDelivery(t *testing.T) {
	in := &inbox{}
	body := []byte(url.Values{"payload": {string(comment(nil))}}.Encode())
	got := post(handler(t, in), "issue_comment", body, func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") })
	if got.Code != http.StatusAccepted || len(in.events) != 1 {
		t.Errorf("answered %d, %d events", got.Code, len(in.events))
	}
}

func TestCommentsThatAreNoCommands(t *testing.T) {
	at := func(p map[string]any, name string) map[string]any { return p[name].(map[string]any) }
	for name, change := range map[string]func(map[string]any){
		"edited":            func(p map[string]any) { p["action"] = "edited" },
		"deleted":           func(p map[string]any) { p["action"] = "deleted" },
		"on an issue":       func(p map[string]any) { delete(at(p, "issue"), "pull_request") },
		"by a bot":          func(p map[string]any) { at(at(p, "comment"), "user")["type"] = "Bot" },
		"by a bot's name":   func(p map[string]any) { at(at(p, "comment"), "user")["login"] = "helper[bot]" },
		"sent by a bot":     func(p map[string]any) { at(p, "sender")["type"] = "Bot" },
		"by an App":         func(p map[string]any) { at(p, "comment")["performed_via_github_app"] = map[string]any{"id": 4} },
		"odd login":         func(p map[string]any) { at(at(p, "comment"), "user")["login"] = "../alice" },
		"no repository":     func(p map[string]any) { delete(p, "repository") },
		"path for a name":   func(p map[string]any) { at(p, "repository")["full_name"] = "acme/../x" },
		"no number":         func(p map[string]any) { at(p, "issue")["number"] = 0 },
		"no comment at all": func(p map[string]any) { delete(p, "comment") },
	} {
		t.Run(name, func(t *testing.T) {
			in := &inbox{}
			if got := post(handler(t, in), "issue_comment", comment(change)); got.Code != http.StatusAccepted || len(in.events) != 0 {
				t.Errorf("answered %d, events %+v", got.Code, in.events)
			}
		})
	}
}

func TestPullRequestOfAForkWithOurBranchName(t *testing.T) {
	payload := func(head int) []byte {
		return fmt.Appendf(nil, `{"action":"closed","repository":{"id":1,"full_name":%q},"sender":{"login":"mallory","type":"User"},
			"pull_request":{"number":4,"merged":false,"head":{"ref":%q,"sha":%q,"repo":{"id":%d,"full_name":"mallory/shop"}}}}`, repo, branch, strings.Repeat("a", 40), head)
	}
	in := &inbox{}
	h := handler(t, in)
	post(h, "pull_request", payload(2))
	if len(in.events) != 0 {
		t.Fatalf("a fork's pull request counts: %+v", in.events)
	}
	post(h, "pull_request", payload(1))
	if len(in.events) != 1 || in.events[0].Kind != docket.PullClosed {
		t.Fatalf("%+v", in.events)
	}
}

func TestCheckOfAnotherApp(t *testing.T) {
	payload := func(app int, action string) []byte {
		return fmt.Appendf(nil, `{"action":%q,"repository":{"id":1,"full_name":%q},"sender":{"login":"alice","type":"User"},"requested_action":{"identifier":"retry"},
			"check_run":{"external_id":%q,"head_sha":%q,"app":{"id":%d},"check_suite":{"head_branch":%q}}}`, action, repo, fingerprint, strings.Repeat("a", 40), app, branch)
	}
	in := &inbox{}
	h := handler(t, in)
	post(h, "check_run", payload(8, "rerequested"))
	post(h, "check_run", payload(7, "created"))
	if len(in.events) != 0 {
		t.Fatalf("%+v", in.events)
	}
	post(h, "check_run", payload(7, "rerequested"))
	post(h, "check_run", payload(7, "requested_action"), func(r *http.Request) { r.Header.Set("X-GitHub-Delivery", "2") })
	if len(in.events) != 2 || in.events[0].Command != "" || in.events[1].Command != "retry" || in.events[0].Branch != branch || in.events[0].Case != fingerprint {
		t.Fatalf("%+v", in.events)
	}
}

func TestPingAndInstallation(t *testing.T) {
	in := &inbox{}
	h := handler(t, in)
	if got := post(h, "ping", []byte(`{"zen":"Design for failure."}`)); got.Code != http.StatusOK {
		t.Errorf("ping: %d", got.Code)
	}
	for _, kind := range []string{"installation", "installation_repositories", "star"} {
		if got := post(h, kind, []byte(`{"action":"created"}`)); got.Code != http.StatusAccepted || len(in.events) != 0 {
			t.Errorf("%s: %d", kind, got.Code)
		}
	}
}

func TestTargetBranchIsTheConfiguredOne(t *testing.T) {
	in := &inbox{}
	h := offline(t).Webhook(func() []byte { return []byte(secret) }, in.receive, func(string) string { return "release" })
	for _, ref := range []string{"refs/heads/main", "refs/heads/release", "refs/tags/release", "refs/heads/remediator/0123456789ab"} {
		post(h, "push", fmt.Appendf(nil, `{"ref":%q,"after":%q,"repository":{"id":1,"full_name":%q,"default_branch":"main"},"sender":{"login":"a"}}`, ref, strings.Repeat("b", 40), repo))
	}
	post(h, "push", fmt.Appendf(nil, `{"ref":"refs/heads/release","deleted":true,"after":%q,"repository":{"id":1,"full_name":%q}}`, strings.Repeat("0", 40), repo))
	if len(in.events) != 1 || in.events[0].Branch != "release" {
		t.Fatalf("%+v", in.events)
	}
}

func TestMissedDeliveriesAreFoundAgain(t *testing.T) {
	w, c, _, p := proposed(t)
	w.drain(t)
	in := w.listen(t, c)
	in.fail = errors.New("the service is down")
	must(w.As("alice").Comment(w.repo, p.Number, "/remediator retry"))(t)
	if err := w.As("alice").Close(w.repo, p.Number); err != nil {
		t.Fatal(err)
	}
	w.drain(t)
	in.mu.Lock()
	in.fail = nil
	in.mu.Unlock()
	since := time.Now().Add(-time.Hour)
	if n := must(c.Reconcile(t.Context(), since))(t); n == 0 {
		t.Fatal("nothing was asked for again")
	}
	w.drain(t)
	if got := in.kinds(); len(got) != 2 {
		t.Fatalf("%v", got)
	}
	for _, again := range []*github.Client{c, w.client(t)} {
		if n := must(again.Reconcile(t.Context(), since))(t); n != 0 {
			t.Errorf("%d asked for once more", n)
		}
	}
	w.drain(t)
	if got := in.kinds(); len(got) != 2 {
		t.Fatalf("%v", got)
	}
	if _, err := w.client(t, withToken(w.Token("alice"))).Reconcile(t.Context(), since); !errors.Is(err, github.ErrNoDeliveries) {
		t.Errorf("with a token: %v", err)
	}
}

func FuzzWebhook(f *testing.F) {
	f.Add("issue_comment", comment(nil))
	f.Add("pull_request", []byte(`{"pull_request":{"head":{"repo":null}}}`))
	f.Add("push", []byte(`{"ref":"refs/heads/x"}`))
	f.Add("check_run", []byte(`{"check_run":{}}`))
	f.Add("check_suite", []byte(`null`))
	c, err := github.New(github.Options{AppID: 7, PrivateKey: keyPEM()})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		in := &inbox{}
		post(c.Webhook(func() []byte { return []byte(secret) }, in.receive, nil), kind, body)
		for _, e := range in.events {
			if strings.Count(e.Repository, "/") != 1 || e.Kind == "" || strings.ContainsAny(e.User+e.Branch+e.Argument+e.Case, "\n\r\x00") {
				t.Fatalf("%+v", e)
			}
		}
	})
}
