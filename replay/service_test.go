package replay

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// desk is the service under test: a real HTTP server, instrumented with the real SDK, that asks a
// dependency called "ledger" before it answers. Its fields are the builds a patch could make.
type desk struct {
	retries int                     // further attempts after a failing one
	pause   func(int) time.Duration // before the n-th further attempt; nil: none
	timeout time.Duration           // of one call; 0: none
	extra   bool                    // asks the ledger once more than needed
	wrong   bool                    // answers with another field value
	mute    bool                    // sends no telemetry
	crashAt int32                   // stops serving at this request
	hang    bool                    // never answers
	flood   int                     // spans added per request
	slow    time.Duration           // before answering

	tracer trace.Tracer
	client *http.Client
	ledger string
	served *atomic.Int32
	stop   func()
}

func (d *desk) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /entries", d.post)
	mux.HandleFunc("GET /entries/{id}", d.get)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return mux
}

func (d *desk) post(w http.ResponseWriter, r *http.Request) {
	if n := d.served.Add(1); d.crashAt > 0 && n >= d.crashAt {
		d.stop()
		panic(http.ErrAbortHandler)
	}
	if d.hang {
		<-r.Context().Done()
		return
	}
	for i := range d.flood {
		_, s := d.tracer.Start(r.Context(), fmt.Sprintf("flood %d", i))
		s.End()
	}
	var in struct {
		Amount int    `json:"amount"`
		Email  string `json:"email"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Amount <= 0 {
		reply(w, http.StatusUnprocessableEntity, map[string]any{"error": "amount must be positive"})
		return
	}
	if d.slow > 0 {
		time.Sleep(d.slow)
	}
	ctx, span := d.tracer.Start(r.Context(), "book entry")
	defer span.End()
	calls := 1
	if d.extra {
		calls = 2
	}
	var state string
	for range calls {
		var err error
		if state, err = d.book(ctx, in.Amount); err != nil {
			span.RecordError(err)
			reply(w, http.StatusServiceUnavailable, map[string]any{"error": "ledger unavailable"})
			return
		}
	}
	if d.wrong {
		state += "!"
	}
	reply(w, http.StatusCreated, map[string]any{"id": newID(), "amount": in.Amount, "state": state, "email": in.Email, "at": time.Now().UTC().Format(time.RFC3339Nano)})
}

// book asks the ledger, again if need be.
func (d *desk) book(ctx context.Context, amount int) (string, error) {
	var last error
	for attempt := range d.retries + 1 {
		if attempt > 0 && d.pause != nil {
			time.Sleep(d.pause(attempt))
		}
		state, err := d.ask(ctx, amount)
		if err == nil {
			return state, nil
		}
		last = err
	}
	return "", last
}

func (d *desk) ask(ctx context.Context, amount int) (string, error) {
	if d.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.timeout)
		defer cancel()
	}
	body := fmt.Sprintf(`{"amount":%d,"ref":%q}`, amount, newID())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.ledger+"/bookings", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := d.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("ledger answered %d", resp.StatusCode)
	}
	var out struct {
		State string `json:"state"`
	}
	err = json.Unmarshal(data, &out)
	return out.State, err
}

func (d *desk) get(w http.ResponseWriter, r *http.Request) {
	reply(w, http.StatusOK, map[string]any{"id": r.PathValue("id"), "tags": []string{"a", "b"}})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// start serves the desk on a loopback port with its telemetry going to otlp.
func (d *desk) start(otlp, ledger string) (addr string, flush func(context.Context) error, err error) {
	exporter, err := otlptracehttp.New(context.Background(), otlptracehttp.WithEndpointURL(otlp+"/v1/traces"), otlptracehttp.WithRetry(otlptracehttp.RetryConfig{}))
	if err != nil {
		return "", nil, err
	}
	options := []sdktrace.TracerProviderOption{sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "desk")))}
	if !d.mute {
		options = append(options, sdktrace.WithBatcher(exporter, sdktrace.WithBatchTimeout(20*time.Millisecond), sdktrace.WithMaxQueueSize(100_000)))
	}
	provider := sdktrace.NewTracerProvider(options...)
	d.tracer = provider.Tracer("desk")
	d.ledger, d.served = ledger, new(atomic.Int32)
	propagator := propagation.TraceContext{}
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	d.client = &http.Client{Transport: otelhttp.NewTransport(transport, otelhttp.WithTracerProvider(provider), otelhttp.WithPropagators(propagator))}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: otelhttp.NewHandler(d.handler(), "desk", otelhttp.WithTracerProvider(provider), otelhttp.WithPropagators(propagator),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method + " " + r.URL.Path })), ErrorLog: log.New(io.Discard, "", 0)}
	d.stop = func() { _ = server.Close() }
	go func() { _ = server.Serve(l) }()
	return l.Addr().String(), func(ctx context.Context) error {
		_ = server.Close()
		transport.CloseIdleConnections()
		return provider.Shutdown(ctx)
	}, nil
}

// ledgerServer is the real dependency at recording time.
func ledgerServer(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		if !bytes.Contains(data, []byte(`"amount"`)) {
			reply(w, http.StatusBadRequest, map[string]any{"error": "no amount"})
			return
		}
		reply(w, http.StatusOK, map[string]any{"state": "booked", "seal": newID()})
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func deskCases() []Case {
	post := func(id string, body string) Case {
		return Case{ID: id, Request: Request{Method: "POST", Path: "/entries", Headers: map[string]string{"content-type": "application/json"}, Body: json.RawMessage(body)}}
	}
	book := post("book", `{"amount":250,"email":"ann@corp.io"}`)
	book.Vars.Extract = map[string]string{"entry": "/id"}
	read := Case{ID: "read", DependsOn: []string{"book"}, Request: Request{Method: "GET", Path: "/entries/0"}, Vars: Vars{Inject: map[string]string{"/path/1": "entry"}}}
	return []Case{book, post("refuse", `{"amount":0}`), read}
}

// recordDesk records the golden set of a healthy desk.
func recordDesk(t *testing.T) *Set {
	t.Helper()
	set, notes, err := tryRecordDesk(t, &desk{})
	if err != nil {
		t.Fatalf("recording: %v (notes %q)", err, notes)
	}
	if len(notes) != 0 {
		t.Fatalf("a complete recording has notes: %q", notes)
	}
	return set
}

func tryRecordDesk(t *testing.T, d *desk) (*Set, []string, error) {
	t.Helper()
	var inner http.Handler
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inner.ServeHTTP(w, r) }))
	t.Cleanup(front.Close)
	var otlp http.Handler
	otlpServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { otlp.ServeHTTP(w, r) }))
	t.Cleanup(otlpServer.Close)
	addr, flush, err := d.start(otlpServer.URL, front.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flush(context.Background()) })
	rec, err := NewRecorder(RecorderOptions{ID: "desk-basic", Service: "desk", Target: "http://" + addr, Dependencies: map[string]string{"ledger": ledgerServer(t)},
		Commit: "0123abcd", ToolVersion: "test", Quiet: 60 * time.Millisecond, TraceTimeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	inner, otlp = rec.Outbound("ledger"), rec.OTLP()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := rec.Record(ctx, deskCases()); err != nil {
		return nil, nil, err
	}
	return rec.Set(ctx)
}

// deskLauncher starts one build of the desk in this process.
type deskLauncher struct {
	build func() *desk
	fail  error
	last  *desk
}

func (l *deskLauncher) Launch(ctx context.Context, launch Launch) (Instance, error) {
	if l.fail != nil {
		return nil, l.fail
	}
	ledger, ok := launch.StandIns["ledger"]
	if !ok {
		return nil, fmt.Errorf("no stand-in for ledger, only for %v", sortedKeys(launch.StandIns))
	}
	d := l.build()
	l.last = d
	addr, flush, err := d.start("http://"+launch.OTLP.Addr().String(), "http://"+ledger.Addr().String())
	if err != nil {
		return nil, err
	}
	return &deskInstance{addr: addr, flush: flush}, nil
}

type deskInstance struct {
	addr  string
	flush func(context.Context) error
}

func (i *deskInstance) Dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", i.addr)
}

func (i *deskInstance) Stop(ctx context.Context) (string, error) {
	return "desk: listening\ndesk: bye\n", i.flush(ctx)
}

func launcher(d func() *desk) *deskLauncher { return &deskLauncher{build: d} }
