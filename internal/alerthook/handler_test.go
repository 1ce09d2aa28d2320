package alerthook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/remedy/docket"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

const alertBody = `{"version":"4","status":"firing","groupLabels":{"alertname":"Burn"},"alerts":[{"status":"firing","labels":{"alertname":"Burn","severity":"page"},"startsAt":"2026-03-04T11:58:00Z"}]}`

// store is a Receiver that keeps what it gets.
type store struct {
	mu     sync.Mutex
	alerts []docket.Alert
	err    error
	before func() // runs while the alert is not yet stored
}

func (s *store) Receive(_ context.Context, a docket.Alert) error {
	if s.before != nil {
		s.before()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.alerts = append(s.alerts, a)
	return nil
}

func (s *store) all() []docket.Alert {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]docket.Alert(nil), s.alerts...)
}

// bench is a handler with sources from a configuration, as they come in production.
type bench struct {
	*Handler
	store *store
	log   *bytes.Buffer
	seen  []Request
	dir   string
	clock time.Time
}

// newBench reads `alerts:` of a configuration. Files named below it hold the secrets.
func newBench(t testing.TB, yaml string, files map[string]string, change func(*Options)) *bench {
	t.Helper()
	b := &bench{store: &store{}, log: &bytes.Buffer{}, dir: t.TempDir(), clock: noon}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{Now: func() time.Time { return b.clock }, Log: slog.New(slog.NewTextHandler(b.log, nil)),
		Observe: func(r Request) { b.seen = append(b.seen, r) }}
	if change != nil {
		change(&o)
	}
	h, err := New(b.sources(t, yaml), b.store, o)
	if err != nil {
		t.Fatal(err)
	}
	b.Handler = h
	return b
}

func (b *bench) sources(t testing.TB, yaml string) map[string]config.AlertSource {
	t.Helper()
	name := filepath.Join(b.dir, "serve.yaml")
	if err := os.WriteFile(name, []byte("alerts:\n"+yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := config.LoadServer(name)
	if err != nil {
		t.Fatal(err)
	}
	return s.Alerts
}

// send posts a body with headers given as pairs.
func (b *bench) send(source, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, Prefix+source, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

func wantReply(t testing.TB, w *httptest.ResponseRecorder, status int) reply {
	t.Helper()
	var body reply
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("the answer %q is not JSON: %v", w.Body, err)
	}
	if w.Code != status {
		t.Fatalf("status %d (%+v), want %d", w.Code, body, status)
	}
	return body
}

func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

const bearerSource = "  team: {format: alertmanager, bearer_file: token}\n"

var bearerFiles = map[string]string{"token": "open sesame\n"}

func TestAnAlertIsAcceptedOnceItIsStored(t *testing.T) {
	b := newBench(t, bearerSource, bearerFiles, nil)
	w := httptest.NewRecorder()
	b.store.before = func() {
		if w.Code != http.StatusOK || w.Body.Len() > 0 { // the recorder's state before anything was written
			t.Error("answered before the alert was stored")
		}
	}
	r := httptest.NewRequest(http.MethodPost, Prefix+"team", strings.NewReader(alertBody))
	r.Header.Set("Authorization", "bearer open sesame")
	b.ServeHTTP(w, r)
	in, err := incident.Parse([]byte(alertBody))
	if err != nil {
		t.Fatal(err)
	}
	if got := wantReply(t, w, http.StatusAccepted); got.Case != in.Fingerprint || got.Status != "firing" {
		t.Errorf("the answer is %+v, want the case %s", got, in.Fingerprint)
	}
	all := b.store.all()
	if len(all) != 1 || all[0].Source != "team" || all[0].Format != "alertmanager" || !all[0].At.Equal(noon) || string(all[0].Body) != alertBody {
		t.Errorf("stored: %+v", all)
	}
	if len(b.seen) != 1 || b.seen[0] != (Request{Source: "team", Format: "alertmanager", Outcome: Accepted, Bytes: len(alertBody)}) {
		t.Errorf("observed: %+v", b.seen)
	}
	if b.log.Len() > 0 {
		t.Errorf("logged: %s", b.log)
	}
}

func TestAnAlertThatCannotBeStoredIsAskedForAgain(t *testing.T) {
	b := newBench(t, bearerSource, bearerFiles, nil)
	b.store.err = errors.New("no quorum")
	w := b.send("team", alertBody, "Authorization", "Bearer open sesame")
	if got := wantReply(t, w, http.StatusServiceUnavailable); got.Case != "" || w.Header().Get("Retry-After") != "5" {
		t.Errorf("%+v, Retry-After %q", got, w.Header().Get("Retry-After"))
	}
	if strings.Contains(w.Body.String(), "quorum") || !strings.Contains(b.log.String(), "no quorum") {
		t.Errorf("the reason belongs into the log %q, not into the answer %q", b.log, w.Body)
	}
}

func TestARetryHasTheSameID(t *testing.T) {
	b := newBench(t, bearerSource+"  other: {format: alertmanager, bearer_file: token}\n", bearerFiles, nil)
	for _, source := range []string{"team", "team", "other"} {
		wantReply(t, b.send(source, alertBody, "Authorization", "Bearer open sesame"), http.StatusAccepted)
		b.clock = b.clock.Add(time.Second)
	}
	wantReply(t, b.send("team", strings.Replace(alertBody, "firing", "resolved", 2), "Authorization", "Bearer open sesame"), http.StatusAccepted)
	ids := b.store.all()
	if ids[0].ID == "" || ids[0].ID != ids[1].ID || ids[0].ID == ids[2].ID || ids[0].ID == ids[3].ID {
		t.Errorf("IDs are %q, %q, %q, %q: the first two are one notification, the others are not", ids[0].ID, ids[1].ID, ids[2].ID, ids[3].ID)
	}
}

func TestEveryWayToWriteASignature(t *testing.T) {
	b := newBench(t, "  g: {format: alertmanager, secret_file: key, signature_header: X-Sig}\n", map[string]string{"key": "k"}, nil)
	sum := sign("k", alertBody)
	raw, err := hex.DecodeString(sum)
	if err != nil {
		t.Fatal(err)
	}
	wrong := sign("other", alertBody)
	for name, value := range map[string]string{
		"hex": sum, "upper case": strings.ToUpper(sum), "sha256=": "sha256=" + sum, "v1=": "v1=" + sum,
		"base64": base64.StdEncoding.EncodeToString(raw), "base64url": base64.RawURLEncoding.EncodeToString(raw),
		"PagerDuty while secrets change": "v1=" + wrong + ",v1=" + sum,
	} {
		if w := b.send("g", alertBody, "X-Sig", value); w.Code != http.StatusAccepted {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}
