package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/web"
	"github.com/remediator/remediator/remedy/docket"
	"github.com/remediator/remediator/remedy/docket/dockettest"
)

// office is a service whose cases are in memory, behind its real API.
type office struct {
	t      *testing.T
	store  *dockettest.View
	server *httptest.Server
	asked  []docket.Action
	fail   error
}

const officeToken = "the-token-of-the-test"

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, store: dockettest.NewMemory(nil).As(dockettest.NewProcess())}
	sum := sha256.Sum256([]byte(officeToken))
	reader := sha256.Sum256([]byte("reader"))
	h, err := web.New(web.Options{
		Store: o.store, Blobs: o.store, Letters: o.store, Now: time.Now, Log: slog.New(slog.DiscardHandler), Version: "test",
		Act: func(_ context.Context, a docket.Action) (string, error) {
			o.asked = append(o.asked, a)
			return a.Name + ": taken down\x1b[31m", o.fail
		},
		Breaker:      func(context.Context) (docket.Breaker, error) { return docket.Breaker{}, nil },
		ResetBreaker: func(context.Context, string, string) error { return nil },
		Tokens: func() []config.Token {
			return []config.Token{{Name: "jane", Role: "approve", SHA256: hex.EncodeToString(sum[:])}, {Name: "screen", Role: "read", SHA256: hex.EncodeToString(reader[:])}}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	o.server = httptest.NewServer(h)
	t.Cleanup(func() { h.Close(); o.server.Close() })
	t.Setenv("REMEDIATOR_URL", o.server.URL)
	t.Setenv("REMEDIATOR_TOKEN", officeToken)
	for i := range 3 {
		now := time.Now().Add(-time.Duration(i) * time.Hour)
		r := &docket.Record{
			Schema: docket.RecordSchema, Fingerprint: fmt.Sprintf("%08x%024x", i+1, 0), Stage: docket.Held, Repository: "acme/shop", Alerts: 2, FirstAlert: now, LastAlert: now, Updated: now,
			Incident: incident.Incident{Name: "ErrorBudgetBurn", Service: "payments\x1b]0;owned\x07", Severity: incident.Critical},
			Hold:     &docket.Hold{Code: "approval", Why: "a critical incident waits for a person", Since: now},
			History:  []docket.Event{{At: now, Kind: "alert", Text: "the first alert", By: "alertmanager"}},
		}
		if i == 2 {
			r.Stage, r.Hold = docket.Declined, nil
			r.Summary = &docket.Summary{Title: "No cause in the code", Why: "too few traces", Next: "send traces of checkout"}
		}
		if err := o.store.Put(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// cases runs one command line.
func cases(args ...string) (out, errs string, code int) {
	var stdout, stderr bytes.Buffer
	code = execute(context.Background(), append([]string{"cases"}, args...), stdio{strings.NewReader(""), &stdout, &stderr})
	return stdout.String(), stderr.String(), code
}

func TestCasesListAndShow(t *testing.T) {
	o := newOffice(t)
	out, errs, code := cases("list")
	if code != exitOK || strings.Count(out, "\n") != 4 || !strings.Contains(out, "ErrorBudgetBurn in payments") || !strings.Contains(out, "0000000100") || !strings.Contains(out, "declined") {
		t.Errorf("%d %s\n%s", code, errs, out)
	}
	if strings.Contains(out, "\x1b") {
		t.Errorf("a service's name reaches the terminal as it is: %q", out)
	}
	for args, want := range map[string]int{"--stage held": 3, "--stage held,declined": 4, "--service none": 1, "--limit 1": 3, "--since 30m": 2, "--repository acme/shop": 4} {
		out, errs, code := cases(append([]string{"list"}, strings.Fields(args)...)...)
		if code != exitOK || strings.Count(out, "\n") != want {
			t.Errorf("%s: %d %s\n%s", args, code, errs, out)
		}
	}
	var list web.List
	if out, _, code := cases("list", "--format", "json"); code != exitOK || json.Unmarshal([]byte(out), &list) != nil || len(list.Cases) != 3 || list.Total != 3 {
		t.Errorf("%d %s", code, out)
	}
	out, errs, code = cases("show", "00000001")
	if code != exitOK || !strings.Contains(out, "a critical incident waits") || !strings.Contains(out, "the first alert (alertmanager)") || !strings.Contains(out, "cases approve 0000000100") || strings.Contains(out, "\x1b") {
		t.Errorf("%d %s\n%s", code, errs, out)
	}
	held, err := o.store.Get(t.Context(), fmt.Sprintf("%08x%024x", 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	held.Hold.Code = "no_forge"
	if err := o.store.Put(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	if out, _, code = cases("show", "00000001"); code != exitOK || strings.Contains(out, "cases approve") || !strings.Contains(out, "cases reject") {
		t.Errorf("what no approval ends asks for one: %d %s", code, out)
	}
	if out, _, code = cases("show", "00000003"); code != exitOK || !strings.Contains(out, "send traces of checkout") {
		t.Errorf("%d %s", code, out)
	}
	var c map[string]any
	if out, _, code := cases("show", "00000001", "--format", "json"); code != exitOK || json.Unmarshal([]byte(out), &c) != nil || c["stage"] != "held" || c["waiting"] != true {
		t.Errorf("%d %s", code, out)
	}
}

func TestCasesDecide(t *testing.T) {
	o := newOffice(t)
	for _, verb := range []string{"approve", "reject", "retry"} {
		out, errs, code := cases(verb, "00000001", "--reason", "read the diff")
		if code != exitOK || !strings.Contains(out, verb+": taken down") || strings.Contains(out, "\x1b") {
			t.Errorf("%s: %d %s %q", verb, code, errs, out)
		}
	}
	if len(o.asked) != 3 || o.asked[0].Case != fmt.Sprintf("%08x%024x", 1, 0) || o.asked[0].By != "jane" || o.asked[0].Via != "api" || o.asked[0].Reason != "read the diff" || o.asked[1].Name != "reject" {
		t.Errorf("%+v", o.asked)
	}
	o.fail = docket.ErrConflict
	if _, errs, code := cases("approve", "00000001"); code != exitNo || !strings.Contains(errs, "decide anew") {
		t.Errorf("a conflict: %d %s", code, errs)
	}
}

func TestCasesErrorsNameTheNextStep(t *testing.T) {
	o := newOffice(t)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(officeToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	odd := filepath.Join(t.TempDir(), "odd")
	if err := os.WriteFile(odd, []byte("two words"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("REMEDIATOR_TOKEN", "")
	if _, errs, code := cases("list", "--token-file", file); code != exitOK {
		t.Errorf("a token in a file: %d %s", code, errs)
	}
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "retry") {
			http.Redirect(w, r, "http://127.0.0.1:9/", http.StatusTemporaryRedirect)
			return
		}
		fmt.Fprint(w, "<html>")
	}))
	defer other.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, c := range []struct {
		token, args, want string
		code              int
	}{
		{"", "list", "--token-file", exitInput},
		{"wrong", "list", "not known", exitInput},
		{"reader", "approve 00000001", "role read", exitInput},
		{officeToken, "show 00000009", "no such case", exitInput},
		{officeToken, "show 1234", "at least 8", exitInput},
		{officeToken, "show ../dead-letters", "not a fingerprint", exitInput},
		{officeToken, "list --stage nonsense", "there is no stage", exitInput},
		{officeToken, "list --since yesterday", "24h", exitUsage},
		{officeToken, "list --limit 0", "at least 1", exitUsage},
		{officeToken, "list --format xml", "choose one of text, json", exitUsage},
		{officeToken, "show", "one argument", exitUsage},
		{officeToken, "frobnicate", "unknown command", exitUsage},
		{officeToken, "list --url nonsense", "https address", exitUsage},
		{officeToken, "list --url http://remediator.example.com", "unencrypted", exitUsage},
		{officeToken, "list --url " + gone.URL, "remediator serve", exitMachine},
		{officeToken, "list --url " + other.URL, "remediator serve", exitMachine},
		{officeToken, "retry 00000001 --url " + other.URL, "remediator serve", exitMachine},
		{"", "list --token-file " + odd, "one token", exitInput},
		{"", "list --token-file /nowhere", "no such file", exitInput},
	} {
		t.Setenv("REMEDIATOR_TOKEN", c.token)
		out, errs, code := cases(strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%s: %d, want %d with %q: %s%s", c.args, code, c.code, c.want, out, errs)
		}
		if c.token != "" && strings.Contains(errs+out, officeToken) {
			t.Errorf("%s: the token got out", c.args)
		}
	}
	if len(o.asked) != 0 {
		t.Errorf("%+v", o.asked)
	}
}
