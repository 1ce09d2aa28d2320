package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func newContext(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(t.Context())
}

func TestBankShedsForMoments(t *testing.T) {
	var shed, total, longest, current int
	for at := time.Duration(0); at < 60*time.Second; at += time.Millisecond {
		total++
		if shedding.sheds(at) {
			shed++
			current++
			longest = max(longest, current)
		} else {
			current = 0
		}
	}
	if share := float64(shed) / float64(total); share < 0.18 || share > 0.32 {
		t.Errorf("the bank sheds %.0f %% of the time, want about a quarter", 100*share)
	}
	if longest > int(shedding.ShedMax.Milliseconds()) {
		t.Errorf("it sheds for %d ms, want at most %s", longest, shedding.ShedMax)
	}
	if calm.sheds(time.Second) {
		t.Error("a calm bank sheds")
	}
}

func TestBankAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		mode               bankMode
		method, path, body string
		status             int
		want               string
	}{
		"consents":       {calm, "POST", "/authorizations", `{"reference":"o-1","amount":1,"currency":"EUR","card":"4000-1001"}`, 201, "auth-"},
		"declines":       {calm, "POST", "/authorizations", `{"reference":"o-1","amount":1,"currency":"EUR","card":"4000-0002"}`, 402, "insufficient_funds"},
		"slow issuer":    {calm, "POST", "/authorizations", `{"reference":"o-1","amount":1,"currency":"EUR","card":"5100-1001"}`, 201, "auth-"},
		"not understood": {calm, "POST", "/authorizations", `reference`, 400, "invalid"},
		"no risk":        {calm, "GET", "/risk/4000-1001", "", 200, `"score":7`},
		"sheds":          {bankMode{Period: time.Hour, ShedMin: time.Hour, ShedMax: time.Hour}, "POST", "/authorizations", `{}`, 503, "busy"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := httptest.NewRecorder()
			newBank(c.mode).ServeHTTP(rec, httptest.NewRequest(c.method, c.path, strings.NewReader(c.body)))
			if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.want) {
				t.Errorf("answer = %d %s, want %d with %s", rec.Code, rec.Body, c.status, c.want)
			}
		})
	}
}

func TestBankThatIsDownHangsUp(t *testing.T) {
	b := newBank(calm)
	srv := httptest.NewServer(b)
	defer srv.Close()
	b.set(bankMode{Down: true})
	if resp, err := http.Get(srv.URL + "/risk/1"); err == nil {
		t.Errorf("answer = %d, want a broken connection", resp.StatusCode)
	}
}

func TestDiceIsFairAndRepeats(t *testing.T) {
	var sum float64
	for i := range 1000 {
		v := dice(strings.Repeat("ab", i))
		if v < 0 || v >= 1 || v != dice(strings.Repeat("ab", i)) {
			t.Fatalf("dice = %v", v)
		}
		sum += v
	}
	if mean := sum / 1000; mean < 0.45 || mean > 0.55 {
		t.Errorf("mean = %v, want about a half", mean)
	}
}
