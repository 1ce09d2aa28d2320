package otlp

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/remediator/remediator/telemetry"
)

const tracesMethod = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

// dial connects to a receiver with messages as bytes.
func dial(t testing.TB, addr string, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	if creds == nil {
		creds = insecure.NewCredentials()
	}
	c, err := grpc.NewClient(addr, grpc.WithTransportCredentials(creds), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallSendMsgSize(64<<20)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func call(t testing.TB, c *grpc.ClientConn, method string, body []byte, opts ...grpc.CallOption) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var answer []byte
	err := c.Invoke(ctx, method, &body, &answer, opts...)
	return answer, err
}

// TestRefusesOverHTTP: each attack gets an answer as OTLP wants it, nothing is kept, and the receiver goes on.
func TestRefusesOverHTTP(t *testing.T) {
	good, _ := request(t, someTraces(3, noon))
	deepJSON := []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"k","value":` + strings.Repeat(`{"arrayValue":{"values":[`, 200_000) + strings.Repeat(`]}}`, 200_000) + `}]}]}]}]}`)
	tests := []struct {
		name, path, contentType, encoding string
		body                              []byte
		want                              int
		reason                            string
	}{
		{"nested protobuf bomb", "/v1/traces", typeProto, "", nested(400_000), http.StatusBadRequest, ReasonTooDeep},
		{"nested protobuf bomb in gzip", "/v1/logs", typeProto, "gzip", gzipped(nested(400_000)), http.StatusBadRequest, ReasonTooDeep},
		{"nested JSON bomb", "/v1/traces", typeJSON, "", deepJSON, http.StatusBadRequest, ReasonTooDeep},
		{"gzip bomb", "/v1/traces", typeProto, "gzip", gzipped(make([]byte, 200<<20)), http.StatusRequestEntityTooLarge, ReasonTooLarge},
		{"zstd bomb", "/v1/traces", typeProto, "zstd", zstded(make([]byte, 200<<20)), http.StatusRequestEntityTooLarge, ReasonTooLarge},
		{"huge body", "/v1/traces", typeProto, "", make([]byte, 9<<20), http.StatusRequestEntityTooLarge, ReasonTooLarge},
		{"gzip in gzip", "/v1/traces", typeProto, "gzip", gzipped(gzipped(good)), http.StatusBadRequest, ReasonMalformed},
		{"two encodings", "/v1/traces", typeProto, "gzip, gzip", gzipped(gzipped(good)), http.StatusUnsupportedMediaType, ReasonUnsupported},
		{"an encoding nobody has", "/v1/traces", typeProto, "br", good, http.StatusUnsupportedMediaType, ReasonUnsupported},
		{"gzip that is none", "/v1/traces", typeProto, "gzip", good, http.StatusBadRequest, ReasonMalformed},
		{"gzip that is cut off", "/v1/traces", typeProto, "gzip", gzipped(good)[:40], http.StatusBadRequest, ReasonMalformed},
		{"zstd that is none", "/v1/traces", typeProto, "zstd", good, http.StatusBadRequest, ReasonMalformed},
		{"bad content type", "/v1/traces", "text/plain", "", good, http.StatusUnsupportedMediaType, ReasonUnsupported},
		{"no content type", "/v1/traces", "", "", good, http.StatusUnsupportedMediaType, ReasonUnsupported},
		{"a form of a browser", "/v1/traces", "application/x-www-form-urlencoded", "", good, http.StatusUnsupportedMediaType, ReasonUnsupported},
		{"protobuf called JSON", "/v1/traces", typeJSON, "", good, http.StatusBadRequest, ReasonMalformed},
		{"JSON called protobuf", "/v1/traces", typeProto, "", []byte(`{"resourceSpans":[]}`), http.StatusBadRequest, ReasonMalformed},
		{"malformed JSON", "/v1/traces", typeJSON, "", []byte(`{"resourceSpans":7}`), http.StatusBadRequest, ReasonMalformed},
	}
	ring := newRing(fixed(noon))
	w := &watched{}
	r := newReceiver(t, ring, func(o *Options) { o.Watch = w })
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := w.refusals(tt.reason)
			got := post(r, tt.path, tt.contentType, tt.encoding, tt.body)
			if got.Code != tt.want {
				t.Errorf("%d %.200s", got.Code, got.Body)
			}
			if w.refusals(tt.reason) != before+1 {
				t.Errorf("not counted as %s: %+v", tt.reason, w.refused)
			}
			var s spb.Status
			decode := proto.Unmarshal
			if got.Header().Get("Content-Type") == typeJSON {
				decode = protojson.Unmarshal
			}
			if err := decode(got.Body.Bytes(), &s); err != nil || s.GetMessage() == "" {
				t.Errorf("the body is no status: %v", err)
			}
		})
	}
	if n, _, _ := ring.Usage(context.Background()); n != 0 || r.budget.bytes.Load() != 0 || r.budget.requests.Load() != 0 {
		t.Errorf("%d bytes kept, budget %d %d", n, r.budget.bytes.Load(), r.budget.requests.Load())
	}
	if got := post(r, "/v1/traces", typeProto, "", good); got.Code != http.StatusOK {
		t.Error(got.Code)
	}
	for path, want := range map[string]int{"/v1/profiles": 404, "/traces": 404, "/v1/": 404, "/v1/traces/x": 404, "/v1/traces/": 200} {
		if got := post(r, path, typeProto, "", good); got.Code != want {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
	rec := httptest.NewRecorder()
	r.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/v1/traces", nil))
	if rec.Code != http.StatusMethodNotAllowed || rec.Header().Get("Allow") != http.MethodPost {
		t.Error(rec.Code)
	}
}

// TestRefusesOverGRPC: the same over the other transport.
func TestRefusesOverGRPC(t *testing.T) {
	ring := newRing(fixed(noon))
	w := &watched{}
	r := newReceiver(t, ring, func(o *Options) { o.Watch = w })
	c := dial(t, serve(t, r).grpc, nil)
	good, _ := request(t, someTraces(3, noon))
	for _, tt := range []struct {
		name, method string
		body         []byte
		opts         []grpc.CallOption
		want         codes.Code
		reason       string
	}{
		{"nested protobuf bomb", tracesMethod, nested(400_000), nil, codes.InvalidArgument, ReasonTooDeep},
		{"nested protobuf bomb in gzip", tracesMethod, nested(400_000), []grpc.CallOption{grpc.UseCompressor(gzip.Name)}, codes.InvalidArgument, ReasonTooDeep},
		{"gzip bomb", tracesMethod, make([]byte, 60<<20), []grpc.CallOption{grpc.UseCompressor(gzip.Name)}, codes.ResourceExhausted, ReasonTooLarge},
		{"huge message", tracesMethod, make([]byte, 9<<20), nil, codes.ResourceExhausted, ReasonTooLarge},
		{"not protobuf", tracesMethod, []byte{0xff, 0xff}, nil, codes.InvalidArgument, ReasonMalformed},
		{"an unknown method", strings.Replace(tracesMethod, "Export", "Import", 1), good, nil, codes.Unimplemented, ""},
		{"an unknown service", "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export", good, nil, codes.Unimplemented, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := w.refusals(tt.reason)
			_, err := call(t, c, tt.method, tt.body, tt.opts...)
			if status.Code(err) != tt.want || len(status.Convert(err).Details()) > 0 { // with RetryInfo it would come again
				t.Errorf("%v %v", err, status.Convert(err).Details())
			}
			if tt.reason != "" { // gRPC answers what is too large by itself, before it is counted
				await(t, func() bool { return w.refusals(tt.reason) == before+1 })
			}
		})
	}
	if n, _, _ := stored(t, ring, telemetry.Traces); n != 0 {
		t.Errorf("%d kept", n)
	}
	if _, err := call(t, c, tracesMethod, good); err != nil {
		t.Error(err)
	}
	// A call without any message.
	stream, err := c.NewStream(context.Background(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, tracesMethod)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	var answer []byte
	if err := stream.RecvMsg(&answer); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a call without a message: %v", err)
	}
}

// TestWrongToken: nothing is read of somebody without the token, whatever the header looks like.
func TestWrongToken(t *testing.T) {
	token := "correct horse"
	r := newReceiver(t, newRing(fixed(noon)), func(o *Options) { o.Token = func() string { return token } })
	at := serve(t, r)
	c := dial(t, at.grpc, nil)
	good, _ := request(t, someTraces(3, noon))
	for header, want := range map[string]bool{
		"Bearer correct horse": true, "bearer correct horse": true, "Bearer  correct horse": true,
		"": false, "Bearer": false, "Bearer ": false, "Bearer wrong": false, "correct horse": false, "Basic correct horse": false, "Bearer correct horse battery": false, "Bearer correct hors": false,
	} {
		req := httptest.NewRequest(http.MethodPost, "/v1/traces", bytes.NewReader(good))
		req.Header.Set("Content-Type", typeProto)
		if !want {
			req.Body = io.NopCloser(unreadable{t})
		}
		if header != "" {
			req.Header.Set("Authorization", header)
		}
		w := httptest.NewRecorder()
		r.Handler().ServeHTTP(w, req)
		if (w.Code == http.StatusOK) != want || !want && (w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "") {
			t.Errorf("%q over HTTP: %d", header, w.Code)
		}
		ctx := context.Background()
		if header != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", header)
		}
		var answer []byte
		err := c.Invoke(ctx, tracesMethod, &good, &answer)
		if (err == nil) != want || !want && status.Code(err) != codes.Unauthenticated {
			t.Errorf("%q over gRPC: %v", header, err)
		}
	}
	// Two headers are one too many to know whom to believe.
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer correct horse", "authorization", "Bearer wrong")
	var answer []byte
	if err := c.Invoke(ctx, tracesMethod, &good, &answer); status.Code(err) != codes.Unauthenticated {
		t.Error(err)
	}
	token = "" // as when the file is empty
	if r.allowed("Bearer ") || r.allowed("Bearer") || r.allowed("") {
		t.Error("an empty token lets everybody in")
	}
}

type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body of somebody without the token is read")
	return 0, io.EOF
}

// TestTooManyAtOnce: senders are asked to come again, in the words of either transport.
func TestTooManyAtOnce(t *testing.T) {
	log := &gated{Ring: newRing(fixed(noon)), gate: make(chan struct{}), begun: make(chan struct{}, 1)}
	r := newReceiver(t, log, func(o *Options) { o.MaxRequests = 2; o.AppendTimeout = time.Minute })
	c := dial(t, serve(t, r).grpc, nil)
	good, _ := request(t, someTraces(3, noon))
	done := make(chan int, 2)
	for range 2 {
		go func() { done <- post(r, "/v1/traces", typeProto, "", good).Code }()
	}
	await(t, func() bool { return r.budget.requests.Load() == 2 })
	got := post(r, "/v1/traces", typeProto, "", good)
	if got.Code != http.StatusTooManyRequests || got.Header().Get("Retry-After") != "1" {
		t.Errorf("%d %v", got.Code, got.Header())
	}
	_, err := call(t, c, tracesMethod, good)
	s := status.Convert(err)
	retry := false
	for _, d := range s.Details() {
		if i, ok := d.(*errdetails.RetryInfo); ok && i.GetRetryDelay().AsDuration() == time.Second {
			retry = true
		}
	}
	if s.Code() != codes.ResourceExhausted || !retry {
		t.Errorf("%v %v", err, s.Details())
	}
	close(log.gate)
	for range 2 {
		if code := <-done; code != http.StatusOK {
			t.Error(code)
		}
	}
	if _, err := call(t, c, tracesMethod, good); err != nil {
		t.Error(err)
	}
}

// TestBodiesShareTheMemory: large bodies at the same time are refused before they fill it.
func TestBodiesShareTheMemory(t *testing.T) {
	r := newReceiver(t, newRing(fixed(noon)), func(o *Options) { o.MaxRequest, o.MaxInFlight = 1<<20, 1<<20 })
	begun, end := make(chan struct{}), make(chan struct{})
	first := httptest.NewRequest(http.MethodPost, "/v1/traces", io.MultiReader(bytes.NewReader(make([]byte, 700_000)), &paused{begun, end}))
	first.Header.Set("Content-Type", typeProto)
	done := make(chan struct{})
	go func() { r.Handler().ServeHTTP(httptest.NewRecorder(), first); close(done) }()
	<-begun
	good, _ := request(t, someTraces(3, noon))
	if got := post(r, "/v1/traces", typeProto, "", good); got.Code != http.StatusOK {
		t.Error(got.Code)
	}
	if got := post(r, "/v1/traces", typeProto, "gzip", gzipped(make([]byte, 500_000))); got.Code != http.StatusTooManyRequests {
		t.Error(got.Code)
	}
	close(end)
	<-done
	if r.budget.bytes.Load() != 0 {
		t.Errorf("%d bytes were not given back", r.budget.bytes.Load())
	}
}

// paused says when it is read and ends when it is told to.
type paused struct{ begun, end chan struct{} }

func (p *paused) Read([]byte) (int, error) {
	close(p.begun)
	<-p.end
	return 0, io.EOF
}

// TestSlowBody: whoever sends a byte now and then is cut off, on either transport, and those beside are not held up.
func TestSlowBody(t *testing.T) {
	w := &watched{}
	r := newReceiver(t, newRing(fixed(noon)), func(o *Options) { o.ReadTimeout = 300 * time.Millisecond; o.Watch = w })
	at := serve(t, r)
	conn, err := net.Dial("tcp", at.http)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintf(conn, "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: 1000\r\n\r\n\n", typeProto); err != nil {
		t.Fatal(err)
	}
	c := dial(t, at.grpc, nil)
	stream, err := c.NewStream(context.Background(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, tracesMethod)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(&[]byte{}); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	good, _ := request(t, someTraces(3, noon))
	if _, err := call(t, c, tracesMethod, good); err != nil {
		t.Errorf("held up: %v", err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) || !strings.HasPrefix(string(answer), "HTTP/1.1 408") {
		t.Errorf("%v %.60q", err, answer)
	}
	// One that opens a call and never sends.
	quiet, err := c.NewStream(context.Background(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, tracesMethod)
	if err != nil {
		t.Fatal(err)
	}
	var nothing []byte
	if err := quiet.RecvMsg(&nothing); status.Code(err) != codes.DeadlineExceeded {
		t.Error(err)
	}
	if w.refusals(ReasonTooSlow) != 2 {
		t.Errorf("%+v", w.refused)
	}
}

// TestHugeAttributes: 64 KB in an attribute is taken and cut where it is read; many of them are split.
func TestHugeAttributes(t *testing.T) {
	ring := newRing(fixed(noon))
	r := newReceiver(t, ring, nil)
	td := someTraces(40, noon.Add(-time.Minute))
	for _, s := range td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
		noise := make([]byte, 32<<10)
		_, _ = rand.Read(noise)
		s.Attributes().PutStr("payload", fmt.Sprintf("%x", noise))
	}
	body, _ := request(t, td)
	if got := post(r, "/v1/traces", typeProto, "", body); got.Code != http.StatusOK {
		t.Fatal(got.Code, got.Body)
	}
	ev := draw(t, newWindow(t, ring, noon, nil), noon, Draw{})
	if len(ev.Incident.Spans) != 40 {
		t.Fatalf("%d spans", len(ev.Incident.Spans))
	}
	if v := ev.Incident.Spans[0].Attrs.Get("payload"); len(v) > 9<<10 {
		t.Errorf("%d bytes of it", len(v))
	}
}

// TestLargeResourceIsNotRepeated: a resource of megabytes shared by thousands of spans would become gigabytes when the export
// is split.
func TestLargeResourceIsNotRepeated(t *testing.T) {
	ring := newRing(fixed(noon))
	r := newReceiver(t, ring, nil)
	td := someTraces(10_000, noon)
	td.ResourceSpans().At(0).Resource().Attributes().PutStr("big", strings.Repeat("x", 2<<20))
	md := someMetrics(10_000, noon)
	md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).SetDescription(strings.Repeat("x", 2<<20))
	for signal, data := range map[telemetry.Signal]any{telemetry.Traces: td, telemetry.Metrics: md} {
		body, _ := request(t, data)
		got := post(r, "/v1/"+string(signal), typeProto, "", body)
		if rejected, why := rejectedBy(t, signal, got.Body.Bytes()); rejected != 10_000 || why == "" {
			t.Errorf("%s: %d rejected", signal, rejected)
		}
	}
	if n, _, _ := ring.Usage(context.Background()); n != 0 {
		t.Errorf("%d bytes", n)
	}
}

// TestGracefulStop: what is under way is finished and stored, and nothing new is taken.
func TestGracefulStop(t *testing.T) {
	log := &gated{Ring: newRing(fixed(noon)), gate: make(chan struct{}), begun: make(chan struct{}, 2)}
	r := newReceiver(t, log, nil)
	at := serve(t, r)
	good, _ := request(t, someTraces(3, noon))
	type result struct {
		err error
		how string
	}
	done := make(chan result, 2)
	go func() {
		resp, err := http.Post("http://"+at.http+"/v1/traces", typeProto, bytes.NewReader(good))
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				err = errors.New(resp.Status)
			}
		}
		done <- result{err, "http"}
	}()
	<-log.begun
	c := dial(t, at.grpc, nil)
	go func() { _, err := call(t, c, tracesMethod, good); done <- result{err, "grpc"} }()
	<-log.begun
	stopped := make(chan error, 1)
	go func() { stopped <- at.stop() }()
	await(t, func() bool { // the ports are closed
		conn, err := net.Dial("tcp", at.http)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	close(log.gate)
	for range 2 {
		if got := <-done; got.err != nil {
			t.Errorf("%s: %v", got.how, got.err)
		}
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if n, _, _ := stored(t, log, telemetry.Traces); n != 6 {
		t.Errorf("%d spans", n)
	}
}

func TestBothPortsSpeakTLS(t *testing.T) {
	srv := httptest.NewTLSServer(nil) // for its certificate
	defer srv.Close()
	r := newReceiver(t, newRing(fixed(noon)), func(o *Options) {
		o.TLS = &tls.Config{Certificates: srv.TLS.Certificates, MinVersion: tls.VersionTLS12}
	})
	at := serve(t, r)
	good, _ := request(t, someTraces(3, noon))
	client := srv.Client()
	resp, err := client.Post("https://"+at.http+"/v1/traces", typeProto, bytes.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
	roots := client.Transport.(*http.Transport).TLSClientConfig.RootCAs
	if _, err := call(t, dial(t, at.grpc, credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: "example.com"})), tracesMethod, good); err != nil {
		t.Error(err)
	}
	if _, err := call(t, dial(t, at.grpc, nil), tracesMethod, good); err == nil {
		t.Error("without TLS too")
	}
}

// FuzzReceiver: whatever is sent, the receiver answers, and what it keeps can be read again.
func FuzzReceiver(f *testing.F) {
	for _, data := range []any{someTraces(2, noon), someLogs(2, noon), someMetrics(2, noon)} {
		proto, json := request(f, data)
		f.Add(proto, false, "")
		f.Add(json, true, "")
		f.Add(gzipped(proto), false, "gzip")
		f.Add(zstded(json), true, "zstd")
	}
	f.Add(nested(30), false, "")
	f.Fuzz(func(t *testing.T, body []byte, asJSON bool, encoding string) {
		contentType := typeProto
		if asJSON {
			contentType = typeJSON
		}
		for _, signal := range []telemetry.Signal{telemetry.Traces, telemetry.Logs, telemetry.Metrics} {
			ring := newRing(fixed(noon))
			r := newReceiver(t, ring, func(o *Options) { o.MaxRequest = 1 << 20 })
			if got := post(r, "/v1/"+string(signal), contentType, encoding, body); got.Code >= 500 {
				t.Fatalf("%s: %d", signal, got.Code)
			}
			stored(t, ring, signal)
			draw(t, newWindow(t, ring, noon, nil), noon, Draw{})
		}
	})
}

// FuzzConcatenation: batches put requests one after another, so two that are good alone have to be both there together.
func FuzzConcatenation(f *testing.F) {
	a, _ := request(f, someTraces(2, noon))
	f.Add(a, a)
	f.Add(a, append([]byte{0xa3, 6, 0xa0, 6, 1}, a...))
	f.Add(append(bytes.Clone(a), 0xa3, 6, 0xa0, 6, 1), a)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		n := 0
		for _, body := range [][]byte{a, b} {
			e, err := decode(telemetry.Traces, body, false)
			if err != nil {
				t.Skip()
			}
			n += e.items()
		}
		e, err := decode(telemetry.Traces, append(bytes.Clone(a), b...), false)
		if err != nil || e.items() != n {
			t.Fatalf("%v, %d of %d spans", err, e.items(), n)
		}
	})
}

// BenchmarkReceive measures spans a second from the sender's marshalled export to the log, over both transports.
func BenchmarkReceive(b *testing.B) {
	const spans = 1000
	td := ptrace.NewTraces()
	for i := range 10 {
		part := someTraces(spans/10, noon)
		part.ResourceSpans().At(0).Resource().Attributes().PutStr("service.name", fmt.Sprint("service-", i))
		for k, s := range part.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
			s.SetTraceID(traceID(uint64(i*1000 + k)))
			for _, key := range []string{"http.request.method", "url.path", "server.address", "user_agent.original", "network.protocol.version"} {
				s.Attributes().PutStr(key, fmt.Sprint(key, k%17))
			}
			s.Attributes().PutInt("http.response.status_code", 200)
		}
		part.ResourceSpans().MoveAndAppendTo(td.ResourceSpans())
	}
	body, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	if err != nil {
		b.Fatal(err)
	}
	run := func(b *testing.B, send func() error) {
		b.SetBytes(int64(len(body)))
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := send(); err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N)*spans/b.Elapsed().Seconds(), "spans/s")
	}
	r := newReceiver(b, newRing(fixed(noon)), nil)
	at := serve(b, r)
	b.Run("http", func(b *testing.B) {
		run(b, func() error {
			resp, err := http.Post("http://"+at.http+"/v1/traces", typeProto, bytes.NewReader(body))
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			_, err = io.Copy(io.Discard, resp.Body)
			if resp.StatusCode != http.StatusOK {
				err = errors.New(resp.Status)
			}
			return err
		})
	})
	c := dial(b, at.grpc, nil)
	b.Run("grpc", func(b *testing.B) {
		run(b, func() error { _, err := call(b, c, tracesMethod, body); return err })
	})
}
