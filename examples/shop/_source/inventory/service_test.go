package inventory

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/shop/internal/settings"
)

func seeded(t *testing.T) *Store {
	t.Helper()
	store, err := Open(filepath.Join(t.TempDir(), "stock.db"), Settings{PoolSize: 2, QueryTimeout: settings.Duration(5 * time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if err := store.Seed(context.Background()); err != nil {
		t.Fatal(err)
	}
	return store
}

func TestHandler(t *testing.T) {
	handler := New(seeded(t), slog.New(slog.NewTextHandler(io.Discard, nil))).Handler()
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		want               string
	}{
		"availability":        {"POST", "/availability", `{"skus":["sku-002","sku-001"]}`, 200, `{"stock":[{"sku":"sku-002"`},
		"unknown product":     {"POST", "/availability", `{"skus":["sku-001","sku-999"]}`, 404, "unknown_product"},
		"nothing asked":       {"POST", "/availability", `{"skus":[]}`, 400, "invalid_question"},
		"not JSON":            {"POST", "/availability", `skus`, 400, "invalid_question"},
		"one product":         {"GET", "/products/sku-003", "", 200, `"name":"glass shelf"`},
		"no such product":     {"GET", "/products/sku-000", "", 404, "unknown_product"},
		"report":              {"GET", "/reports/stock", "", 200, `{"levels":[{"sku":"sku-001","now":`},
		"no such page":        {"GET", "/stock", "", 404, ""},
		"asked the wrong way": {"GET", "/availability", "", 405, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, httptest.NewRequest(c.method, c.path, strings.NewReader(c.body)))
			if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.want) {
				t.Errorf("answer = %d %s, want %d with %s", rec.Code, rec.Body, c.status, c.want)
			}
		})
	}
}

func TestStockKeepsTheOrderAndAgreesWithTheReport(t *testing.T) {
	store := seeded(t)
	stock, err := store.Stock(context.Background(), []string{SKU(7), SKU(3)})
	if err != nil {
		t.Fatal(err)
	}
	if stock[0].SKU != SKU(7) || stock[1].SKU != SKU(3) {
		t.Errorf("order = %s, %s", stock[0].SKU, stock[1].SKU)
	}
	levels, err := store.Report(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(levels) != products || levels[6].Now != stock[0].Available || levels[6].Lowest > levels[6].Now {
		t.Errorf("report has %d levels, %+v for the product with %d available", len(levels), levels[6], stock[0].Available)
	}
}

func TestStockFailsWhenTheDatabaseIsGone(t *testing.T) {
	store := seeded(t)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	handler := New(store, slog.New(slog.NewTextHandler(io.Discard, nil))).Handler()
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/products/sku-001", nil))
	if rec.Code != http.StatusInternalServerError || !strings.Contains(rec.Body.String(), "stock_unknown") {
		t.Errorf("answer = %d %s", rec.Code, rec.Body)
	}
}

func TestTheShopsOwnSettings(t *testing.T) {
	var s Settings
	if err := settings.Load("../config/inventory.json", &s); err != nil {
		t.Fatal(err)
	}
	if s.PoolSize < 1 {
		t.Errorf("pool size = %d", s.PoolSize)
	}
}
