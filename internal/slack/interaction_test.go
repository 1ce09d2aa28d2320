package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/remedy/docket"
)

// ready is a workspace with the message of a held case and the value of its buttons.
func ready(t *testing.T) (*workspace, *docket.Record, string) {
	t.Helper()
	w := newWorkspace(t)
	r := w.held()
	if _, err := w.chat.Notify(t.Context(), r, ""); err != nil {
		t.Fatal(err)
	}
	return w, r, w.button(w.got()[0], "approve")
}

// dialog presses a button and returns what the dialog carries.
func (w *workspace) dialog(user, action, value string) (metadata string, view object) {
	w.t.Helper()
	if rec := w.request(press(user, action, value)); rec.Code != http.StatusOK {
		w.t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	calls := w.got()
	last := calls[len(calls)-1]
	if last.method != "views.open" {
		w.t.Fatalf("after the button: %s %v", last.method, last.form)
	}
	view, _ = last.body["view"].(object)
	metadata, _ = view["private_metadata"].(string)
	if last.body["trigger_id"] != "123.456.abc" || metadata == "" {
		w.t.Fatalf("%v", last.body)
	}
	return metadata, view
}

func TestDecisionInSlack(t *testing.T) {
	for _, action := range []string{"approve", "reject"} {
		w, r, value := ready(t)
		metadata, view := w.dialog("U1", action, value)
		if text := fmt.Sprint(view); !strings.Contains(text, "Retries without backoff") || !strings.Contains(strings.ToLower(text), action) {
			t.Errorf("%s: %s", action, text)
		}
		if len(w.actions()) != 0 {
			t.Fatal("something was decided before the dialog was sent off")
		}
		rec := w.request(submit("U1", metadata, "  I read the diff \n"))
		if rec.Code != http.StatusOK || rec.Body.Len() != 0 {
			t.Errorf("%s: %d %s", action, rec.Code, rec.Body)
		}
		want := docket.Action{Case: r.Fingerprint, Name: action, By: "jane (U1)", Via: "slack", Reason: "I read the diff"}
		if got := w.actions(); len(got) != 1 || got[0] != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		if log := w.log.String(); !strings.Contains(log, "audit=true") || !strings.Contains(log, "jane (U1)") {
			t.Errorf("not in the audit log: %s", log)
		}
	}
}

func TestAttackWrongSignature(t *testing.T) {
	w, _, value := ready(t)
	payload, err := json.Marshal(press("U1", "approve", value))
	if err != nil {
		t.Fatal(err)
	}
	body := url.Values{"payload": {string(payload)}}.Encode()
	stamp := strconv.FormatInt(w.clock.Now().Unix(), 10)
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for name, change := range map[string]func(*http.Request){
		"another secret": header("X-Slack-Signature", sign("other", stamp, body)), "another body": header("X-Slack-Signature", sign(secret, stamp, body+" ")), "none": header("X-Slack-Signature", ""),
		"short": header("X-Slack-Signature", sign(secret, stamp, body)[:20]), "not hex": header("X-Slack-Signature", "v0="+strings.Repeat("zz", 32)), "no timestamp": header("X-Slack-Request-Timestamp", ""),
		"timestamp of another request": header("X-Slack-Request-Timestamp", strconv.FormatInt(w.clock.Now().Unix()-1, 10)), "odd timestamp": header("X-Slack-Request-Timestamp", stamp+" "), "version 1": header("X-Slack-Signature", "v1"+strings.TrimPrefix(sign(secret, stamp, body), "v0")),
	} {
		if rec := w.raw(body, change); rec.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, rec.Code)
		}
	}
	w.settings.SigningSecret = ""
	if rec := w.raw(body, header("X-Slack-Signature", sign("", stamp, body))); rec.Code != http.StatusUnauthorized {
		t.Errorf("without a secret: %d", rec.Code)
	}
	if got := w.methods(); got != "chat.postMessage" {
		t.Errorf("something came of it: %s", got)
	}
	if strings.Contains(w.log.String(), secret) {
		t.Error("the secret stands in the log")
	}
}

func TestAttackOldTimestamp(t *testing.T) {
	w, _, value := ready(t)
	payload, err := json.Marshal(press("U1", "approve", value))
	if err != nil {
		t.Fatal(err)
	}
	body := url.Values{"payload": {string(payload)}}.Encode()
	for age, want := range map[time.Duration]int{window + time.Second: 401, -window - time.Second: 401, 24 * time.Hour: 401, window: 200, -window: 200} {
		stamp := strconv.FormatInt(w.clock.Now().Add(-age).Unix(), 10)
		rec := w.raw(body, func(r *http.Request) {
			r.Header.Set("X-Slack-Request-Timestamp", stamp)
			r.Header.Set("X-Slack-Signature", sign(secret, stamp, body))
		})
		if rec.Code != want {
			t.Errorf("%s old: %d, want %d", age, rec.Code, want)
		}
	}
}

func TestAttackReplayedRequest(t *testing.T) {
	w, _, value := ready(t)
	metadata, _ := w.dialog("U1", "approve", value)
	payload := submit("U1", metadata, "yes")
	if rec := w.request(payload); rec.Code != http.StatusOK {
		t.Fatal(rec.Code)
	}
	for _, wait := range []time.Duration{0, window - time.Second, 2 * time.Second} {
		data, err := json.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		body := url.Values{"payload": {string(data)}}.Encode()
		stamp := strconv.FormatInt(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC).Unix(), 10)
		w.clock.Advance(wait)
		rec := w.raw(body, func(r *http.Request) {
			r.Header.Set("X-Slack-Request-Timestamp", stamp)
			r.Header.Set("X-Slack-Signature", sign(secret, stamp, body))
		})
		if rec.Code != http.StatusUnauthorized {
			t.Errorf("%s later: %d", wait, rec.Code)
		}
	}
	if n := len(w.actions()); n != 1 {
		t.Errorf("decided %d times", n)
	}
}

func TestAttackManyRequestsToForgetOne(t *testing.T) {
	var s signatures
	now := time.Unix(1_700_000_000, 0)
	first := [32]byte{1}
	if !s.first(first, now, now) {
		t.Fatal("the first is refused")
	}
	for i := range maxSeen + 10 {
		s.first([32]byte{2, byte(i), byte(i >> 8), byte(i >> 16)}, now, now)
	}
	if s.first(first, now, now) || len(s.at) > maxSeen {
		t.Errorf("forgotten after %d others", len(s.at))
	}
	if !s.first([32]byte{3}, now.Add(window+time.Minute), now.Add(window+time.Minute)) {
		t.Error("nothing is let in any more")
	}
}

func TestAttackForeignUser(t *testing.T) {
	w, _, value := ready(t)
	metadata, _ := w.dialog("U1", "approve", value)
	before := len(w.got())
	if rec := w.request(press("U666", "approve", value)); rec.Code != http.StatusOK {
		t.Fatal(rec.Code)
	}
	calls := w.got()
	if last := calls[len(calls)-1]; len(calls) != before+1 || last.method != "chat.postEphemeral" || last.form.Get("user") != "U666" || !strings.Contains(last.form.Get("text"), "not among those") {
		t.Errorf("%s %v", last.method, last.form)
	}
	rec := w.request(submit("U666", metadata, "let me"))
	if !strings.Contains(rec.Body.String(), "not among those") {
		t.Errorf("a dialog sent off by another user: %d %s", rec.Code, rec.Body)
	}
	for _, id := range []string{"", "u1", "U1 "} {
		w.request(submit(id, metadata, "x"))
	}
	if n := len(w.actions()); n != 0 {
		t.Errorf("%d decisions", n)
	}
}

// In a channel shared with another company, its people must not decide, even when everybody may.
func TestAttackUserOfAnotherWorkspace(t *testing.T) {
	w, _, value := ready(t)
	w.settings.Approvers = nil
	metadata, _ := w.dialog("U7", "approve", value)
	for _, team := range []string{"T2", ""} {
		payload := submit("U8", metadata, "x")
		payload["user"] = object{"id": "U8", "team_id": team}
		if rec := w.request(payload); !strings.Contains(rec.Body.String(), "not among those") {
			t.Errorf("team %q: %d %s", team, rec.Code, rec.Body)
		}
	}
	if n := len(w.actions()); n != 0 {
		t.Errorf("%d decisions", n)
	}
	if rec := w.request(submit("U7", metadata, "x")); rec.Code != 200 || len(w.actions()) != 1 {
		t.Errorf("somebody of this workspace: %d %s", rec.Code, rec.Body)
	}
}

func TestAttackForgedResponseURL(t *testing.T) {
	w, _, value := ready(t)
	called := false
	trap := http.NewServeMux()
	trap.HandleFunc("/", func(http.ResponseWriter, *http.Request) { called = true })
	server := newTrap(t, trap)
	for _, address := range []string{server, "http://169.254.169.254/latest/meta-data", "file:///etc/passwd"} {
		pressed := press("U666", "approve", value)
		pressed["response_url"] = address
		w.request(pressed)
		sentOff := submit("U1", `{"c":"abcdef12","a":"approve","ch":"C042"}`, address)
		sentOff["response_urls"] = []object{{"response_url": address, "channel_id": "C042"}}
		w.request(sentOff)
	}
	w.decisions.Wait()
	if called {
		t.Error("an address that a request named was called")
	}
}

func TestAttackForgedValues(t *testing.T) {
	w, r, _ := ready(t)
	before := w.methods()
	for _, value := range []string{"", "{}", "null", `{"c":"../../x"}`, `{"c":"ABCDEF"}`, `{"c":"` + strings.Repeat("a", 65) + `"}`, "[", `{"c":7}`} {
		if rec := w.request(press("U1", "approve", value)); rec.Code != http.StatusOK {
			t.Errorf("%q: %d", value, rec.Code)
		}
	}
	if got := w.methods(); got != before {
		t.Errorf("a forged button opened something: %s", got)
	}
	for _, metadata := range []string{"", "{}", `{"c":"` + r.Fingerprint + `","a":"reset"}`, `{"c":"` + r.Fingerprint + `"}`, "["} {
		if rec := w.request(submit("U1", metadata, "x")); rec.Code != http.StatusBadRequest {
			t.Errorf("%q: %d %s", metadata, rec.Code, rec.Body)
		}
	}
	other := submit("U1", `{"c":"`+r.Fingerprint+`","a":"approve"}`, "x")
	other["view"].(object)["callback_id"] = "of_another_app"
	if rec := w.request(other); rec.Code != http.StatusBadRequest {
		t.Errorf("a dialog of another app: %d", rec.Code)
	}
	if n := len(w.actions()); n != 0 {
		t.Errorf("%d decisions", n)
	}
}

func TestAttackLargeOrOddBodies(t *testing.T) {
	w, _, _ := ready(t)
	if rec := w.raw("payload=" + strings.Repeat("x", maxBody)); rec.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("%d", rec.Code)
	}
	for _, body := range []string{"", "payload=", "payload=%7B", "payload=[]", "%zz", "x=y"} {
		if rec := w.raw(body); rec.Code != http.StatusBadRequest {
			t.Errorf("%q: %d", body, rec.Code)
		}
	}
	if rec := w.raw("", func(r *http.Request) { r.Method = http.MethodGet }); rec.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", rec.Code)
	}
	if rec := w.request(object{"type": "view_closed"}); rec.Code != http.StatusOK {
		t.Errorf("a dialog that was closed: %d", rec.Code)
	}
}

// The button of an old message must not decide on a change that came since.
func TestButtonOfAnOldMessage(t *testing.T) {
	w, r, value := ready(t)
	metadata, _ := w.dialog("U1", "approve", value)
	w.clock.Advance(time.Minute)
	r.Hold = &docket.Hold{Code: "approval", Why: "another change", Since: w.clock.Now()}
	if err := w.memory.Put(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if rec := w.request(submit("U1", metadata, "x")); !strings.Contains(rec.Body.String(), "worked out anew") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	w.request(press("U1", "approve", value))
	calls := w.got()
	if last := calls[len(calls)-1]; last.method != "chat.postEphemeral" || !strings.Contains(last.form.Get("text"), "worked out anew") {
		t.Errorf("%s %v", last.method, last.form)
	}
	r.Stage, r.Hold = docket.Writing, nil
	if err := w.memory.Put(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Second)
	if rec := w.request(submit("U1", metadata, "x")); !strings.Contains(rec.Body.String(), "does not wait") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if n := len(w.actions()); n != 0 {
		t.Errorf("%d decisions", n)
	}
}

func TestFailuresAreToldInTheDialog(t *testing.T) {
	for want, err := range map[string]error{
		"changed meanwhile": fmt.Errorf("x: %w", docket.ErrConflict), "not kept any more": fmt.Errorf("x: %w", docket.ErrNotFound), "log says why": errors.New("dial 10.1.2.3: secret-host"),
	} {
		w, _, value := ready(t)
		metadata, _ := w.dialog("U1", "approve", value)
		w.act = func(docket.Action) (string, error) { return "", err }
		rec := w.request(submit("U1", metadata, "x"))
		var answer struct {
			Action string            `json:"response_action"`
			Errors map[string]string `json:"errors"`
		}
		if json.Unmarshal(rec.Body.Bytes(), &answer) != nil || answer.Action != "errors" || !strings.Contains(answer.Errors[reasonBlock], want) || strings.Contains(rec.Body.String(), "secret-host") {
			t.Errorf("%v: %s", err, rec.Body)
		}
	}
	w, _, value := ready(t)
	metadata, _ := w.dialog("U1", "approve", value)
	if rec := w.request(submit("U1", metadata, strings.Repeat("x", maxReason+1))); !strings.Contains(rec.Body.String(), "longer than") || len(w.actions()) != 0 {
		t.Errorf("a long reason: %s", rec.Body)
	}
}

// Slack gives up after 3 s; what takes longer is told to the person afterwards.
func TestSlowDecisionIsToldLater(t *testing.T) {
	w, _, value := ready(t)
	metadata, _ := w.dialog("U1", "approve", value)
	release := make(chan struct{})
	w.act = func(docket.Action) (string, error) { <-release; return "approved: <done>", nil }
	rec := w.request(submit("U1", metadata, "x"))
	if rec.Code != http.StatusOK || rec.Body.Len() != 0 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	close(release)
	calls := w.got()
	if last := calls[len(calls)-1]; last.method != "chat.postEphemeral" || last.form.Get("user") != "U1" || last.form.Get("channel") != "C042" || last.form.Get("text") != "approved: &lt;done&gt;" {
		t.Errorf("%s %v", last.method, last.form)
	}
}

func TestDialogThatCannotBeOpened(t *testing.T) {
	w, _, value := ready(t)
	w.answer("views.open", refusal("expired_trigger_id"))
	w.request(press("U1", "approve", value))
	if got := w.methods(); got != "chat.postMessage views.open chat.postEphemeral" {
		t.Errorf("%s", got)
	}
}

func FuzzInteraction(f *testing.F) {
	f.Add(`{"type":"block_actions","user":{"id":"U1"},"actions":[{"action_id":"approve","value":"{\"c\":\"abcdef12\"}"}]}`)
	f.Add(`{"type":"view_submission","user":{"id":"U1"},"view":{"callback_id":"remediator_decide","private_metadata":"{\"c\":\"abcdef12\",\"a\":\"approve\"}"}}`)
	f.Add(`{"type":"view_submission","state":7}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, payload string) {
		w := newWorkspace(t)
		if rec := w.raw(url.Values{"payload": {payload}}.Encode()); rec.Code >= 500 {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
		for _, a := range w.actions() {
			t.Errorf("a case that is not there was decided on: %+v", a)
		}
	})
}
