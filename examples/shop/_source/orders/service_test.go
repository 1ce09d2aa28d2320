package orders

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"example.com/shop/internal/httpjson"
)

// neighbours plays the services that orders calls: each has a status, 0 for one that
// hangs up.
type neighbours struct{ inventory, pricing, payments int }

func (n neighbours) service(t *testing.T) http.Handler {
	t.Helper()
	mux := http.NewServeMux()
	answer := func(status int, body any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			switch {
			case status == 0:
				panic(http.ErrAbortHandler)
			case status/100 == 2:
				httpjson.Write(w, status, body)
			default:
				httpjson.Refuse(w, status, "refused", "the stand-in says no")
			}
		}
	}
	mux.Handle("POST /availability", answer(n.inventory, map[string][]Stock{"stock": {{SKU: "sku-001", Available: 5, ListPrice: 700}}}))
	mux.Handle("POST /quotes", answer(n.pricing, Quote{Total: 1330, Discount: 70}))
	mux.Handle("POST /charges", answer(n.payments, map[string]string{"authorization": "auth-1"}))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return New(
		NewInventory(srv.URL, srv.Client(), time.Second),
		NewPricing(srv.URL, srv.Client()),
		NewPayments(srv.URL, srv.Client(), time.Second),
		slog.New(slog.NewTextHandler(io.Discard, nil)),
	).Handler()
}

const twoLamps = `{"customer":{"id":"c-1","tier":"gold"},"currency":"EUR","card":"4000-0001","items":[{"sku":"sku-001","quantity":2}]}`

func TestPlace(t *testing.T) {
	for name, c := range map[string]struct {
		with   neighbours
		body   string
		status int
		want   string
	}{
		"taken":               {neighbours{200, 200, 201}, twoLamps, 201, `"total":1330`},
		"pricing hangs up":    {neighbours{200, 0, 201}, twoLamps, 201, `"total":1400`},
		"pricing fails":       {neighbours{200, 500, 201}, twoLamps, 502, "order_not_taken"},
		"unknown product":     {neighbours{404, 200, 201}, twoLamps, 404, "unknown_product"},
		"inventory fails":     {neighbours{500, 200, 201}, twoLamps, 502, "order_not_taken"},
		"payment impossible":  {neighbours{200, 200, 400}, twoLamps, 400, "payment_refused"},
		"payments fails":      {neighbours{200, 200, 502}, twoLamps, 502, "order_not_taken"},
		"out of stock":        {neighbours{200, 200, 201}, strings.Replace(twoLamps, `"quantity":2`, `"quantity":6`, 1), 409, "out_of_stock"},
		"no items":            {neighbours{200, 200, 201}, `{"customer":{"id":"c-1"},"currency":"EUR","card":"4","items":[]}`, 400, "invalid_order"},
		"no card":             {neighbours{200, 200, 201}, `{"customer":{"id":"c-1"},"currency":"EUR","items":[{"sku":"a","quantity":1}]}`, 400, "card is missing"},
		"no customer":         {neighbours{200, 200, 201}, `{"currency":"EUR","card":"4","items":[{"sku":"a","quantity":1}]}`, 400, "customer is missing"},
		"a negative quantity": {neighbours{200, 200, 201}, strings.Replace(twoLamps, `"quantity":2`, `"quantity":-2`, 1), 400, "item 1"},
		"not JSON":            {neighbours{200, 200, 201}, `order`, 400, "invalid_order"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := httptest.NewRecorder()
			c.with.service(t).ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/orders", strings.NewReader(c.body)))
			if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.want) {
				t.Errorf("answer = %d %s, want %d with %s", rec.Code, rec.Body, c.status, c.want)
			}
		})
	}
}

func TestShow(t *testing.T) {
	handler := neighbours{200, 200, 201}.service(t)
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/orders", strings.NewReader(twoLamps)))
	var placed Order
	if err := json.Unmarshal(rec.Body.Bytes(), &placed); err != nil {
		t.Fatal(err)
	}

	rec = httptest.NewRecorder()
	handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/orders/"+placed.ID, nil))
	if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), placed.ID) {
		t.Errorf("answer = %d %s", rec.Code, rec.Body)
	}
	rec = httptest.NewRecorder()
	handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/orders/ord-none", nil))
	if rec.Code != http.StatusNotFound {
		t.Errorf("unknown order = %d, want 404", rec.Code)
	}
}

func TestStoreForgetsTheOldest(t *testing.T) {
	s := newStore()
	s.put(Order{ID: "first"})
	for range keep {
		s.put(Order{ID: newID()})
	}
	if _, ok := s.get("first"); ok || len(s.orders) != keep {
		t.Errorf("%d orders are kept, the first among them: %v", len(s.orders), ok)
	}
}
