package gateway

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func through(t *testing.T, backend http.HandlerFunc, timeout time.Duration, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	srv := httptest.NewServer(backend)
	t.Cleanup(srv.Close)
	g := New(
		Backend{"orders", srv.URL + "/o", timeout},
		Backend{"inventory", srv.URL + "/i", timeout},
		srv.Client(), slog.New(slog.NewTextHandler(io.Discard, nil)),
	)
	rec := httptest.NewRecorder()
	g.Handler().ServeHTTP(rec, httptest.NewRequest(method, path, strings.NewReader(body)))
	return rec
}

func TestPassesOnToTheRightBackend(t *testing.T) {
	for name, c := range map[string]struct{ method, path, want string }{
		"place an order": {"POST", "/orders", "POST /o/orders"},
		"show an order":  {"GET", "/orders/ord-1", "GET /o/orders/ord-1"},
		"a product":      {"GET", "/products/sku-001", "GET /i/products/sku-001"},
		"an odd product": {"GET", "/products/a%2Fb", "GET /i/products/a%2Fb"},
		"the report":     {"GET", "/reports/stock", "GET /i/reports/stock"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := through(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, r.Method+" "+r.URL.EscapedPath())
			}, time.Second, c.method, c.path, "")
			if rec.Code != http.StatusOK || rec.Body.String() != c.want {
				t.Errorf("answer = %d %s, want %s", rec.Code, rec.Body, c.want)
			}
		})
	}
}

func TestStatuses(t *testing.T) {
	for name, c := range map[string]struct{ backend, want int }{
		"created":       {201, 201},
		"refused":       {402, 402},
		"not found":     {404, 404},
		"a bug":         {500, 502},
		"a bad gateway": {502, 502},
	} {
		t.Run(name, func(t *testing.T) {
			rec := through(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c.backend) }, time.Second, "POST", "/orders", "{}")
			if rec.Code != c.want {
				t.Errorf("status = %d, want %d", rec.Code, c.want)
			}
		})
	}
}

func TestBackendThatHangsUp(t *testing.T) {
	rec := through(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, time.Second, "GET", "/reports/stock", "")
	if rec.Code != http.StatusBadGateway || !strings.Contains(rec.Body.String(), "unavailable") {
		t.Errorf("answer = %d %s", rec.Code, rec.Body)
	}
}

func TestBackendThatTakesTooLong(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	rec := through(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}, 20*time.Millisecond, "GET", "/orders/ord-1", "")
	if rec.Code != http.StatusGatewayTimeout {
		t.Errorf("status = %d, want 504", rec.Code)
	}
}
