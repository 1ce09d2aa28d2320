package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"pgregory.net/rapid"

	"github.com/remediator/remediator/remedy/docket"
)

func TestMessageIsSentOnceAndUpdatedInPlace(t *testing.T) {
	w := newWorkspace(t)
	r := w.held()
	ref, err := w.chat.Notify(t.Context(), r, "")
	if err != nil || ref != "C042:1700000000.000001" {
		t.Fatalf("%q %v", ref, err)
	}
	first := w.got()[0]
	if first.method != "chat.postMessage" || first.form.Get("channel") != "#incidents" || first.form.Get("unfurl_links") != "false" {
		t.Errorf("%s %v", first.method, first.form)
	}
	for _, text := range []string{"Retries without backoff in payments", "Waits for a person", "a critical incident waits", "Proved: the incident is gone", "acme/shop", "3 alerts", `"https://remediator.example.com/cases/` + r.Fingerprint + `"`} {
		if !strings.Contains(first.form.Get("blocks"), text) {
			t.Errorf("%q is not in the message %s", text, first.form.Get("blocks"))
		}
	}
	if w.button(first, "approve") == "" || w.button(first, "reject") == "" {
		t.Error("no buttons to decide with")
	}
	r.Stage, r.Hold = docket.Proposed, nil
	r.Decision = &docket.Decision{Approve: true, By: "jane (U1)", Via: "slack", Reason: "read it"}
	r.Pull = &docket.Pull{Number: 12, URL: "https://github.com/acme/shop/pull/12", State: "open", Draft: true}
	again, err := w.chat.Notify(t.Context(), r, ref)
	if err != nil || again != ref {
		t.Fatalf("%q %v", again, err)
	}
	second := w.got()[1]
	if second.method != "chat.update" || second.form.Get("channel") != "C042" || second.form.Get("ts") != "1700000000.000001" {
		t.Errorf("%s %v", second.method, second.form)
	}
	if w.button(second, "approve") != "" {
		t.Error("what was decided can still be decided")
	}
	for _, text := range []string{"Proposed as a draft", "Approved by jane (U1) (slack): read it", "Pull request #12", "https://github.com/acme/shop/pull/12"} {
		if !strings.Contains(second.form.Get("blocks"), text) {
			t.Errorf("%q is not in the message %s", text, second.form.Get("blocks"))
		}
	}
}

func TestOnlyHoldsThatAnApprovalEndsHaveItsButton(t *testing.T) {
	w := newWorkspace(t)
	r := w.held(func(r *docket.Record) { r.Hold.Code = "human_commits" })
	if _, err := w.chat.Notify(t.Context(), r, ""); err != nil {
		t.Fatal(err)
	}
	if m := w.got()[0]; w.button(m, "approve") != "" || w.button(m, "reject") == "" {
		t.Errorf("buttons of a hold that no approval ends: %s", m.form.Get("blocks"))
	}
	r.Hold = &docket.Hold{Code: "limit", Why: "5 an hour", Since: w.clock.Now(), Until: w.clock.Now().Add(time.Hour)}
	if _, err := w.chat.Notify(t.Context(), r, "C042:1"); err != nil {
		t.Fatal(err)
	}
	if m := w.got()[1]; w.button(m, "approve") != "" || !strings.Contains(m.form.Get("blocks"), "Paused until 4 Mar 06:06") {
		t.Errorf("a hold that ends by itself: %s", m.form.Get("blocks"))
	}
}

func TestNothingIsSaidBeforeThereIsSomethingToSay(t *testing.T) {
	w := newWorkspace(t)
	r := w.held()
	for _, stage := range []docket.Stage{docket.Queued, docket.Running, docket.Writing, docket.Joined} {
		r.Stage = stage
		if ref, err := w.chat.Notify(t.Context(), r, ""); ref != "" || err != nil {
			t.Errorf("%s: %q %v", stage, ref, err)
		}
	}
	w.settings.Token = ""
	r.Stage = docket.Held
	if ref, err := w.chat.Notify(t.Context(), r, "C042:1"); ref != "C042:1" || err != nil {
		t.Errorf("without a token: %q %v", ref, err)
	}
	if got := w.got(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestMessageThatIsGoneIsSentAnew(t *testing.T) {
	for _, name := range []string{"message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found"} {
		w := newWorkspace(t)
		w.answer("chat.update", refusal(name))
		ref, err := w.chat.Notify(t.Context(), w.held(), "C001:1.1")
		if err != nil || ref != "C042:1700000000.000002" || w.methods() != "chat.update chat.postMessage" {
			t.Errorf("%s: %q %v after %s", name, ref, err, w.methods())
		}
	}
	w := newWorkspace(t)
	if ref, err := w.chat.Notify(t.Context(), w.held(), "not a reference"); err != nil || ref != "C042:1700000000.000001" {
		t.Errorf("a damaged reference: %q %v", ref, err)
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	for name, next := range map[string]string{"not_in_channel": "invite", "invalid_auth": "token_file", "missing_scope": "chat:write", "is_archived": "slack.channel", "fatal_error": "fatal_error"} {
		w := newWorkspace(t)
		w.answer("chat.postMessage", refusal(name))
		ref, err := w.chat.Notify(t.Context(), w.held(), "")
		if err == nil || ref != "" || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), next) {
			t.Errorf("%s: %q %v", name, ref, err)
		}
		if strings.Contains(fmt.Sprint(err), botToken) || strings.Contains(w.log.String(), botToken) {
			t.Error("the token got out")
		}
	}
}

func TestSlackIsGivenTheTimeItAsksFor(t *testing.T) {
	w := newWorkspace(t)
	w.answer("chat.postMessage", later(7))
	w.answer("chat.postMessage", later(0))
	if _, err := w.chat.Notify(t.Context(), w.held(), ""); err != nil {
		t.Fatal(err)
	}
	if len(w.waited) != 2 || w.waited[0] != 7*time.Second || w.waited[1] != time.Second {
		t.Errorf("waited %v", w.waited)
	}
	for range attempts {
		w.answer("chat.update", later(3))
	}
	if _, err := w.chat.Notify(t.Context(), w.held(func(r *docket.Record) { r.Fingerprint = strings.Repeat("1", 32) }), "C042:1"); err == nil {
		t.Error("it goes on for ever")
	}
}

// While Slack asks for more patience than a worker has, nothing at all is sent.
func TestLongPatienceIsKeptForOtherMessagesToo(t *testing.T) {
	w := newWorkspace(t)
	w.answer("chat.postMessage", later(3600))
	r := w.held()
	if _, err := w.chat.Notify(t.Context(), r, ""); err == nil {
		t.Fatal("no error")
	}
	before := len(w.got())
	if _, err := w.chat.Notify(t.Context(), r, ""); err == nil || len(w.got()) != before || len(w.waited) != 0 {
		t.Errorf("%v, %d calls, waited %v", err, len(w.got()), w.waited)
	}
	w.clock.Advance(time.Hour)
	if _, err := w.chat.Notify(t.Context(), r, ""); err != nil {
		t.Errorf("an hour later: %v", err)
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	w := newWorkspace(t)
	w.answer("chat.postMessage", later(9))
	w.chat.wait = func(context.Context, time.Duration) error { return context.Canceled }
	if _, err := w.chat.Notify(t.Context(), w.held(), ""); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestBrokenAnswers(t *testing.T) {
	for name, f := range map[string]func(http.ResponseWriter){
		"500": func(rw http.ResponseWriter) { rw.WriteHeader(500) }, "no JSON": func(rw http.ResponseWriter) { fmt.Fprint(rw, "<html>") }, "empty": func(http.ResponseWriter) {},
		"redirect": func(rw http.ResponseWriter) {
			rw.Header().Set("Location", "http://127.0.0.1:9/steal")
			rw.WriteHeader(http.StatusTemporaryRedirect)
		},
		"429 without a time": func(rw http.ResponseWriter) { rw.WriteHeader(429) },
		"endless":            func(rw http.ResponseWriter) { fmt.Fprint(rw, `{"ok":true,"x":"`+strings.Repeat("x", 2*maxAnswer)+`"}`) },
	} {
		w := newWorkspace(t)
		w.answer("chat.postMessage", f)
		if ref, err := w.chat.Notify(t.Context(), w.held(), ""); err == nil || ref != "" || strings.Contains(err.Error(), botToken) {
			t.Errorf("%s: %q %v", name, ref, err)
		}
	}
}

// Whatever a case holds, Slack accepts the message, and nothing in it is a mention, a link or markup.
func TestAttackTextOfACase(t *testing.T) {
	w := newWorkspace(t)
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.OneOf(rapid.SampledFrom([]string{"<!channel> <@U1> <https://evil.example|click>", "*x* _y_ `z` @here", "", " ", "\u202e\x00\x1b[31m", strings.Repeat("😀", 5000), strings.Repeat("x", 9000), "a\nb"}), rapid.String())
		r := &docket.Record{
			Fingerprint: strings.Repeat("a", 32), Stage: rapid.SampledFrom([]docket.Stage{docket.Queued, docket.Running, docket.Held, docket.Writing, docket.Proposed, docket.Merged, docket.Refused, docket.Declined, docket.Joined, docket.Failed, "odd"}).Draw(rt, "stage"),
			Repository: text.Draw(rt, "repository"), Failure: text.Draw(rt, "failure"), JoinedTo: text.Draw(rt, "joined"),
			Summary:  &docket.Summary{Title: text.Draw(rt, "title"), Why: text.Draw(rt, "why"), Next: text.Draw(rt, "next"), Rung: text.Draw(rt, "rung"), Service: text.Draw(rt, "service"), Commit: "1"},
			Hold:     &docket.Hold{Code: "approval", Why: text.Draw(rt, "hold"), Since: time.Unix(1, 0)},
			Decision: &docket.Decision{By: text.Draw(rt, "by"), Via: text.Draw(rt, "via"), Reason: text.Draw(rt, "reason")},
			Pull:     &docket.Pull{URL: text.Draw(rt, "url")},
		}
		r.Incident.Name = text.Draw(rt, "name")
		note, blocks := w.chat.message(r)
		if strings.ContainsAny(note, "<>\n") || note == "" || len(note) > 1500 {
			rt.Fatalf("notification %q", note)
		}
		data, err := json.Marshal(blocks)
		if err != nil {
			rt.Fatal(err)
		}
		var all []object
		if err := json.Unmarshal(data, &all); err != nil {
			rt.Fatal(err)
		}
		if len(all) > 50 {
			rt.Fatalf("%d blocks", len(all))
		}
		var check func(v any, limit int)
		check = func(v any, limit int) {
			switch v := v.(type) {
			case []any:
				for _, e := range v {
					check(e, limit)
				}
			case object:
				switch v["type"] {
				case "header":
					limit = 150
				case "button":
					limit = 75
				case "section", "context":
					limit = 3000
				case "mrkdwn":
					rt.Fatalf("markup: %v", v)
				case "plain_text":
					s := v["text"].(string)
					if n := len(utf16.Encode([]rune(s))); n > limit || n == 0 {
						rt.Fatalf("a text of %d where %d fit", n, limit)
					}
					if strings.ContainsAny(s, "\u202e\x00\x1b\n") {
						rt.Fatalf("%q", s)
					}
				}
				if u, ok := v["url"].(string); ok && (!strings.HasPrefix(u, "http") || len(u) > 3000) {
					rt.Fatalf("link %q", u)
				}
				if value, ok := v["value"].(string); ok && len(value) > 2000 {
					rt.Fatalf("value of %d", len(value))
				}
				for _, e := range v {
					check(e, limit)
				}
			}
		}
		for _, b := range all {
			check(b, 0)
		}
	})
}

func TestClipCountsAsSlackDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, n := rapid.String().Draw(t, "s"), rapid.IntRange(2, 40).Draw(t, "n")
		got := clip(s, n)
		if len(utf16.Encode([]rune(got))) > n {
			t.Fatalf("%q is longer than %d", got, n)
		}
		if len(utf16.Encode([]rune(s))) <= n && got != s {
			t.Fatalf("%q fits and became %q", s, got)
		}
	})
}

func TestOptionsThatCannotWork(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("without anything")
	}
	w := newWorkspace(t)
	for _, bad := range []string{"slack.com", "ftp://x", "https://"} {
		if _, err := New(Options{URL: bad, Settings: w.chat.settings, Now: w.clock.Now, Wait: w.chat.wait, Log: w.chat.log}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	own, err := New(Options{Settings: w.chat.settings, Now: w.clock.Now, Wait: w.chat.wait, Log: w.chat.log})
	if err != nil || own.api != "https://slack.com/api/" {
		t.Errorf("%q %v", own.api, err)
	}
}
