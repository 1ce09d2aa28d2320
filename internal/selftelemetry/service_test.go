package selftelemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
)

func service(t *testing.T) (*Telemetry, *Instruments) {
	t.Helper()
	tel, err := NewService(context.Background(), "v1", func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Close(context.Background()) })
	in, err := tel.Instruments(func() time.Time { return time.Unix(1_800_000_000, 0) })
	if err != nil {
		t.Fatal(err)
	}
	return tel, in
}

func scrape(t *testing.T, tel *Telemetry) string {
	t.Helper()
	w := httptest.NewRecorder()
	tel.Scrape().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func has(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line+"\n") {
			name, _, _ := strings.Cut(line, "{")
			var near []string
			for _, l := range strings.Split(text, "\n") {
				if strings.HasPrefix(l, name) {
					near = append(near, l)
				}
			}
			t.Errorf("no %s, but\n%s", line, strings.Join(near, "\n"))
		}
	}
}

func TestDeskIsMeasured(t *testing.T) {
	tel, in := service(t)
	rec := &docket.Record{FirstAlert: time.Unix(1_800_000_000-90, 0)}
	for _, o := range []docket.Observation{
		{Kind: "opened", Record: rec}, {Kind: "repeated", Record: rec}, {Kind: "repeated", Record: rec},
		{Kind: "ran", Record: rec, Elapsed: time.Minute}, {Kind: "ran", Record: rec, Elapsed: time.Minute, Err: errors.New("x")},
		{Kind: "proposed", Record: rec}, {Kind: "declined", Record: rec, Key: "no_suspect"}, {Kind: "held", Record: rec, Key: "approval"},
		{Kind: "merged", Record: rec}, {Kind: "merged", Record: rec}, {Kind: "refused", Record: rec}, {Kind: "came_back", Record: rec},
		{Kind: "effect", Record: rec, Key: "comment:resolved", Elapsed: time.Second}, {Kind: "effect", Record: rec, Key: "comment:merged", Err: errors.New("502")},
		{Kind: "notify", Record: rec}, {Kind: "breaker"}, {Kind: "alert", Key: "am"},
	} {
		in.Docket(o)
	}
	has(t, scrape(t, tel),
		`remediator_case_events_total{event="repeated"} 2`,
		`remediator_case_events_total{event="breaker"} 1`,
		`remediator_case_outcomes_total{outcome="merged"} 2`,
		`remediator_case_outcomes_total{outcome="refused"} 1`,
		`remediator_case_outcomes_total{outcome="came_back"} 1`,
		`remediator_case_declines_total{code="no_suspect"} 1`,
		`remediator_case_holds_total{code="approval"} 1`,
		`remediator_suggestion_duration_seconds_sum{outcome="proposed"} 90`,
		`remediator_suggestion_duration_seconds_count{outcome="declined"} 1`,
		`remediator_suggestion_duration_seconds_count{outcome="held"} 1`,
		`remediator_case_run_duration_seconds_count{result="failed"} 1`,
		`remediator_effect_duration_seconds_count{effect="comment",result="failed"} 1`,
		`remediator_effect_duration_seconds_count{effect="notify",result="ok"} 1`,
	)
}

// TestHostileTextBecomesNoLabel: what somebody else wrote is counted as other, and no name, however many there are, fills the memory.
func TestHostileTextBecomesNoLabel(t *testing.T) {
	tel, in := service(t)
	secret := "password=hunter2\n\"}"
	for _, text := range []string{secret, "", "UPPER", strings.Repeat("a", 100), "naïve"} {
		in.Docket(docket.Observation{Kind: text, Key: text})
		in.Docket(docket.Observation{Kind: "declined", Key: text})
		in.Docket(docket.Observation{Kind: "effect", Key: text})
		in.Refused(text, text, text, 0)
		in.Model(text, time.Second, 1, 1)
		in.GitHubRate(text, 1, 1)
		in.GitHubRetry(text)
		in.Alert("", text, 0)
	}
	for i := range 5000 {
		in.GitHubRetry(fmt.Sprintf("reason_%d", i))
		in.Alert(fmt.Sprintf("source-%d", i), "accepted", 0)
	}
	text := scrape(t, tel)
	if strings.Contains(text, "hunter2") || strings.Contains(text, "UPPER") {
		t.Error("a label holds what was given")
	}
	for _, name := range []string{"remediator_github_retries_total{", "remediator_webhook_requests_total{"} {
		if n := strings.Count(text, "\n"+name); n > maxSeries {
			t.Errorf("%d series of %s", n, name)
		}
	}
	has(t, text, `remediator_case_declines_total{code="other"} 5`)
}

func TestWebhooksAreMeasuredByTheirAnswer(t *testing.T) {
	tel, in := service(t)
	for status, want := range map[int]string{200: "accepted", 202: "accepted", 401: "unauthorized", 403: "unauthorized", 405: "misdirected", 408: "slow", 413: "oversized", 400: "malformed", 404: "malformed", 429: "limited", 500: "unavailable", 503: "unavailable"} {
		if got := outcomeOf(status); got != want {
			t.Errorf("%d is %s", status, got)
		}
	}
	h := in.Webhook("github", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Hub-Signature-256") == "" {
			http.Error(w, "unsigned", http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte("ok"))
		w.WriteHeader(http.StatusTeapot) // too late to count
	}))
	for range 3 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil))
	}
	signed := httptest.NewRequest(http.MethodPost, "/", nil)
	signed.Header.Set("X-Hub-Signature-256", "x")
	h.ServeHTTP(httptest.NewRecorder(), signed)
	in.Alert("am", "accepted", time.Millisecond)
	has(t, scrape(t, tel),
		`remediator_webhook_requests_total{outcome="unauthorized",source="github",webhook="github"} 3`,
		`remediator_webhook_requests_total{outcome="accepted",source="github",webhook="github"} 1`,
		`remediator_webhook_requests_total{outcome="accepted",source="am",webhook="alerts"} 1`,
		`remediator_webhook_duration_seconds_count{webhook="github"} 4`)
}

func TestTelemetryModelAndGitHubAreMeasured(t *testing.T) {
	tel, in := service(t)
	in.Received("traces", "grpc", 512)
	in.Refused("traces", "grpc", "busy", 0)
	in.Refused("logs", "http", "time", 3)
	in.Stored("traces", 1000)
	in.Model("", 2*time.Second, 800, 90)
	in.Model("timeout", time.Minute, 0, 0)
	in.GitHubRate("core", 5000, 4321)
	in.GitHubRate("core", 5000, 4320)
	in.GitHubRetry("secondary limit")
	has(t, scrape(t, tel),
		`remediator_otlp_received_total{signal="traces",transport="grpc"} 512`,
		`remediator_otlp_refused_total{reason="busy",signal="traces",transport="grpc"} 1`,
		`remediator_otlp_dropped_total{reason="time",signal="logs",transport="http"} 3`,
		`remediator_otlp_stored_bytes_total{signal="traces"} 1000`,
		`gen_ai_client_operation_duration_seconds_count{gen_ai_operation_name="chat"} 1`,
		`gen_ai_client_operation_duration_seconds_count{error_type="timeout",gen_ai_operation_name="chat"} 1`,
		`gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_token_type="input"} 800`,
		`remediator_github_rate_limit_remaining{resource="core"} 4320`,
		`remediator_github_retries_total{reason="secondary_limit"} 1`)
}

func TestStateIsAskedWhenScraped(t *testing.T) {
	tel, _ := service(t)
	var fail error
	now := time.Unix(1_800_000_000, 0)
	err := tel.WatchState(func() time.Time { return now }, func(ctx context.Context) (State, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("a state that does not come would stop the scrape")
		}
		return State{Cases: map[string]int{"held": 2}, Tasks: map[string]Tasks{"case": {Waiting: 3, Taken: 1}}, DeadLetters: 4, Bytes: map[string]int64{"telemetry": 77}, Oldest: now.Add(-time.Hour)}, fail
	})
	if err != nil {
		t.Fatal(err)
	}
	text := scrape(t, tel)
	has(t, text, `remediator_cases_kept{stage="held"} 2`, `remediator_queue_tasks{kind="case",state="waiting"} 3`, `remediator_queue_tasks{kind="case",state="later"} 0`,
		`remediator_queue_dead_letters 4`, `remediator_storage_size_bytes{content="telemetry"} 77`, `remediator_window_age_seconds 3600`, `remediator_state_errors_total 0`)
	fail = errors.New("no leader")
	scrape(t, tel)
	text = scrape(t, tel)
	if strings.Contains(text, "remediator_queue_dead_letters ") || !strings.Contains(text, "remediator_build_info{") {
		t.Error("a state that is not known is shown, or the rest is not")
	}
	if strings.Contains(text, "remediator_state_errors_total 0\n") {
		t.Error("nobody can see that the state is not known")
	}
}

// TestCorrelationIsCounted: what alerts lead to, and traces that are in pieces.
func TestCorrelationIsCounted(t *testing.T) {
	tel, _ := service(t)
	for _, c := range []*remedy.Case{
		{State: remedy.Declined, Declined: &remedy.Decline{Code: "no_suspect"}},
		{State: remedy.Declined, Declined: &remedy.Decline{Code: "no_suspect"}, Evidence: remedy.Evidence{Counts: localize.Counts{Spans: 9, Traces: 3}}},
		{State: remedy.Declined, Declined: &remedy.Decline{Code: "no_option"}, Suspects: make([]remedy.Suspect, 1), Evidence: remedy.Evidence{Counts: localize.Counts{Logs: 9}}},
		{State: remedy.Gathered, Declined: &remedy.Decline{}},
	} {
		_, done, err := tel.Observe(context.Background(), &recorder{}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		done(c, nil)
	}
	has(t, scrape(t, tel), `remediator_correlations_total{result="no_telemetry"} 1`, `remediator_correlations_total{result="no_suspect"} 1`, `remediator_correlations_total{result="located"} 1`, `remediator_evidence_traces_total 3`)
}

func TestNothingToScrapeUnlessAsked(t *testing.T) {
	tel, err := New(context.Background(), "v1", func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	tel.Scrape().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusNotFound {
		t.Error(w.Code)
	}
	off, err := NewService(context.Background(), "v1", func(k string) string { return map[string]string{"OTEL_SDK_DISABLED": "true"}[k] })
	if err != nil {
		t.Fatal(err)
	}
	if in, err := off.Instruments(time.Now); err != nil {
		t.Error(err)
	} else {
		in.GitHubRetry("x")
	}
	if text := scrape(t, off); strings.Contains(text, "remediator_") {
		t.Error(text)
	}
	var none *Instruments // as in a command that is no service
	none.Docket(docket.Observation{Kind: "opened"})
	none.Alert("a", "accepted", 0)
	none.Received("traces", "http", 1)
	none.Refused("traces", "http", "busy", 0)
	none.Stored("traces", 1)
	none.Model("", 0, 0, 0)
	none.GitHubRate("core", 1, 1)
	none.GitHubRetry("x")
	w = httptest.NewRecorder()
	none.Webhook("github", http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusNotFound {
		t.Error(w.Code)
	}
}

func TestReadyNamesEveryDependency(t *testing.T) {
	var log bytes.Buffer
	queue, github := errors.New("no quorum at nats://10.0.0.7"), error(nil)
	h := Ready(slog.New(slog.NewTextHandler(&log, nil)),
		Dependency{Name: "queue", Check: func(context.Context) error { return queue }},
		Dependency{Name: "github", Check: func(context.Context) error { return github }, Optional: true})
	ask := func() (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		var a readyAnswer
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(w.Body.String(), "10.0.0.7") {
			t.Error("whoever asks learns the inside")
		}
		return w.Code, fmt.Sprint(a)
	}
	if code, a := ask(); code != 503 || a != "{false map[github:ok queue:failing]}" {
		t.Error(code, a)
	}
	ask()
	if n := strings.Count(log.String(), "10.0.0.7"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, log.String())
	}
	queue, github = nil, errors.New("502")
	if code, a := ask(); code != 200 || a != "{true map[github:failing queue:ok]}" {
		t.Error(code, a)
	}
	if !strings.Contains(log.String(), "works again") {
		t.Error(log.String())
	}
	w := httptest.NewRecorder()
	Alive(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if w.Code != 200 {
		t.Error(w.Code)
	}
}

// TestReadyDoesNotWaitForever: a dependency that hangs is one that fails.
func TestReadyDoesNotWaitForever(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	asked := make(chan struct{})
	h := Ready(slog.New(slog.DiscardHandler), Dependency{Name: "queue", Check: func(ctx context.Context) error {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("without an end")
		}
		close(asked)
		<-ctx.Done()
		return ctx.Err()
	}})
	go func() { <-asked; cancel() }()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/readyz", nil))
	if w.Code != http.StatusServiceUnavailable {
		t.Error(w.Code)
	}
}
