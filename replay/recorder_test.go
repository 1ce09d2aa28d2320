package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRecorderMakesAGoldenSet(t *testing.T) {
	set := recordDesk(t)
	back, err := ReadSet(bytes.NewReader(written(t, set)))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range back.Cases {
		ids = append(ids, c.ID)
	}
	if !slices.Equal(ids, []string{"book", "refuse", "read"}) || back.Recorded.Commit != "0123abcd" || back.Recorded.Concurrency != 1 {
		t.Fatalf("%v %+v", ids, back.Recorded)
	}
	book := back.Cases[0]
	if book.Effects != "sandboxed_write" || back.Cases[2].Effects != "read" || book.Request.Route != "/entries" || len(book.Latency) != 3 {
		t.Errorf("%+v", book)
	}
	if len(book.Trace.Tree) != 3 || book.Trace.Tree[0].Kind != "server" || book.Trace.Tree[2].Kind != "client" || book.Trace.Tree[2].Count != (Count{1, 1}) || len(book.Trace.Tree[0].Durations) != 3 {
		t.Errorf("tree %+v", book.Trace.Tree)
	}
	if len(book.Downstream) != 1 || book.Downstream[0].Peer != "ledger" || book.Downstream[0].Latency <= 0 || book.Downstream[0].Response.Status != 200 {
		t.Errorf("downstream %+v", book.Downstream)
	}
	rules := map[string]string{}
	for _, n := range book.Noise {
		rules[n.Target+" "+n.Pointer] = n.Rule
	}
	for place, rule := range map[string]string{"response.body /id": "uuid", "response.body /at": "timestamp", "request.downstream /ledger/POST ~1bookings/body/ref": "uuid"} {
		if rules[place] != rule {
			t.Errorf("%s: rule %q, want %q", place, rules[place], rule)
		}
	}
	if len(rules) != 3 {
		t.Errorf("rules %v", rules)
	}
}

func TestNothingPersonalIsKept(t *testing.T) {
	if data := written(t, recordDesk(t)); bytes.Contains(data, []byte("corp.io")) || !bytes.Contains(data, []byte("person-1@example.com")) {
		t.Error("the address of a person is in the set")
	}
}

// proxied records a handler without telemetry.
func proxied(t *testing.T, opts RecorderOptions, service http.HandlerFunc) *Recorder {
	t.Helper()
	s := httptest.NewServer(service)
	t.Cleanup(s.Close)
	opts.ID, opts.Service, opts.Target = "p", "plain", s.URL
	opts.Quiet, opts.TraceTimeout = time.Millisecond, time.Millisecond
	r, err := NewRecorder(opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func pass(r *Recorder, method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Inbound().ServeHTTP(w, req)
	return w
}

func TestRecorderTakesTrafficAsItComes(t *testing.T) {
	n := 0
	r := proxied(t, RecorderOptions{}, func(w http.ResponseWriter, req *http.Request) {
		n++
		if req.Header.Get("Traceparent") == "" {
			t.Error("a request without trace context was passed on without one")
		}
		if req.URL.Path == "/flaky" {
			w.WriteHeader(200 + n/4)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"n": n, "path": req.URL.Path})
	})
	for range 2 {
		pass(r, "GET", "/things/7?x=1", "")
		pass(r, "GET", "/things/8", "")
		pass(r, "GET", "/flaky", "")
		pass(r, "GET", "/things/8", "")
	}
	pass(r, "GET", "/once", "")
	set, notes, err := r.Set(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range set.Cases {
		ids = append(ids, c.ID)
	}
	if !slices.Equal(ids, []string{"get /things/{id}", "get /things/{id} #2"}) || len(set.Cases[1].Latency) != 4 {
		t.Errorf("cases %q", ids)
	}
	for _, want := range []string{"have no complete trace", "GET /flaky: answered", "GET /once: recorded once only"} {
		if !slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, want) }) {
			t.Errorf("no note %q in %q", want, notes)
		}
	}
}

func TestRecorderIsATransparentProxy(t *testing.T) {
	r := proxied(t, RecorderOptions{MaxBody: 10}, func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		w.Header().Set("X-Got", req.Header.Get("X-Sent")+req.Header.Get("Connection")+req.Header.Get("X-Hop"))
		w.WriteHeader(202)
		_, _ = w.Write(append([]byte("got "), body...))
	})
	w := httptest.NewRecorder()
	req := httptest.NewRequest("POST", "/p?q=1", strings.NewReader(strings.Repeat("x", 100)))
	req.Header.Set("X-Sent", "yes")
	req.Header.Set("Connection", "X-Hop")
	req.Header.Set("X-Hop", "no")
	r.Inbound().ServeHTTP(w, req)
	if w.Code != 202 || w.Header().Get("X-Got") != "yes" || w.Body.String() != "got "+strings.Repeat("x", 100) {
		t.Errorf("%d %q %q", w.Code, w.Header(), w.Body)
	}
	pass(r, "POST", "/p?q=1", strings.Repeat("x", 100))
	if _, notes, err := r.Set(t.Context()); err == nil || !strings.Contains(strings.Join(notes, " "), "larger than is kept") {
		t.Errorf("%v %q: a body that is not kept whole cannot be compared", err, notes)
	}
}

func TestRecorderOutboundErrors(t *testing.T) {
	dead := httptest.NewServer(nil)
	dead.Close()
	r := proxied(t, RecorderOptions{Dependencies: map[string]string{"dead": dead.URL}}, func(http.ResponseWriter, *http.Request) {})
	front := httptest.NewServer(r.Outbound("dead"))
	defer front.Close()
	if resp, err := http.Get(front.URL + "/x"); err == nil {
		resp.Body.Close()
		t.Errorf("a dead dependency answers %d", resp.StatusCode)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.calls) != 1 || r.calls[0].err != "refused" || r.calls[0].peer != "dead" {
		t.Errorf("%+v", r.calls)
	}
}

func TestRecorderSaysWhichDependencyItDoesNotKnow(t *testing.T) {
	r := proxied(t, RecorderOptions{}, func(http.ResponseWriter, *http.Request) {})
	w := httptest.NewRecorder()
	r.Outbound("other").ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusBadGateway || !strings.Contains(w.Body.String(), `knows no dependency "other"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestRecorderRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts RecorderOptions
		want string
	}{
		{"no id", RecorderOptions{Service: "s", Target: "http://x"}, "needs an id"},
		{"one round", RecorderOptions{ID: "i", Service: "s", Target: "http://x", Rounds: 1}, "at least two rounds"},
		{"no URL", RecorderOptions{ID: "i", Service: "s", Target: "localhost:80"}, "target of s"},
		{"bad dependency", RecorderOptions{ID: "i", Service: "s", Target: "http://x", Dependencies: map[string]string{"d": "/y"}}, "dependency d"},
	} {
		if _, err := NewRecorder(tt.opts); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	r := proxied(t, RecorderOptions{}, func(http.ResponseWriter, *http.Request) {})
	if _, _, err := r.Set(t.Context()); err == nil || !strings.Contains(err.Error(), "nothing was recorded") {
		t.Errorf("%v", err)
	}
	if err := r.Record(t.Context(), nil); err == nil {
		t.Error("records nothing")
	}
}

func TestRecordPreparesEachRoundAndStopsOnTrouble(t *testing.T) {
	var rounds []int
	r := proxied(t, RecorderOptions{Rounds: 2, BeforeRound: func(_ context.Context, n int) error { rounds = append(rounds, n); return nil }}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"id":1}`)
	})
	cases := []Case{{ID: "a", Request: Request{Method: "GET", Path: "/"}}, {ID: "b", Request: Request{Method: "GET", Path: "/0"}, Vars: Vars{Inject: map[string]string{"/path/0": "gone"}}}}
	if err := r.Record(t.Context(), cases[:1]); err != nil || !slices.Equal(rounds, []int{0, 1}) {
		t.Errorf("%v %v", err, rounds)
	}
	if err := r.Record(t.Context(), cases); err == nil || !strings.Contains(err.Error(), "case b, round 1: /path/0 needs") {
		t.Errorf("%v", err)
	}
	r.opts.BeforeRound = func(context.Context, int) error { return errors.New("no database") }
	if err := r.Record(t.Context(), cases[:1]); err == nil || !strings.Contains(err.Error(), "preparing round 1: no database") {
		t.Errorf("%v", err)
	}
	dead := httptest.NewServer(nil)
	dead.Close()
	gone, err := NewRecorder(RecorderOptions{ID: "i", Service: "s", Target: dead.URL})
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Record(t.Context(), cases[:1]); err == nil || !strings.Contains(err.Error(), "case a, round 1: the service did not answer: refused") {
		t.Errorf("%v", err)
	}
}
