package slack

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/remedy/docket"
	"github.com/remediator/remediator/remedy/docket/dockettest"
)

const (
	botToken = "xoxb-not-a-real-token"
	secret   = "signing-secret-of-the-app"
)

// sent is one call of the API.
type sent struct {
	method string
	form   url.Values     // of chat.*
	body   map[string]any // of views.*
}

// blocks are those of a message.
func (s sent) blocks(t *testing.T) []map[string]any {
	t.Helper()
	var out []map[string]any
	if err := json.Unmarshal([]byte(s.form.Get("blocks")), &out); err != nil {
		t.Fatalf("blocks of %s: %v", s.method, err)
	}
	return out
}

// workspace is a Slack with one channel, and the service that talks to it.
type workspace struct {
	t         *testing.T
	clock     *dockettest.Clock
	memory    *dockettest.View
	chat      *Chat
	decisions *Decisions
	settings  Settings
	log       *buffer

	mu      sync.Mutex
	calls   []sent
	answers map[string][]func(http.ResponseWriter) // what a method answers before it works
	waited  []time.Duration
	asked   []docket.Action
	act     func(docket.Action) (string, error)
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newWorkspace(t *testing.T) *workspace {
	t.Helper()
	clock := dockettest.NewClock()
	w := &workspace{
		t: t, clock: clock, memory: dockettest.NewMemory(clock).As(dockettest.NewProcess()), log: &buffer{}, answers: map[string][]func(http.ResponseWriter){},
		settings: Settings{Token: botToken, SigningSecret: secret, Channel: "#incidents", Approvers: []string{"U1"}},
		act:      func(a docket.Action) (string, error) { return a.Name + ": taken down", nil },
	}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	chat, err := New(Options{
		URL: server.URL + "/api", Pages: "https://remediator.example.com/", Now: clock.Now, Log: slog.New(slog.NewTextHandler(w.log, nil)),
		Settings: func() Settings { w.mu.Lock(); defer w.mu.Unlock(); return w.settings },
		Wait: func(_ context.Context, d time.Duration) error {
			w.mu.Lock()
			w.waited = append(w.waited, d)
			w.mu.Unlock()
			clock.Advance(d)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.chat = chat
	w.decisions = chat.Decisions(w.memory.Get, func(_ context.Context, a docket.Action) (string, error) {
		w.mu.Lock()
		w.asked = append(w.asked, a)
		act := w.act
		w.mu.Unlock()
		return act(a)
	})
	t.Cleanup(w.decisions.Wait)
	return w
}

// ServeHTTP is Slack's side.
func (w *workspace) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Error(err)
	}
	call := sent{method: strings.TrimPrefix(r.URL.Path, "/api/")}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(body, &call.body); err != nil {
			w.t.Error(err)
		}
	} else if call.form, err = url.ParseQuery(string(body)); err != nil {
		w.t.Error(err)
	} else if token == "" {
		token = call.form.Get("token")
	}
	w.mu.Lock()
	w.calls = append(w.calls, call)
	n := len(w.calls)
	var answer func(http.ResponseWriter)
	if queue := w.answers[call.method]; len(queue) > 0 {
		answer, w.answers[call.method] = queue[0], queue[1:]
	}
	w.mu.Unlock()
	rw.Header().Set("Content-Type", "application/json")
	switch {
	case answer != nil:
		answer(rw)
	case token != botToken:
		fmt.Fprint(rw, `{"ok":false,"error":"invalid_auth"}`)
	case call.method == "chat.postMessage":
		fmt.Fprintf(rw, `{"ok":true,"channel":"C042","ts":"1700000000.%06d"}`, n)
	case call.method == "chat.update":
		fmt.Fprintf(rw, `{"ok":true,"channel":"C042","ts":%q}`, call.form.Get("ts"))
	case call.method == "chat.postEphemeral":
		fmt.Fprint(rw, `{"ok":true,"message_ts":"1700000001.000001"}`)
	case call.method == "views.open":
		fmt.Fprint(rw, `{"ok":true,"view":{"id":"V1"}}`)
	default:
		w.t.Errorf("Slack was asked for %s", r.URL.Path)
	}
}

// answer makes the next call of a method fail.
func (w *workspace) answer(method string, f func(http.ResponseWriter)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[method] = append(w.answers[method], f)
}

func refusal(name string) func(http.ResponseWriter) {
	return func(rw http.ResponseWriter) { fmt.Fprintf(rw, `{"ok":false,"error":%q}`, name) }
}

func later(seconds int) func(http.ResponseWriter) {
	return func(rw http.ResponseWriter) {
		rw.Header().Set("Retry-After", strconv.Itoa(seconds))
		rw.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(rw, `{"ok":false,"error":"ratelimited"}`)
	}
}

// got are the calls so far, after what is under way has ended.
func (w *workspace) got() []sent {
	w.decisions.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]sent(nil), w.calls...)
}

func (w *workspace) actions() []docket.Action {
	w.decisions.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]docket.Action(nil), w.asked...)
}

func (w *workspace) methods() string {
	var out []string
	for _, c := range w.got() {
		out = append(out, c.method)
	}
	return strings.Join(out, " ")
}

// held stores a case that waits for a person.
func (w *workspace) held(change ...func(*docket.Record)) *docket.Record {
	w.t.Helper()
	now := w.clock.Now()
	id := fmt.Sprintf("%032x", 0xabcdef)
	r := &docket.Record{
		Schema: docket.RecordSchema, Fingerprint: id, Stage: docket.Held, Repository: "acme/shop", Attempt: 1, Alerts: 3, FirstAlert: now, LastAlert: now, Updated: now,
		Incident: incident.Incident{Fingerprint: id, Name: "ErrorBudgetBurn", Service: "payments", Severity: incident.Critical, Status: incident.Firing, StartsAt: now},
		Hold:     &docket.Hold{Code: "approval", Why: "a critical incident waits for a person", Since: now},
		Summary:  &docket.Summary{Title: "Retries without backoff in payments", Rung: "code", Service: "payments", Commit: "2222", Proved: true, Why: "the incident is gone with the flag on", Autonomy: "draft"},
	}
	for _, f := range change {
		f(r)
	}
	if err := w.memory.Put(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// sign is how Slack signs.
func sign(key, stamp, body string) string {
	m := hmac.New(sha256.New, []byte(key))
	fmt.Fprintf(m, "v0:%s:%s", stamp, body)
	return "v0=" + hex.EncodeToString(m.Sum(nil))
}

// request is one of Slack's to the service, signed now; change may alter it.
func (w *workspace) request(payload any, change ...func(*http.Request)) *httptest.ResponseRecorder {
	w.t.Helper()
	data, err := json.Marshal(payload)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.raw(url.Values{"payload": {string(data)}}.Encode(), change...)
}

func (w *workspace) raw(body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/webhooks/slack", strings.NewReader(body))
	stamp := strconv.FormatInt(w.clock.Now().Unix(), 10)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", sign(secret, stamp, body))
	for _, f := range change {
		f(r)
	}
	rec := httptest.NewRecorder()
	w.decisions.ServeHTTP(rec, r)
	return rec
}

type object = map[string]any

// press is the payload of a pressed button, as Slack documents it.
func press(user, action, value string) object {
	return object{
		"type": "block_actions", "api_app_id": "A1", "trigger_id": "123.456.abc", "response_url": "https://hooks.slack.com/actions/T1/1/x",
		"team": object{"id": "T1", "domain": "acme"}, "user": object{"id": user, "username": "jane", "team_id": "T1"}, "channel": object{"id": "C042", "name": "incidents"},
		"container": object{"type": "message", "message_ts": "1700000000.000001", "channel_id": "C042"},
		"actions":   []object{{"type": "button", "action_id": action, "block_id": "actions", "value": value, "action_ts": "1.1"}},
	}
}

// submit is the payload of a dialog that was sent off.
func submit(user, metadata, reason string) object {
	return object{
		"type": "view_submission", "team": object{"id": "T1"}, "user": object{"id": user, "username": "jane", "team_id": "T1"},
		"view": object{"id": "V1", "type": "modal", "callback_id": callbackID, "private_metadata": metadata,
			"state": object{"values": object{reasonBlock: object{reasonBlock: object{"type": "plain_text_input", "value": reason}}}}},
	}
}

// button is the value of a button of a message.
func (w *workspace) button(message sent, id string) string {
	w.t.Helper()
	for _, b := range message.blocks(w.t) {
		elements, _ := b["elements"].([]any)
		for _, e := range elements {
			if e, _ := e.(object); e["action_id"] == id {
				value, _ := e["value"].(string)
				return value
			}
		}
	}
	return ""
}

// newTrap is a server that nobody should call.
func newTrap(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}
