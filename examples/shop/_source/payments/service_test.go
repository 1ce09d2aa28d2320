package payments

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/shop/internal/flags"
	"example.com/shop/internal/settings"
	"example.com/shop/payments/bank"
)

type fakeBank struct {
	authorized []bank.Authorization
	err        error
}

func (f *fakeBank) Authorize(_ context.Context, a bank.Authorization) (bank.Receipt, error) {
	f.authorized = append(f.authorized, a)
	return bank.Receipt{Authorization: "auth-1"}, f.err
}

func (f *fakeBank) Risk(context.Context, string) (int, error) { return 0, f.err }

func post(t *testing.T, b Bank, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	svc := New(b, flags.Set{}, Settings{Currencies: []string{"USD", "EUR"}}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	rec := httptest.NewRecorder()
	svc.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
	return rec
}

func TestCharge(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		err    error
		status int
		want   string
	}{
		"charged":          {`{"order":"o-1","amount":1250,"currency":"EUR","card":"4000-0001"}`, nil, 201, `"authorization":"auth-1"`},
		"no order":         {`{"amount":1250,"currency":"EUR","card":"4000-0001"}`, nil, 400, "invalid_charge"},
		"no card":          {`{"order":"o-1","amount":1250,"currency":"EUR"}`, nil, 400, "invalid_charge"},
		"nothing to pay":   {`{"order":"o-1","amount":0,"currency":"EUR","card":"4000-0001"}`, nil, 400, "invalid_amount"},
		"other currency":   {`{"order":"o-1","amount":1250,"currency":"XTS","card":"4000-0001"}`, nil, 400, "unsupported_currency"},
		"not JSON":         {`order=o-1`, nil, 400, "invalid_charge"},
		"bank unavailable": {`{"order":"o-1","amount":1250,"currency":"EUR","card":"4000-0001"}`, bank.ErrUnavailable, 502, "bank_unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := post(t, &fakeBank{err: c.err}, "/charges", c.body)
			if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.want) {
				t.Errorf("answer = %d %s, want %d with %s", rec.Code, rec.Body, c.status, c.want)
			}
		})
	}
}

func TestChargeUsesTheOrderAsReference(t *testing.T) {
	b := &fakeBank{}
	post(t, b, "/charges", `{"order":"o-9","amount":1,"currency":"USD","card":"4000-0001"}`)
	if len(b.authorized) != 1 || b.authorized[0].Reference != "o-9" {
		t.Errorf("authorized = %+v", b.authorized)
	}
}

func TestCurrenciesAreSorted(t *testing.T) {
	svc := New(&fakeBank{}, flags.Set{}, Settings{Currencies: []string{"USD", "EUR"}}, nil)
	rec := httptest.NewRecorder()
	svc.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/currencies", nil))
	if got := rec.Body.String(); got != `{"currencies":["EUR","USD"]}` {
		t.Errorf("currencies = %s", got)
	}
}

func TestTheShopsOwnSettings(t *testing.T) {
	var s Settings
	if err := settings.Load("../config/payments.json", &s); err != nil {
		t.Fatal(err)
	}
	if s.BankAttempts < 1 || len(s.Currencies) == 0 {
		t.Errorf("settings = %+v", s)
	}
}
