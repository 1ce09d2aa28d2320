package githubtest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-github/v66/github"

	"github.com/remediator/remediator/internal/githubtest"
)

// receiver takes webhooks and checks their signature as a program would.
type receiver struct {
	mu     sync.Mutex
	guids  []string
	events []string
	bodies []map[string]any
}

func (r *receiver) serve(t *testing.T, secret string) string {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		sum := hmac.New(sha256.New, []byte(secret))
		sum.Write(body)
		if err != nil || req.Header.Get("X-Hub-Signature-256") != "sha256="+hex.EncodeToString(sum.Sum(nil)) {
			t.Errorf("signature %q does not fit (%v)", req.Header.Get("X-Hub-Signature-256"), err)
		}
		if _, err := github.ParseWebHook(req.Header.Get("X-GitHub-Event"), body); err != nil {
			t.Errorf("go-github cannot read %s: %v", req.Header.Get("X-GitHub-Event"), err)
		}
		var payload map[string]any
		if err := json.Unmarshal(body, &payload); err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.guids = append(r.guids, req.Header.Get("X-GitHub-Delivery"))
		r.events = append(r.events, req.Header.Get("X-GitHub-Event"))
		r.bodies = append(r.bodies, payload)
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(h.Close)
	return h.URL
}

func (r *receiver) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.guids, r.events, r.bodies = nil, nil, nil
}

func TestWebhooksAreSignedAndFilledWithTheState(t *testing.T) {
	var in receiver
	s, r := start(t, githubtest.Options{WebhookURL: in.serve(t, "s3cret"), WebhookSecret: "s3cret"})
	pr := propose(t, client(t, s), "remediator/hooks")
	if err := s.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	in.forget()
	if _, err := s.As("alice").Comment(r, pr.GetNumber(), "/remediator retry"); err != nil {
		t.Fatal(err)
	}
	if err := s.As("alice").Close(r, pr.GetNumber()); err != nil {
		t.Fatal(err)
	}
	if err := s.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"issue_comment", "pull_request"}; !slices.Equal(in.events, want) {
		t.Fatalf("events = %v, want %v", in.events, want)
	}
	comment := in.bodies[0]["comment"].(map[string]any)
	if comment["body"] != "/remediator retry" || in.bodies[0]["sender"].(map[string]any)["login"] != "alice" {
		t.Errorf("comment = %v by %v", comment["body"], in.bodies[0]["sender"])
	}
	if in.bodies[1]["action"] != "closed" || in.bodies[1]["pull_request"].(map[string]any)["state"] != "closed" {
		t.Errorf("pull request = %v", in.bodies[1]["action"])
	}
	if in.bodies[1]["installation"].(map[string]any)["id"].(float64) != float64(s.InstallationID(shop)) {
		t.Errorf("installation = %v", in.bodies[1]["installation"])
	}
}

func TestDeliveriesAreLostRepeatedAndSentAgain(t *testing.T) {
	var in receiver
	s, r := start(t, githubtest.Options{WebhookURL: in.serve(t, "x"), WebhookSecret: "x"})
	n := propose(t, client(t, s), "remediator/lost").GetNumber()
	drain := func() {
		t.Helper()
		if err := s.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	drain()
	in.forget()
	comment := func() {
		t.Helper()
		if _, err := s.As("alice").Comment(r, n, "hello"); err != nil {
			t.Fatal(err)
		}
		drain()
	}
	isComment := func(d githubtest.Delivery) bool { return d.Event == "issue_comment" }

	s.Lose(isComment)
	comment()
	s.Lose(nil)
	if len(in.guids) != 0 {
		t.Fatalf("a lost delivery arrived: %v", in.events)
	}
	s.Duplicate(isComment)
	comment()
	s.Duplicate(nil)
	if len(in.guids) != 2 || in.guids[0] != in.guids[1] {
		t.Fatalf("sent twice: %v", in.guids)
	}

	// A program finds what it missed and asks for it again.
	app := asApp(t, s)
	var missed *github.HookDelivery
	list, _, err := app.Apps.ListHookDeliveries(t.Context(), &github.ListCursorOptions{PerPage: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		if d.GetStatusCode() >= 400 {
			missed = d
		}
	}
	if missed.GetEvent() != "issue_comment" || missed.GetAction() != "created" {
		t.Fatalf("missed = %v", missed)
	}
	in.forget()
	if _, _, err := app.Apps.RedeliverHookDelivery(t.Context(), missed.GetID()); err != nil && status(err) != 0 {
		t.Fatal(err)
	}
	drain()
	if len(in.guids) != 1 || in.guids[0] != missed.GetGUID() {
		t.Errorf("sent again: %v, want %s", in.guids, missed.GetGUID())
	}
	full, _, err := app.Apps.GetHookDelivery(t.Context(), missed.GetID())
	if err != nil || full.Request == nil || full.Request.RawPayload == nil {
		t.Errorf("the delivery with its payload: %v, %v", full, err)
	}
}

func TestDeliveriesPageByCursor(t *testing.T) {
	s, r := start(t, githubtest.Options{})
	n := propose(t, client(t, s), "remediator/cursor").GetNumber()
	for range 6 {
		if _, err := s.As("alice").Comment(r, n, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	app := asApp(t, s)
	opt := &github.ListCursorOptions{PerPage: 4}
	seen := map[int64]bool{}
	for {
		page, resp, err := app.Apps.ListHookDeliveries(t.Context(), opt)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page {
			seen[d.GetID()] = true
		}
		if resp.Cursor == "" {
			break
		}
		opt.Cursor = resp.Cursor
	}
	if len(seen) != len(s.Deliveries()) {
		t.Errorf("%d deliveries on all pages, want %d", len(seen), len(s.Deliveries()))
	}
}
