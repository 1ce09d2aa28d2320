package selftelemetry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/remediator/remediator/remedy"
)

// collector is an OTLP/HTTP endpoint that keeps names.
type collector struct {
	mu    sync.Mutex
	names []string
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r.URL.Path {
	case "/v1/traces":
		req := ptraceotlp.NewExportRequest()
		if req.UnmarshalProto(body) == nil {
			for _, rs := range req.Traces().ResourceSpans().All() {
				for _, ss := range rs.ScopeSpans().All() {
					for _, s := range ss.Spans().All() {
						c.names = append(c.names, s.Name())
					}
				}
			}
		}
	case "/v1/metrics":
		req := pmetricotlp.NewExportRequest()
		if req.UnmarshalProto(body) == nil {
			for _, rm := range req.Metrics().ResourceMetrics().All() {
				for _, sm := range rm.ScopeMetrics().All() {
					for _, m := range sm.Metrics().All() {
						c.names = append(c.names, m.Name())
					}
				}
			}
		}
	}
}

type recorder struct{ calls []string }

func (r *recorder) Begin(s remedy.State, _ *remedy.Case) {
	r.calls = append(r.calls, "begin "+string(s))
}
func (r *recorder) Note(text string) { r.calls = append(r.calls, "note "+text) }
func (r *recorder) End(s remedy.State, _ *remedy.Case, _ time.Duration) {
	r.calls = append(r.calls, "end "+string(s))
}

func runCase(t *testing.T, tel *Telemetry, log *slog.Logger, err error) *recorder {
	t.Helper()
	next := &recorder{}
	o, done, setup := tel.Observe(context.Background(), next, log)
	if setup != nil {
		t.Fatal(setup)
	}
	c := &remedy.Case{Fingerprint: "f", Declined: &remedy.Decline{Code: "no_suspect"}}
	o.Begin(remedy.Received, c)
	o.Note("reading")
	o.End(remedy.Received, c, time.Second)
	o.Begin(remedy.Gathered, c)
	done(c, err)
	return next
}

func TestExportsWhatTheEnvironmentAsksFor(t *testing.T) {
	c := &collector{}
	srv := httptest.NewServer(c)
	defer srv.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", srv.URL)
	env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": srv.URL}
	tel, err := New(context.Background(), "test", func(k string) string { return env[k] })
	if err != nil {
		t.Fatal(err)
	}
	next := runCase(t, tel, slog.New(slog.DiscardHandler), nil)
	if err := tel.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"case", "stage received", "stage gathered", "remediator.cases", "remediator.stage.duration"} {
		if !slices.Contains(c.names, want) {
			t.Errorf("%q was not exported, only %q", want, c.names)
		}
	}
	if got := strings.Join(next.calls, ", "); got != "begin received, note reading, end received, begin gathered" {
		t.Errorf("passed on: %s", got)
	}
}

func TestOffUnlessConfigured(t *testing.T) {
	for _, env := range []map[string]string{{}, {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}} {
		tel, err := New(context.Background(), "test", func(k string) string { return env[k] })
		if err != nil {
			t.Fatal(err)
		}
		if len(tel.close) != 0 {
			t.Errorf("with %v something would be exported", env)
		}
		runCase(t, tel, slog.New(slog.DiscardHandler), nil)
	}
}

// TestDeadCollectorHoldsNobodyUp: closing gives up soon.
func TestDeadCollectorHoldsNobodyUp(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	tel, err := New(context.Background(), "test", func(string) string { return "http://127.0.0.1:1" })
	if err != nil {
		t.Fatal(err)
	}
	runCase(t, tel, slog.New(slog.DiscardHandler), nil)
	start := time.Now()
	_ = tel.Close(context.Background())
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("closing took %v", took)
	}
}

func TestFailureIsLogged(t *testing.T) {
	var b bytes.Buffer
	tel, err := New(context.Background(), "test", func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	runCase(t, tel, slog.New(slog.NewTextHandler(&b, nil)), errors.New("disk full"))
	if !strings.Contains(b.String(), "disk full") || !strings.Contains(b.String(), "stage ended") {
		t.Errorf("logged:\n%s", b.String())
	}
}
