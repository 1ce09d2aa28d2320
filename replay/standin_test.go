package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

type scripted func(peer string, x *tapped) play

func (s scripted) act(peer string, x *tapped) play { return s(peer, x) }

func newTestStage(t *testing.T, a actor) (*stage, string) {
	t.Helper()
	s, err := newStage([]string{"ledger"}, a, Options{}.withDefaults().Listen, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s, "http://" + s.listeners["ledger"].Addr().String()
}

func TestStageAnswersAndKeepsALog(t *testing.T) {
	s, base := newTestStage(t, scripted(func(peer string, x *tapped) play {
		return play{status: 418, headers: map[string]string{"x-a": "b"}, body: []byte(peer + x.path + string(x.body)), wait: time.Millisecond, route: "/r"}
	}))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, base+"/a%20b?q=1", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Traceparent", newTraceparent("s", 1).String())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 418 || string(body) != "ledger/a%20bhello" || resp.Header.Get("X-A") != "b" {
		t.Errorf("%v %d %s", err, resp.StatusCode, body)
	}
	s.close() // the log is written when the handler is over
	calls, dropped := s.log()
	if len(calls) != 1 || dropped != 0 {
		t.Fatalf("%d calls", len(calls))
	}
	c := calls[0]
	if c.peer != "ledger" || c.route != "/r" || c.query != "q=1" || c.context != newTraceparent("s", 1) || c.status != 418 || c.latency < time.Millisecond {
		t.Errorf("%+v", c)
	}
}

func TestStagePlaysTransportErrors(t *testing.T) {
	for _, fault := range []string{"reset", "refused", "timeout"} {
		t.Run(fault, func(t *testing.T) {
			_, base := newTestStage(t, scripted(func(string, *tapped) play { return play{fault: fault} }))
			limit := patience
			if fault == "timeout" {
				limit = 100 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, base, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err == nil {
				resp.Body.Close()
				t.Fatalf("answered %d", resp.StatusCode)
			}
			if errors.Is(err, context.DeadlineExceeded) != (fault == "timeout") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestStageClosesOverHangingCalls(t *testing.T) {
	arrived := make(chan struct{})
	s, base := newTestStage(t, scripted(func(string, *tapped) play { close(arrived); return play{fault: "timeout"} }))
	failed := make(chan error, 1)
	go func() {
		resp, err := http.Get(base)
		if err == nil {
			resp.Body.Close()
		}
		failed <- err
	}()
	<-arrived
	s.close()
	if err := <-failed; err == nil {
		t.Error("a hanging call was answered")
	}
	if calls, _ := s.log(); len(calls) != 1 || calls[0].err != "timeout" {
		t.Errorf("%+v", calls)
	}
}

func ledgerCase() *Case {
	call := func(path, body, answer string) Downstream {
		return Downstream{Peer: "ledger", Request: Request{Method: "POST", Route: "/accounts/{id}", Path: path, Body: json.RawMessage(body)}, Response: Response{Status: 200, Headers: map[string]string{"content-type": "application/json"}, Body: json.RawMessage(answer)}}
	}
	return &Case{ID: "c", Downstream: []Downstream{call("/accounts/7", `{"n":1,"ref":"a"}`, `"first"`), call("/accounts/7", `{"n":1,"ref":"b"}`, `"second"`), call("/accounts/7", `{"n":2,"ref":"c"}`, `"two"`), call("/accounts/8", `{"n":1}`, `"eight"`)},
		Noise: []Noise{{Target: "request.downstream", Pointer: "/ledger/POST ~1accounts~1{id}/body/ref", Rule: "presence"}}}
}

func TestCassetteMatchesByPathBodyAndOccurrence(t *testing.T) {
	cs := newCassettes(nil)
	tp := newTraceparent("x", 1)
	cs.insert(tp.trace, ledgerCase())
	ask := func(method, path, body string) string {
		p := cs.act("ledger", &tapped{method: method, path: path, body: []byte(body), header: http.Header{"Content-Type": {"application/json"}}, context: tp, hasContext: true})
		if p.unknown {
			return "unknown"
		}
		if p.route != "/accounts/{id}" {
			t.Errorf("recognised as %q", p.route)
		}
		return string(p.body)
	}
	for _, tt := range []struct{ method, path, body, want string }{
		{"POST", "/accounts/7", `{"n":2,"ref":"zz"}`, `"two"`},    // by content, whatever the noise
		{"POST", "/accounts/7", `{"n":1,"ref":"zz"}`, `"first"`},  // the first occurrence
		{"POST", "/accounts/7", `{"n":1,"ref":"zz"}`, `"second"`}, // the second
		{"POST", "/accounts/7", `{"n":1,"ref":"zz"}`, `"second"`}, // once more than recorded
		{"POST", "/accounts/9", `{"n":5}`, `"eight"`},             // of the same route, not yet used
		{"POST", "/nothing", `{}`, "unknown"}, {"GET", "/accounts/7", ``, "unknown"},
	} {
		if got := ask(tt.method, tt.path, tt.body); got != tt.want {
			t.Errorf("%s %s %s: %s, want %s", tt.method, tt.path, tt.body, got, tt.want)
		}
	}
}

func TestCassetteAnswersBackgroundCallsFromAnyCase(t *testing.T) {
	set := smallSet()
	set.Cases[0].Downstream = ledgerCase().Downstream
	cs := newCassettes([]*Set{set})
	p := cs.act("ledger", &tapped{method: "POST", path: "/accounts/8", header: http.Header{}})
	if p.unknown || string(p.body) != `"eight"` {
		t.Errorf("%+v", p)
	}
	p = cs.act("ledger", &tapped{method: "GET", path: "/x", header: http.Header{}})
	if !p.unknown || !bytes.Contains(p.body, []byte("the stand-in for ledger has no recorded answer to GET /x")) {
		t.Errorf("%+v %s", p, p.body)
	}
}

func TestMatchesRoute(t *testing.T) {
	for _, tt := range []struct {
		route, path string
		want        bool
	}{
		{"/a", "/a", true}, {"/a", "/a/", true}, {"/a/{id}", "/a/7", true}, {"/a/:id/x", "/a/7/x", true}, {"/a/<int:id>", "/a/7", true}, {"/a/{id}", "/a", false}, {"/a", "/a/7", false},
		{"/files/{path...}", "/files/a/b/c", true}, {"/static/*", "/static/x/y", true}, {"/a/{id}/b", "/a/7/c", false}, {"", "/a", false},
	} {
		if got := matchesRoute(tt.route, tt.path); got != tt.want {
			t.Errorf("%s %s: %v", tt.route, tt.path, got)
		}
	}
}

func TestListenerFailureIsSaid(t *testing.T) {
	_, err := newStage([]string{"ledger"}, scripted(nil), func() (net.Listener, error) { return nil, errors.New("port in use") }, time.Now)
	if err == nil || err.Error() != "stand-in for ledger: port in use" {
		t.Errorf("%v", err)
	}
}
